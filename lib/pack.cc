// SPDX-License-Identifier: Apache-2.0

#include "pack.h"

#include <algorithm>
#include <cstring>

namespace lanewise::internal {

namespace {

// Copies whole cache lines; a call of memcpy for each row of a panel costs more than the copy.
template <typename T>
void CopyLines(const T* in, T* out, std::ptrdiff_t lines) {
  constexpr std::ptrdiff_t kLine = 64 / sizeof(T);
  for (std::ptrdiff_t i = 0; i < lines; ++i) std::memcpy(out + i * kLine, in + i * kLine, 64);
}

}  // namespace

template <typename T>
void PackPanel(MatrixView<const T> b, std::ptrdiff_t nr, T* panel) {
  const std::ptrdiff_t n = b.cols;
  constexpr std::ptrdiff_t kLine = 64 / sizeof(T);
  if (b.col_stride == 1 && n == nr && nr % kLine == 0) {
    for (std::ptrdiff_t k = 0; k < b.rows; ++k) CopyLines(b.data + k * b.row_stride, panel + k * nr, nr / kLine);
    return;
  }
  if (b.col_stride == 1) {
    for (std::ptrdiff_t k = 0; k < b.rows; ++k) {
      T* out = panel + k * nr;
      std::memcpy(out, b.data + k * b.row_stride, static_cast<std::size_t>(n) * sizeof(T));
      std::fill(out + n, out + nr, T{0});
    }
    return;
  }
  // A transposed B is contiguous along k: runs of 16 rows of the panel take whole cache lines of each column and stay
  // in L1 while they are filled.
  constexpr std::ptrdiff_t kRun = 16;
  for (std::ptrdiff_t k0 = 0; k0 < b.rows; k0 += kRun) {
    const std::ptrdiff_t k1 = std::min(k0 + kRun, b.rows);
    for (std::ptrdiff_t j = 0; j < n; ++j) {
      for (std::ptrdiff_t k = k0; k < k1; ++k) panel[k * nr + j] = b(k, j);
    }
    for (std::ptrdiff_t k = k0; k < k1; ++k) std::fill(panel + k * nr + n, panel + (k + 1) * nr, T{0});
  }
}

template <typename T>
void PackB(MatrixView<const T> b, std::ptrdiff_t nr, std::ptrdiff_t panel_stride, T* panels) {
  for (std::ptrdiff_t j = 0; j < b.cols; j += nr) {
    PackPanel(b.Columns(j, std::min(nr, b.cols - j)), nr, panels + j / nr * panel_stride);
  }
}

template <typename T>
void PackA(MatrixView<const T> a, T alpha, std::ptrdiff_t row_stride, T* packed) {
  for (std::ptrdiff_t i = 0; i < a.rows; ++i) {
    if (alpha == T{1} && a.col_stride == 1) {
      std::memcpy(packed + i * row_stride, a.data + i * a.row_stride, static_cast<std::size_t>(a.cols) * sizeof(T));
      continue;
    }
    for (std::ptrdiff_t k = 0; k < a.cols; ++k) packed[i * row_stride + k] = alpha * a(i, k);
  }
}

#define LANEWISE_INSTANTIATE(T)                                                 \
  template void PackPanel(MatrixView<const T>, std::ptrdiff_t, T*);             \
  template void PackB(MatrixView<const T>, std::ptrdiff_t, std::ptrdiff_t, T*); \
  template void PackA(MatrixView<const T>, T, std::ptrdiff_t, T*);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
#undef LANEWISE_INSTANTIATE

}  // namespace lanewise::internal
