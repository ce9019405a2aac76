// SPDX-License-Identifier: Apache-2.0
//
// Checks of matrices that come from callers. Error messages name the matrix.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lanewise/matrix_view.h"
#include "lanewise/status.h"

namespace lanewise::internal {

// The bytes a matrix's elements lie in, [begin, end). Empty if it has no element; of a matrix that is not valid {1, 0}.
struct ByteRange {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool IsValid() const { return begin <= end; }
  bool Overlaps(const ByteRange& other) const { return begin < other.end && other.begin < end; }
};

// The range of n elements from p.
template <typename T>
ByteRange RangeOf(const T* p, std::ptrdiff_t n) {
  const auto begin = reinterpret_cast<std::uintptr_t>(p);
  return {begin, begin + static_cast<std::uintptr_t>(n) * sizeof(T)};
}

// RangeOf views that have no element, negative numbers or large ones.
template <typename T>
ByteRange RangeOfUnusual(const MatrixView<T>& view);

// The range of a view, which is valid if its sizes are not negative, its elements are not null and no offset overflows.
// Small products spend their time here, so the ordinary case is inline and short; the words for what is wrong are
// CheckInput's.
template <typename T>
[[gnu::always_inline]] inline ByteRange RangeOf(const MatrixView<T>& view) {
  // None negative, none large: nothing overflows. Until that is known, numbers are unsigned, which wrap.
  const std::size_t last_row = static_cast<std::size_t>(view.rows) - 1;
  const std::size_t last_col = static_cast<std::size_t>(view.cols) - 1;
  const auto row_stride = static_cast<std::size_t>(view.row_stride);
  const auto col_stride = static_cast<std::size_t>(view.col_stride);
  const std::size_t bits = last_row | last_col | row_stride | col_stride;
  if (bits >= std::size_t{1} << 27 || view.data == nullptr) return RangeOfUnusual(view);
  return RangeOf(view.data, static_cast<std::ptrdiff_t>(last_row * row_stride + last_col * col_stride + 1));
}

// Whether a valid view may be written: its columns are contiguous and its rows do not overlap.
template <typename T>
[[gnu::always_inline]] inline bool IsWritable(const MatrixView<T>& view) {
  return (view.col_stride == 1 || view.cols <= 1) &&
         (view.row_stride >= view.cols || view.row_stride <= -view.cols || view.rows <= 1);
}

// The ranges of an operand that is read, and of one that is written; messages name the matrix.
template <typename T>
Result<ByteRange> CheckInput(std::string_view name, const MatrixView<const T>& view);
template <typename T>
Result<ByteRange> CheckOutput(std::string_view name, const MatrixView<T>& view);

}  // namespace lanewise::internal
