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

// B in either form, where it lies. (A copy of the view would cost more than all other checks of a small product: it is
// read in other pieces than it was written in.)
template <typename T>
struct RightSide {
  explicit RightSide(const MatrixView<const T>& b) : view(&b) {}
  explicit RightSide(const PackedMatrix<T>& b) : packed(&b) {}

  std::ptrdiff_t rows() const { return view != nullptr ? view->rows : packed->rows(); }
  std::ptrdiff_t cols() const { return view != nullptr ? view->cols : packed->cols(); }

  // One of them.
  const MatrixView<const T>* view = nullptr;
  const PackedMatrix<T>* packed = nullptr;
};

// C = act(alpha * A * B + beta * C + bias) by the plan. Operands are sound and have at least one row and one column of
// C; the plan is theirs and of the context's kernels; B, if packed, has the plan's layout. kOutOfMemory.
template <typename T>
Status RunGemm(Context& context, const GemmPlan& plan, const MatrixView<const T>& a, const RightSide<T>& b,
               const MatrixView<T>& c, const GemmOptions<T>& options);

}  // namespace lanewise::internal
