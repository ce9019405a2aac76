// SPDX-License-Identifier: Apache-2.0
//
// The GEMM kernel whose lanes run over rows of C, for any target and type: for narrow products (N = 2..16) of an A
// whose columns are contiguous, as in the weight gradient X' dZ of a last layer. Contract and numerics as in
// gemm_columns-inl.h. Beside tiles whose lanes are columns, 10 columns of float take 10 multiply-adds of 16 lanes for
// 16 rows, not 16.

#if defined(LANEWISE_GEMM_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_GEMM_ROWS_INL_H_
#undef LANEWISE_GEMM_ROWS_INL_H_
#else
#define LANEWISE_GEMM_ROWS_INL_H_
#endif

#include <cstddef>
#include <utility>

#include "gemm_columns-inl.h"
#include "hwy/highway.h"
#include "kernel_table.h"
#include "pack-inl.h"
#include "partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The most columns that are computed at once, each with 4 chains.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int kMaxSideBySide = 5;  // 20 + 1 of A + 1 of B of 32 registers
#elif HWY_TARGET == HWY_AVX2
inline constexpr int kMaxSideBySide = 3;  // 12 + 1 + 1 of 16
#else
inline constexpr int kMaxSideBySide = 2;  // 8 + 1 + 1 and a product
#endif

template <bool kFull, class D, typename T>
HWY_INLINE hn::Vec<D> LoadRows(D d, const T* a, std::size_t rows) {
  if constexpr (kFull) return hn::LoadU(d, a);
  return LoadFirst(d, a, rows);
}

// acc += a * b, a step of k.
template <class D, typename T, std::size_t... kColumn>
HWY_INLINE void StepOfRows(D d, hn::Vec<D> a, const T* b, hn::Vec<D>* acc, std::index_sequence<kColumn...>) {
  ((acc[kColumn] = MultiplyAdd(d, a, hn::Set(d, b[kColumn]), acc[kColumn])), ...);
}

// Bias or +0, plus beta * C unless beta = 0, of one column.
template <class D, typename T>
HWY_INLINE hn::Vec<D> StartOfColumn(D d, const TileArgs<T>& t, const T* c, std::size_t rows, std::size_t column) {
  hn::Vec<D> start = t.bias == nullptr ? hn::Zero(d) : hn::Set(d, t.bias[column]);
  if (t.beta != T{0}) {
    HWY_ALIGN T old[HWY_LANES(T)] = {};
    for (std::size_t i = 0; i < rows; ++i) old[i] = c[static_cast<std::ptrdiff_t>(i) * t.c_row_stride];
    start = MultiplyAdd(d, hn::Set(d, t.beta), hn::Load(d, old), start);
  }
  return start;
}
template <class D, typename T, std::size_t... kColumn>
HWY_INLINE void StartOfColumns(D d, const TileArgs<T>& t, const T* c, std::size_t rows, std::size_t column,
                               hn::Vec<D>* acc, std::index_sequence<kColumn...>) {
  ((acc[kColumn] = StartOfColumn(d, t, c + column + kColumn, rows, column + kColumn)), ...);
}

template <bool kFirst, class V, std::size_t... kColumn>
HWY_INLINE void AddChainsOfRows(const V* acc, V* sum, std::index_sequence<kColumn...>) {
  constexpr int kColumns = static_cast<int>(sizeof...(kColumn));
  if constexpr (kFirst) {
    ((sum[kColumn] = SumChains<4, kColumns>(acc + kColumn)), ...);
  } else {
    ((sum[kColumn] = hn::Add(sum[kColumn], SumChains<4, kColumns>(acc + kColumn))), ...);
  }
}
template <class D, typename T, std::size_t... kColumn>
HWY_INLINE void StoreColumnsOfRows(D d, const hn::Vec<D>* sum, T* out, std::index_sequence<kColumn...>) {
  (hn::Store(sum[kColumn], d, out + kColumn * HWY_LANES(T)), ...);
}

// Columns [column, column + kColumns) of `rows` rows, at most a vector of them, over all of K, to out[j * lanes + i].
template <typename T, int kColumns, bool kFull>
void ColumnsOfRows(const TileArgs<T>& t, const T* a, const T* c, std::size_t rows, std::size_t column, T* out) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<hn::ScalableTag<T>>;
  constexpr std::make_index_sequence<kColumns> kAll;
  const T* b = t.b + column;
  V sum[kColumns];
  ZeroAll(hn::Zero(d), sum, kAll);
  bool first = true;
  for (std::ptrdiff_t left = t.k; left > 0;) {  // a chunk each
    std::ptrdiff_t k = HWY_MIN(left, std::ptrdiff_t{kernels::kQ});
    left -= k;
    V acc[4 * kColumns];
    ZeroAll(hn::Zero(d), acc, std::make_index_sequence<4 * kColumns>());
    if (first) StartOfColumns(d, t, c, rows, column, acc, kAll);
    for (; k >= 4; k -= 4) {
      StepOfRows(d, LoadRows<kFull>(d, a, rows), b, acc, kAll);
      StepOfRows(d, LoadRows<kFull>(d, a + t.a_k_stride, rows), b + t.b_k_stride, acc + kColumns, kAll);
      StepOfRows(d, LoadRows<kFull>(d, a + 2 * t.a_k_stride, rows), b + 2 * t.b_k_stride, acc + 2 * kColumns, kAll);
      StepOfRows(d, LoadRows<kFull>(d, a + 3 * t.a_k_stride, rows), b + 3 * t.b_k_stride, acc + 3 * kColumns, kAll);
      a += 4 * t.a_k_stride;
      b += 4 * t.b_k_stride;
    }
    if (k > 0) StepOfRows(d, LoadRows<kFull>(d, a, rows), b, acc, kAll);
    if (k > 1) StepOfRows(d, LoadRows<kFull>(d, a + t.a_k_stride, rows), b + t.b_k_stride, acc + kColumns, kAll);
    if (k > 2) {
      StepOfRows(d, LoadRows<kFull>(d, a + 2 * t.a_k_stride, rows), b + 2 * t.b_k_stride, acc + 2 * kColumns, kAll);
    }
    if (first) {
      AddChainsOfRows<true>(acc, sum, kAll);
    } else {
      AddChainsOfRows<false>(acc, sum, kAll);
    }
    first = false;
  }
  StoreColumnsOfRows(d, sum, out, kAll);
}

template <typename T, bool kFull, std::size_t... kColumn>
HWY_INLINE void SomeColumnsOfRows(const TileArgs<T>& t, const T* a, const T* c, std::size_t rows, std::size_t column,
                                  std::size_t columns, T* out, std::index_sequence<kColumn...>) {
  using Function = void (*)(const TileArgs<T>&, const T*, const T*, std::size_t, std::size_t, T*);
  constexpr Function kByColumns[] = {&ColumnsOfRows<T, kColumn + 1, kFull>...};
  kByColumns[columns - 1](t, a, c, rows, column, out);
}

// c[i * c_row_stride + j] = in[j * lanes + i] for i < rows and j < columns; `in` has a vector for each lane.
template <class D, typename T, std::size_t... kRow, std::size_t... kBlock, std::size_t... kLane>
HWY_INLINE void StoreTransposed(D d, const T* in, std::size_t rows, std::size_t columns, T* c,
                                std::ptrdiff_t c_row_stride, std::index_sequence<kRow...>,
                                std::index_sequence<kBlock...>, std::index_sequence<kLane...>) {
  hn::Vec<D> v[sizeof...(kRow)] = {hn::Load(d, in + kRow * HWY_LANES(T))...};
  (TransposeInBlocks(d, v + kBlock * sizeof...(kLane)), ...);
  (TransposeBlocks<sizeof...(kLane)>(d, v + kLane), ...);
  const auto store = [&](hn::Vec<D> row, std::size_t i) HWY_ATTR {
    if (i < rows) StoreFirst(d, row, c + static_cast<std::ptrdiff_t>(i) * c_row_stride, columns);
  };
  (store(v[kRow], kRow), ...);
}

// GemmTiles::lanes_over_rows of kernel_table.h.
template <typename T>
void LanesOverRows(const TileArgs<T>& t, std::ptrdiff_t m) {
  const hn::ScalableTag<T> d;
  constexpr std::size_t kLanes = HWY_LANES(T);
  constexpr std::make_index_sequence<kLanes> kRows;
  constexpr std::make_index_sequence<kLanes / kBlockLanes<T>> kBlocks;
  constexpr std::make_index_sequence<kBlockLanes<T>> kInBlock;
  constexpr std::make_index_sequence<kMaxSideBySide> kUpToAll;
  const auto n = static_cast<std::size_t>(t.n);
  const std::size_t groups = (n + kMaxSideBySide - 1) / kMaxSideBySide;
  const std::size_t side_by_side = (n + groups - 1) / groups;
  HWY_ALIGN T out[16 * kLanes] = {};  // unused columns are transposed too
  for (std::ptrdiff_t i = 0; i < m; i += static_cast<std::ptrdiff_t>(kLanes)) {
    const std::size_t rows = HWY_MIN(static_cast<std::size_t>(m - i), kLanes);
    T* c = t.c + i * t.c_row_stride;
    for (std::size_t j = 0; j < n; j += side_by_side) {
      const std::size_t columns = HWY_MIN(n - j, side_by_side);
      if (rows == kLanes) {
        SomeColumnsOfRows<T, true>(t, t.a + i, c, rows, j, columns, out + j * kLanes, kUpToAll);
      } else {
        SomeColumnsOfRows<T, false>(t, t.a + i, c, rows, j, columns, out + j * kLanes, kUpToAll);
      }
    }
    for (std::size_t j = 0; j < n; j += kLanes) {
      StoreTransposed(d, out + j * kLanes, rows, HWY_MIN(n - j, kLanes), c + j, t.c_row_stride, kRows, kBlocks,
                      kInBlock);
    }
  }
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_GEMM_ROWS_INL_H_
