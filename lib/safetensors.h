// SPDX-License-Identifier: Apache-2.0
//
// Files in the safetensors format (https://huggingface.co/docs/safetensors, "Format"), as Python's package of that name
// reads and writes them: the length of a JSON header (8 bytes, little-endian), the header, the tensors' elements. Knows
// nothing of models; what the metadata means is its user's business.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "file_io.h"
#include "lanewise/status.h"

namespace lanewise {

struct Tensor {
  std::string name;
  std::vector<std::ptrdiff_t> shape;                             // row-major; no dimension at all is one element
  std::variant<std::vector<float>, std::vector<double>> values;  // dtype F32 or F64
  // Of a tensor that was read, for messages: where in the file it is described, and where its elements begin.
  std::uint64_t at = 0;
  std::uint64_t elements_at = 0;
};

struct SafetensorsFile {
  std::map<std::string, std::string> metadata;
  std::vector<Tensor> tensors;
  // Where in the file that was read each metadata key ends, for messages.
  std::map<std::string, std::uint64_t> metadata_at = {};
};

// Reads a file ("-": standard input), its tensors in the order in which their elements lie in it. Everything that
// the format forbids is refused with kBadFile, and so is a dtype other than F32 and F64, more than 100,000 names of
// tensors and metadata, or more than 64 dimensions. Every offset, product and length is checked, and no claim of the
// header allocates memory before the bytes that it claims have arrived. kIoError, kOutOfMemory.
Result<SafetensorsFile> ReadSafetensors(const std::string& path);
Result<SafetensorsFile> ReadSafetensors(ByteReader& reader);

// Writes a file, wholly or not at all (WriteFile). Equal content gives equal bytes: the metadata, if any, comes
// first, its keys in byte order; then the F64 tensors and then the F32 ones, each in the order given, so that every
// element is aligned to its size; the header is padded with spaces to a multiple of 8 bytes. kInvalidArgument where
// names repeat or are not UTF-8, or a shape does not match its values, or there are more names than that.
Status WriteSafetensors(const std::string& path, const SafetensorsFile& file);

// The bytes that it would write, with its errors; `path` is for messages.
Result<std::string> SafetensorsBytes(const std::string& path, const SafetensorsFile& file);

}  // namespace lanewise
