// SPDX-License-Identifier: Apache-2.0
//
// Packing: copies of parts of A and B in the order in which micro-kernels read them.

#pragma once

#include <cstddef>

#include "aligned.h"
#include "kernel_table.h"
#include "lanewise/matrix_view.h"

namespace lanewise::internal {

// The row stride of packed rows of A of k elements: one cache line more than they need, so that the rows of a tile
// start in different sets of L1.
template <typename T>
constexpr std::ptrdiff_t PackedRowStride(std::ptrdiff_t k) {
  constexpr std::ptrdiff_t kLine = kAlignment / sizeof(T);
  return (k + kLine - 1) / kLine * kLine + kLine;
}

// Elements from one panel of k rows to the next: each starts on a cache line.
template <typename T>
std::ptrdiff_t PanelStride(const kernels::GemmTiles<T>& tiles, std::ptrdiff_t k);

// One panel of B: all rows of `b`, its at most NR columns, as the tiles read them (kernels::PanelIndex, PackFunction).
template <typename T>
void PackPanel(const kernels::GemmTiles<T>& tiles, MatrixView<const T> b, T* panel);

// All panels of B, `panel_stride` elements apart.
template <typename T>
void PackB(const kernels::GemmTiles<T>& tiles, MatrixView<const T> b, std::ptrdiff_t panel_stride, T* panels);

// alpha * a to packed[i * row_stride + k] (row-major: k stride 1).
template <typename T>
void PackA(MatrixView<const T> a, T alpha, std::ptrdiff_t row_stride, T* packed);

}  // namespace lanewise::internal
