// SPDX-License-Identifier: Apache-2.0
//
// What the data set readers share: bytes, decompressed where need be, and readers that take them. Internal.

#pragma once

#include <memory>
#include <new>
#include <string>
#include <utility>

#include "file_io.h"
#include "lanewise/data/csv.h"
#include "lanewise/data/idx.h"
#include "lanewise/dataset.h"
#include "lanewise/status.h"

namespace lanewise::data {

// The first `count` bytes of the input, which stay to be read; fewer where it is shorter.
Result<std::string> Peek(std::unique_ptr<ByteReader>& reader, std::size_t count);

// Opens a file ("-": standard input). If it is gzipped, what comes out is decompressed, and its name says so; a broken,
// cut or foreign tail of the compressed stream is kBadFile with the offset in the compressed file.
Result<std::unique_ptr<ByteReader>> OpenData(const std::string& path);

Result<IdxArray> ReadIdx(ByteReader& reader);
Result<Dataset> ReadCsv(ByteReader& reader, const CsvOptions& options);

// The images as a data set without labels. `name` is what messages call the file.
Result<Dataset> MakeImageDataset(IdxArray images, const std::string& name);

// Calls a reader and turns a lack of memory into a Status.
template <typename Read>
auto CatchOutOfMemory(const std::string& path, Read read) -> decltype(read()) {
  try {
    return read();
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "no memory to read " + Quote(path));
  }
}

}  // namespace lanewise::data
