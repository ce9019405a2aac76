// SPDX-License-Identifier: Apache-2.0

#include "view_check.h"

#include <algorithm>

#include "format.h"

namespace lanewise::internal {

namespace {

constexpr ByteRange kInvalid{1, 0};

}  // namespace

template <typename T>
ByteRange RangeOfUnusual(const MatrixView<T>& view) {
  if (view.rows < 0 || view.cols < 0) return kInvalid;
  if (view.rows == 0 || view.cols == 0) return {};
  const __int128 down = static_cast<__int128>(view.rows - 1) * view.row_stride;
  const __int128 across = static_cast<__int128>(view.cols - 1) * view.col_stride;
  const __int128 low = std::min<__int128>(down, 0) + std::min<__int128>(across, 0);
  const __int128 high = std::max<__int128>(down, 0) + std::max<__int128>(across, 0);
  // 256: padding to whole panels and cache lines must not overflow either.
  constexpr auto kSize = static_cast<__int128>(sizeof(T));
  constexpr __int128 kLimit = PTRDIFF_MAX / (256 * kSize);
  if (high - low >= kLimit || static_cast<__int128>(view.rows) * view.cols >= kLimit) return kInvalid;
  if (view.data == nullptr) return kInvalid;
  const auto base = reinterpret_cast<std::uintptr_t>(view.data);
  return {base + static_cast<std::uintptr_t>(low * kSize), base + static_cast<std::uintptr_t>((high + 1) * kSize)};
}

template <typename T>
Result<ByteRange> CheckInput(std::string_view name, const MatrixView<const T>& view) {
  const ByteRange range = RangeOf(view);
  if (range.IsValid()) return range;
  if (view.rows < 0 || view.cols < 0) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{}: is {} x {}; sizes must not be negative", name, view.rows, view.cols));
  }
  if (view.data == nullptr) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{}: is {} x {} but its data pointer is null", name, view.rows, view.cols));
  }
  return Status(StatusCode::kInvalidArgument,
                Format("{}: {} x {} with strides {} and {} does not fit in the address space", name, view.rows,
                       view.cols, view.row_stride, view.col_stride));
}

template <typename T>
Result<ByteRange> CheckOutput(std::string_view name, const MatrixView<T>& view) {
  Result<ByteRange> range = CheckInput<T>(name, view);
  if (!range.ok() || IsWritable(view)) return range;
  if (view.cols > 1 && view.col_stride != 1) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{}: column stride is {}; a matrix that is written needs contiguous columns (stride 1); "
                         "swap the operands and transpose all three to write a transposed one",
                         name, view.col_stride));
  }
  return Status(StatusCode::kInvalidArgument,
                Format("{}: row stride {} is less than the {} columns; rows that are written must not overlap", name,
                       view.row_stride, view.cols));
}

#define LANEWISE_INSTANTIATE(T)                                                        \
  template ByteRange RangeOfUnusual(const MatrixView<T>&);                             \
  template ByteRange RangeOfUnusual(const MatrixView<const T>&);                       \
  template Result<ByteRange> CheckInput(std::string_view, const MatrixView<const T>&); \
  template Result<ByteRange> CheckOutput(std::string_view, const MatrixView<T>&);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
LANEWISE_INSTANTIATE(std::int32_t)
LANEWISE_INSTANTIATE(std::int64_t)
#undef LANEWISE_INSTANTIATE

}  // namespace lanewise::internal
