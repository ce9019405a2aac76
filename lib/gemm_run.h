// SPDX-License-Identifier: Apache-2.0
//
// Carries out plans, for the library's own callers: they have checked the operands, or own them.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel_table.h"
#include "lanewise/context.h"
#include "lanewise/gemm.h"
#include "lanewise/matrix_view.h"
#include "lanewise/packed_matrix.h"
#include "lanewise/status.h"

namespace lanewise::internal {

constexpr std::size_t SizeOf(ElementType type) {
  return type == ElementType::kF32 || type == ElementType::kI32 ? 4 : 8;
}

// Chunks of a K of k steps.
constexpr std::ptrdiff_t ChunksOf(std::ptrdiff_t k) { return (k + kernels::kQ - 1) / kernels::kQ; }

inline double MultiplyAdds(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k) {
  return static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

// Threads for which each has as much work as either of two has where the second begins to pay.
inline int ThreadsWithWork(double multiply_adds, double break_even) {
  const double threads = multiply_adds / (break_even / 2);
  return threads < INT32_MAX ? static_cast<int>(threads) : INT32_MAX;
}

// What the plan of alpha * a * b depends on.
template <typename T>
GemmShape ShapeOf(const MatrixView<const T>& a, const MatrixView<const T>& b, T alpha = 1) {
  return {.type = kElementType<T>,
          .m = a.rows,
          .n = b.cols,
          .k = alpha == T{0} ? 0 : a.cols,  // the products contribute nothing and are not formed
          .a_row_stride = a.row_stride,
          .a_k_stride = a.col_stride,
          .b_k_stride = b.row_stride,
          .b_column_stride = b.col_stride,
          .scaled = alpha != T{0} && alpha != T{1}};
}
template <typename T>
GemmShape ShapeOf(const MatrixView<const T>& a, const PackedMatrix<T>& b, T alpha = 1) {
  GemmShape shape = ShapeOf(a, MatrixView<const T>(nullptr, b.rows(), b.cols()), alpha);
  shape.b_packed = true;
  return shape;
}

// Where tiles find B: panel p from step k on at data + p * panel_stride + k * k_stride. A view's panels are its
// columns.
template <typename T>
struct PanelsOfB {
  explicit PanelsOfB(const MatrixView<const T>& b, std::ptrdiff_t nr)
      : data(b.data), k_stride(b.row_stride), panel_stride(nr) {}
  explicit PanelsOfB(const PackedMatrix<T>& b, std::ptrdiff_t nr)
      : data(b.data()), k_stride(nr), panel_stride(b.panel_stride()) {}

  const T* data;
  std::ptrdiff_t k_stride;
  std::ptrdiff_t panel_stride;
};

// C = act(alpha * A * B + beta * C + bias) by the plan; B is a MatrixView<const T> or a PackedMatrix<T>. Operands are
// sound and have at least one row and one column of C; the plan is theirs and of the context's kernels; B, if packed,
// has the plan's layout. kOutOfMemory.
template <typename T, class B>
Status RunGemm(Context& context, const GemmPlan& plan, const MatrixView<const T>& a, const B& b, const MatrixView<T>& c,
               const GemmOptions<T>& options);

// RunGemm by the context's plan for the product, for operands as there, or with no row or no column of C. Further
// error: kLayoutMismatch.
template <typename T, class B>
Status PlanAndRunGemm(Context& context, const MatrixView<const T>& a, const B& b, const MatrixView<T>& c,
                      const GemmOptions<T>& options);

// RunGemm of a plan that is not direct; `packed` is null where B is a view.
template <typename T>
Status RunBlocks(Context& context, const GemmPlan& plan, const MatrixView<const T>& a, const MatrixView<const T>& b,
                 const PackedMatrix<T>* packed, const MatrixView<T>& c, const GemmOptions<T>& options);

template <typename T>
void PrefetchNothing(kernels::TileArgs<T>& tile) {
  tile.next = reinterpret_cast<const char*>(&tile);  // is in L1
  tile.next_step = 0;
}

}  // namespace lanewise::internal
