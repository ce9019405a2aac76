// SPDX-License-Identifier: Apache-2.0
//
// Packing: copies of parts of A and B in the order in which micro-kernels read them. Knows layouts, not kernels.

#pragma once

#include <cstddef>

#include "lanewise/matrix_view.h"

namespace lanewise::internal {

// One panel of B: all rows of `b`, its at most nr columns, to panel[k * nr + j]; columns b lacks become zero.
template <typename T>
void PackPanel(MatrixView<const T> b, std::ptrdiff_t nr, T* panel);

// All panels of B, `panel_stride` elements apart.
template <typename T>
void PackB(MatrixView<const T> b, std::ptrdiff_t nr, std::ptrdiff_t panel_stride, T* panels);

// alpha * a to packed[k * a.rows + i] (k-major: row stride 1, k stride a.rows).
template <typename T>
void PackAByK(MatrixView<const T> a, T alpha, T* packed);

// alpha * a to packed[i * a.cols + k] (row-major: row stride a.cols, k stride 1).
template <typename T>
void PackAByRow(MatrixView<const T> a, T alpha, T* packed);

}  // namespace lanewise::internal
