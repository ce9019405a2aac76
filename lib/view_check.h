// SPDX-License-Identifier: Apache-2.0
//
// Checks of matrices that come from callers. Error messages name the matrix.

#pragma once

#include <cstdint>
#include <cstdlib>
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

// IsValid for sizes and strides whose products need 128 bits.
bool IsValidWide(std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t row_stride, std::ptrdiff_t col_stride,
                 std::size_t element_size, std::ptrdiff_t* low, std::ptrdiff_t* high);

// Whether sizes are not negative, elements are not null and no offset overflows; then `range` is set. Small products
// spend their time here, so this is inline and short; the words for what is wrong are CheckInput's.
template <typename T>
inline bool IsValid(const MatrixView<T>& view, ByteRange* range) {
  std::ptrdiff_t low = 0;  // the least and greatest offsets of elements
  std::ptrdiff_t high = 0;
  const std::ptrdiff_t bits = view.rows | view.cols | view.row_stride | view.col_stride;
  if (view.rows <= 0 || view.cols <= 0) {
    *range = {};
    return view.rows >= 0 && view.cols >= 0;
  }
  if (bits >= 0 && bits < std::ptrdiff_t{1} << 27) {  // none negative, none large: nothing overflows
    high = (view.rows - 1) * view.row_stride + (view.cols - 1) * view.col_stride;
  } else if (!IsValidWide(view.rows, view.cols, view.row_stride, view.col_stride, sizeof(T), &low, &high)) {
    return false;
  }
  const auto base = reinterpret_cast<std::uintptr_t>(view.data);
  constexpr auto kSize = static_cast<std::ptrdiff_t>(sizeof(T));
  *range = {base + static_cast<std::uintptr_t>(low * kSize), base + static_cast<std::uintptr_t>((high + 1) * kSize)};
  return view.data != nullptr;
}

// Further, that columns are contiguous and rows do not overlap.
template <typename T>
inline bool IsValidOutput(const MatrixView<T>& view, ByteRange* range) {
  return IsValid(view, range) && (view.cols <= 1 || view.col_stride == 1) &&
         (view.rows <= 1 || std::abs(view.row_stride) >= view.cols);
}

// The same as Results whose messages name the matrix.
template <typename T>
Result<ByteRange> CheckInput(std::string_view name, MatrixView<const T> view);
template <typename T>
Result<ByteRange> CheckOutput(std::string_view name, MatrixView<T> view);

}  // namespace lanewise::internal
