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

// Whether sizes are not negative, elements are not null and no offset overflows; then `range` is set. Small calls spend
// their time here, so the check is inline and the words are elsewhere.
template <typename T>
inline bool IsValid(const MatrixView<T>& view, ByteRange* range) {
  *range = {};
  if (view.rows <= 0 || view.cols <= 0) return view.rows >= 0 && view.cols >= 0;
  // Products of two 64-bit numbers fit in 128 bits.
  const __int128 down = static_cast<__int128>(view.rows - 1) * view.row_stride;
  const __int128 across = static_cast<__int128>(view.cols - 1) * view.col_stride;
  const __int128 low = (down < 0 ? down : 0) + (across < 0 ? across : 0);
  const __int128 high = (down < 0 ? 0 : down) + (across < 0 ? 0 : across);
  // 256: padding to whole panels and cache lines must not overflow either.
  constexpr __int128 kLimit = PTRDIFF_MAX / static_cast<std::ptrdiff_t>(256 * sizeof(T));
  if (high - low >= kLimit || static_cast<__int128>(view.rows) * view.cols >= kLimit || view.data == nullptr)
    return false;
  const auto base = reinterpret_cast<std::uintptr_t>(view.data);
  constexpr auto kSize = static_cast<std::ptrdiff_t>(sizeof(T));
  *range = {base + static_cast<std::uintptr_t>(static_cast<std::ptrdiff_t>(low) * kSize),
            base + static_cast<std::uintptr_t>((static_cast<std::ptrdiff_t>(high) + 1) * kSize)};
  return true;
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
