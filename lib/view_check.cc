// SPDX-License-Identifier: Apache-2.0

#include "view_check.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "fmt/format.h"

namespace lanewise::internal {

template <typename T>
Result<ByteRange> CheckInput(std::string_view name, MatrixView<const T> view) {
  if (view.rows < 0 || view.cols < 0) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{}: is {} x {}; sizes must not be negative", name, view.rows, view.cols));
  }
  if (view.rows == 0 || view.cols == 0) return ByteRange{};
  if (view.data == nullptr) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{}: is {} x {} but its data pointer is null", name, view.rows, view.cols));
  }
  // Products of two 64-bit numbers fit in 128 bits.
  const __int128 down = static_cast<__int128>(view.rows - 1) * view.row_stride;
  const __int128 across = static_cast<__int128>(view.cols - 1) * view.col_stride;
  const __int128 low = std::min<__int128>(down, 0) + std::min<__int128>(across, 0);
  const __int128 high = std::max<__int128>(down, 0) + std::max<__int128>(across, 0);
  // 256: padding to whole panels and cache lines must not overflow either.
  const __int128 limit = std::numeric_limits<std::ptrdiff_t>::max() / static_cast<__int128>(256 * sizeof(T));
  if (high - low >= limit || static_cast<__int128>(view.rows) * view.cols >= limit) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{}: {} x {} with strides {} and {} does not fit in the address space", name, view.rows,
                              view.cols, view.row_stride, view.col_stride));
  }
  const auto base = reinterpret_cast<std::uintptr_t>(view.data);
  constexpr auto kSize = static_cast<std::ptrdiff_t>(sizeof(T));
  return ByteRange{base + static_cast<std::uintptr_t>(static_cast<std::ptrdiff_t>(low) * kSize),
                   base + static_cast<std::uintptr_t>((static_cast<std::ptrdiff_t>(high) + 1) * kSize)};
}

template <typename T>
Result<ByteRange> CheckOutput(std::string_view name, MatrixView<T> view) {
  Result<ByteRange> range = CheckInput<T>(name, view);
  if (!range.ok()) return range;
  if (view.cols > 1 && view.col_stride != 1) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{}: column stride is {}; a matrix that is written needs contiguous columns (stride 1); "
                              "swap the operands and transpose all three to write a transposed one",
                              name, view.col_stride));
  }
  if (view.rows > 1 && std::abs(view.row_stride) < view.cols) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{}: row stride {} is less than the {} columns; rows that are written must not overlap",
                              name, view.row_stride, view.cols));
  }
  return range;
}

template Result<ByteRange> CheckInput(std::string_view, MatrixView<const float>);
template Result<ByteRange> CheckInput(std::string_view, MatrixView<const double>);
template Result<ByteRange> CheckOutput(std::string_view, MatrixView<float>);
template Result<ByteRange> CheckOutput(std::string_view, MatrixView<double>);

}  // namespace lanewise::internal
