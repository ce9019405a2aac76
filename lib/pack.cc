// SPDX-License-Identifier: Apache-2.0

#include "pack.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "wrapping.h"

namespace lanewise::internal {

namespace {

// Copies whole cache lines; a call of memcpy for each row of a panel costs more than the copy.
template <typename T>
void CopyLines(const T* in, T* out, std::ptrdiff_t lines) {
  constexpr std::ptrdiff_t kLine = 64 / sizeof(T);
  for (std::ptrdiff_t i = 0; i < lines; ++i) std::memcpy(out + i * kLine, in + i * kLine, 64);
}

// Copies n elements, in steps of 16 bytes of which the last two may overlap.
template <typename T>
void CopyRow(const T* in, T* out, std::ptrdiff_t n) {
  constexpr std::ptrdiff_t kStep = 16 / sizeof(T);
  if (n < kStep) {
    for (std::ptrdiff_t j = 0; j < n; ++j) out[j] = in[j];
    return;
  }
  for (std::ptrdiff_t j = 0; j < n - kStep; j += kStep) std::memcpy(out + j, in + j, 16);
  std::memcpy(out + n - kStep, in + n - kStep, 16);
}

}  // namespace

template <typename T>
void PackPanel(const kernels::GemmTiles<T>& tiles, MatrixView<const T> b, T* panel) {
  const std::ptrdiff_t nr = tiles.nr;
  const std::ptrdiff_t n = b.cols;
  constexpr std::ptrdiff_t kLine = 64 / sizeof(T);
  if (b.col_stride == 1 && tiles.pack_rows != nullptr) {
    tiles.pack_rows(b.data, b.row_stride, b.rows, n, panel);
    return;
  }
  if (b.col_stride == 1 && n == nr && nr % kLine == 0) {
    for (std::ptrdiff_t k = 0; k < b.rows; ++k) CopyLines(b.data + k * b.row_stride, panel + k * nr, nr / kLine);
    return;
  }
  if (b.col_stride == 1) {
    std::fill(panel, panel + b.rows * nr, T{0});
    for (std::ptrdiff_t k = 0; k < b.rows; ++k) CopyRow(b.data + k * b.row_stride, panel + k * nr, n);
    return;
  }
  if (b.row_stride == 1 && tiles.pack_columns != nullptr) {
    tiles.pack_columns(b.data, b.col_stride, b.rows, n, panel);
    return;
  }
  const std::ptrdiff_t padded = (b.rows + tiles.k_group - 1) / tiles.k_group * tiles.k_group;
  for (std::ptrdiff_t k = 0; k < padded; ++k) {
    for (std::ptrdiff_t j = 0; j < nr; ++j) {
      panel[kernels::PanelIndex(nr, tiles.k_group, k, j)] = j >= n ? T{0} : k < b.rows ? b(k, j) : -T{0};
    }
  }
}

template <typename T>
std::ptrdiff_t PanelStride(const kernels::GemmTiles<T>& tiles, std::ptrdiff_t k) {
  const std::ptrdiff_t padded = (k + tiles.k_group - 1) / tiles.k_group * tiles.k_group;
  return static_cast<std::ptrdiff_t>(RoundUpToLine<T>(static_cast<std::size_t>(padded * tiles.nr)));
}

template <typename T>
void PackB(const kernels::GemmTiles<T>& tiles, MatrixView<const T> b, std::ptrdiff_t panel_stride, T* panels) {
  const std::ptrdiff_t nr = tiles.nr;
  for (std::ptrdiff_t j = 0; j < b.cols; j += nr) {
    PackPanel(tiles, b.Columns(j, std::min(nr, b.cols - j)), panels + j / nr * panel_stride);
  }
}

template <typename T>
void PackA(MatrixView<const T> a, T alpha, std::ptrdiff_t row_stride, T* packed) {
  if (alpha == T{1} && a.col_stride == 1) {
    for (std::ptrdiff_t i = 0; i < a.rows; ++i) {
      std::memcpy(packed + i * row_stride, a.data + i * a.row_stride, static_cast<std::size_t>(a.cols) * sizeof(T));
    }
    return;
  }
  // Where columns are contiguous, a cache line of each is read at once.
  constexpr std::ptrdiff_t kLine = kAlignment / sizeof(T);
  for (std::ptrdiff_t begin = 0; begin < a.rows; begin += kLine) {
    const std::ptrdiff_t end = std::min(begin + kLine, a.rows);
    for (std::ptrdiff_t k = 0; k < a.cols; ++k) {
      for (std::ptrdiff_t i = begin; i < end; ++i) packed[i * row_stride + k] = kernels::Times(alpha, a(i, k));
    }
  }
}

#define LANEWISE_INSTANTIATE(T)                                                               \
  template std::ptrdiff_t PanelStride(const kernels::GemmTiles<T>&, std::ptrdiff_t);          \
  template void PackPanel(const kernels::GemmTiles<T>&, MatrixView<const T>, T*);             \
  template void PackB(const kernels::GemmTiles<T>&, MatrixView<const T>, std::ptrdiff_t, T*); \
  template void PackA(MatrixView<const T>, T, std::ptrdiff_t, T*);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
LANEWISE_INSTANTIATE(std::int32_t)
LANEWISE_INSTANTIATE(std::int64_t)
#undef LANEWISE_INSTANTIATE

}  // namespace lanewise::internal
