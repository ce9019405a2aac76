// SPDX-License-Identifier: Apache-2.0

#include "view_check.h"

#include <algorithm>

#include "fmt/format.h"

namespace lanewise::internal {

bool IsValidWide(std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t row_stride, std::ptrdiff_t col_stride,
                 std::size_t element_size, std::ptrdiff_t* low, std::ptrdiff_t* high) {
  const __int128 down = static_cast<__int128>(rows - 1) * row_stride;
  const __int128 across = static_cast<__int128>(cols - 1) * col_stride;
  const __int128 least = std::min<__int128>(down, 0) + std::min<__int128>(across, 0);
  const __int128 most = std::max<__int128>(down, 0) + std::max<__int128>(across, 0);
  // 256: padding to whole panels and cache lines must not overflow either.
  const __int128 limit = PTRDIFF_MAX / static_cast<__int128>(256 * element_size);
  if (most - least >= limit || static_cast<__int128>(rows) * cols >= limit) return false;
  *low = static_cast<std::ptrdiff_t>(least);
  *high = static_cast<std::ptrdiff_t>(most);
  return true;
}

template <typename T>
Result<ByteRange> CheckInput(std::string_view name, MatrixView<const T> view) {
  ByteRange range;
  if (IsValid(view, &range)) return range;
  if (view.rows < 0 || view.cols < 0) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{}: is {} x {}; sizes must not be negative", name, view.rows, view.cols));
  }
  if (view.data == nullptr) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{}: is {} x {} but its data pointer is null", name, view.rows, view.cols));
  }
  return Status(StatusCode::kInvalidArgument,
                fmt::format("{}: {} x {} with strides {} and {} does not fit in the address space", name, view.rows,
                            view.cols, view.row_stride, view.col_stride));
}

template <typename T>
Result<ByteRange> CheckOutput(std::string_view name, MatrixView<T> view) {
  ByteRange valid;
  if (IsValidOutput(view, &valid)) return valid;
  Result<ByteRange> range = CheckInput<T>(name, view);
  if (!range.ok()) return range;
  if (view.cols > 1 && view.col_stride != 1) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{}: column stride is {}; a matrix that is written needs contiguous columns (stride 1); "
                              "swap the operands and transpose all three to write a transposed one",
                              name, view.col_stride));
  }
  return Status(StatusCode::kInvalidArgument,
                fmt::format("{}: row stride {} is less than the {} columns; rows that are written must not overlap",
                            name, view.row_stride, view.cols));
}

#define LANEWISE_INSTANTIATE(T)                                                 \
  template Result<ByteRange> CheckInput(std::string_view, MatrixView<const T>); \
  template Result<ByteRange> CheckOutput(std::string_view, MatrixView<T>);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
LANEWISE_INSTANTIATE(std::int32_t)
LANEWISE_INSTANTIATE(std::int64_t)
#undef LANEWISE_INSTANTIATE

}  // namespace lanewise::internal
