// SPDX-License-Identifier: Apache-2.0
//
// Checks of matrices that come from callers. Error messages name the matrix.

#pragma once

#include <cstdint>
#include <string_view>

#include "lanewise/matrix_view.h"
#include "lanewise/status.h"

namespace lanewise::internal {

// The bytes a view's elements lie in, [begin, end); empty if it has no element.
struct ByteRange {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool Overlaps(const ByteRange& other) const { return begin < other.end && other.begin < end; }
};

// The range of n elements from p.
template <typename T>
ByteRange RangeOf(const T* p, std::ptrdiff_t n) {
  const auto begin = reinterpret_cast<std::uintptr_t>(p);
  return {begin, begin + static_cast<std::uintptr_t>(n) * sizeof(T)};
}

// Sizes are not negative, elements are not null, no offset overflows.
template <typename T>
Result<ByteRange> CheckInput(std::string_view name, MatrixView<const T> view);

// Further: columns are contiguous and rows do not overlap.
template <typename T>
Result<ByteRange> CheckOutput(std::string_view name, MatrixView<T> view);

}  // namespace lanewise::internal
