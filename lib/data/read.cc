// SPDX-License-Identifier: Apache-2.0
//
// Which reader a path is for.

#include "lanewise/data/read.h"

#include <filesystem>
#include <utility>

#include "data/data_reader.h"
#include "lanewise/data/idx.h"

namespace lanewise {

Result<Dataset> ReadData(const std::string& path, Split split, const CsvOptions& csv) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return ReadIdxDirectory(path, split);
  return data::CatchOutOfMemory(path, [&]() -> Result<Dataset> {
    Result<std::unique_ptr<ByteReader>> reader = data::OpenData(path);
    if (!reader.ok()) return reader.status();
    Result<std::string> begin = data::Peek(*reader, 1);
    if (!begin.ok()) return begin.status();
    if (*begin != std::string(1, '\0')) return data::ReadCsv(**reader, csv);
    Result<IdxArray> images = data::ReadIdx(**reader);
    if (!images.ok()) return images.status();
    return data::MakeImageDataset(*std::move(images), (*reader)->name());
  });
}

}  // namespace lanewise
