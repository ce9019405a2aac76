// SPDX-License-Identifier: Apache-2.0
//
// The header of a safetensors file: text that may be hostile in, entries that fit together out. Reads no file.

#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lanewise/status.h"

namespace lanewise::internal {

constexpr std::uint64_t kLengthBytes = 8;
// The reference implementation's limit.
constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr std::string_view kMetadataKey = "__metadata__";

// Limits of ours, far beyond any model's: without them a header's 10 bytes for a name or 2 for a dimension would
// become 300 and 8 in memory before anything tells that the file is no model.
constexpr std::size_t kMostNames = 100'000;  // of tensors and metadata
constexpr std::size_t kMostDimensions = 64;  // as NumPy's

// What the header says of one tensor.
struct TensorEntry {
  std::string name;
  std::uint64_t at = 0;  // where in the file it is described
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::vector<std::uint64_t> offsets;  // first byte and one past the last, counted from the end of the header
};

struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;
  std::map<std::string, std::uint64_t> metadata_at;  // where in the file each key ends
  std::vector<TensorEntry> entries;                  // in the order of their elements, without gap or overlap
};

// Reads the header's text, which begins at byte 8 of the file `name`: event by event into entries, then the entries
// against each other. kBadFile. May throw std::bad_alloc.
Result<SafetensorsHeader> ParseHeader(const std::string& name, std::string_view text);

constexpr std::size_t BytesPerElement(std::string_view dtype) {
  return dtype == "F32" ? sizeof(float) : sizeof(double);
}

// The number of elements if their bytes can be counted in 63 bits.
template <typename Dimension>
std::optional<std::uint64_t> ElementCount(const std::vector<Dimension>& shape, std::size_t bytes_per_element) {
  std::uint64_t count = 1;
  for (const Dimension dimension : shape) {
    if (!std::in_range<std::ptrdiff_t>(dimension) || dimension < Dimension{0} ||
        __builtin_mul_overflow(count, static_cast<std::uint64_t>(dimension), &count)) {
      return std::nullopt;
    }
  }
  if (count > static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max()) / bytes_per_element) {
    return std::nullopt;
  }
  return count;
}

}  // namespace lanewise::internal
