// SPDX-License-Identifier: Apache-2.0
//
// Carries out plans, for the library's own callers: they have checked the operands, or own them.

#pragma once

#include "lanewise/context.h"
#include "lanewise/gemm.h"
#include "lanewise/matrix_view.h"
#include "lanewise/packed_matrix.h"
#include "lanewise/status.h"

namespace lanewise::internal {

constexpr std::size_t SizeOf(ElementType type) {
  return type == ElementType::kF32 || type == ElementType::kI32 ? 4 : 8;
}

// B in either form: a view, or panels packed beforehand.
template <typename T>
struct RightSide {
  explicit RightSide(const MatrixView<const T>& b)
      : data(b.data), rows(b.rows), cols(b.cols), k_stride(b.row_stride), column_stride(b.col_stride) {}
  explicit RightSide(const PackedMatrix<T>& b)
      : data(b.data()), rows(b.rows()), cols(b.cols()), k_stride(b.nr()), panel_stride(b.panel_stride()), packed(&b) {}

  MatrixView<const T> view() const { return {data, rows, cols, k_stride, column_stride}; }  // if not packed

  const T* data;
  std::ptrdiff_t rows;
  std::ptrdiff_t cols;
  std::ptrdiff_t k_stride;
  std::ptrdiff_t column_stride = 1;
  std::ptrdiff_t panel_stride = 0;          // of a packed one
  const PackedMatrix<T>* packed = nullptr;  // null: a view
};

// C = act(alpha * A * B + beta * C + bias) by the plan. Operands are sound and have at least one row and one column of
// C; the plan is theirs and of the context's kernels; B, if packed, has the plan's layout. kOutOfMemory.
template <typename T>
Status RunGemm(Context& context, const GemmPlan& plan, const MatrixView<const T>& a, const RightSide<T>& b,
               const MatrixView<T>& c, const GemmOptions<T>& options);

}  // namespace lanewise::internal
