// SPDX-License-Identifier: Apache-2.0
//
// The GEMM micro-kernel for N = 1, for any target and type: the lanes run over the 16 chains of an output, whose k are
// neighbours in memory. A is read along k, so its k stride must be 1. Contract and numerics as in gemm_columns-inl.h.

#if defined(LANEWISE_GEMM_ONE_COLUMN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_GEMM_ONE_COLUMN_INL_H_
#undef LANEWISE_GEMM_ONE_COLUMN_INL_H_
#else
#define LANEWISE_GEMM_ONE_COLUMN_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include "gemm_columns-inl.h"
#include "hwy/highway.h"
#include "kernel_table.h"
#include "wrapping.h"
#include "partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// p_t = fma(a_k, b_k, p_t) for 16 consecutive k, of all rows.
template <int kVecs, class D, typename T, std::size_t... kI>
HWY_INLINE void Step16(D d, const T* a, std::ptrdiff_t a_row_stride, const T* b, hn::Vec<D>* acc,
                       std::index_sequence<kI...>) {
  ((acc[kI] = MultiplyAdd(
        d, hn::LoadU(d, a + static_cast<std::ptrdiff_t>(kI / kVecs) * a_row_stride + kI % kVecs * HWY_LANES(T)),
        hn::LoadU(d, b + kI % kVecs * HWY_LANES(T)), acc[kI])),
   ...);
}

// The same for k < 16 last steps; chains that have no step keep their value (fma(0, 0, -0) would be +0).
template <class D, typename T>
HWY_INLINE hn::Vec<D> LastStep16(D d, const T* a, const T* b, std::size_t begin, std::size_t k, hn::Vec<D> p) {
  if (begin >= k) return p;
  const std::size_t n = HWY_MIN(k - begin, HWY_LANES(T));
  const hn::Vec<D> stepped = MultiplyAdd(d, LoadFirst(d, a + begin, n), LoadFirst(d, b + begin, n), p);
  return hn::IfThenElse(hn::FirstN(d, n), stepped, p);
}
template <int kVecs, class D, typename T, std::size_t... kI>
HWY_INLINE void LastSteps16(D d, const T* a, std::ptrdiff_t a_row_stride, const T* b, std::size_t k, hn::Vec<D>* acc,
                            std::index_sequence<kI...>) {
  ((acc[kI] = LastStep16(d, a + static_cast<std::ptrdiff_t>(kI / kVecs) * a_row_stride, b, kI % kVecs * HWY_LANES(T), k,
                         acc[kI])),
   ...);
}

// Puts the start into chain 0 of a row.
template <class D, typename T>
HWY_INLINE hn::Vec<D> StartChain0(D d, const TileArgs<T>& t, std::size_t row) {
  hn::Vec<D> start = t.bias == nullptr ? hn::Zero(d) : hn::Set(d, t.bias[0]);
  if (t.beta != T{0}) {
    const T c = t.c[static_cast<std::ptrdiff_t>(row) * t.c_row_stride];
    start = MultiplyAdd(d, hn::Set(d, t.beta), hn::Set(d, c), start);
  }
  return hn::IfThenElseZero(hn::FirstN(d, 1), start);
}
template <int kVecs, class D, typename T, std::size_t... kRow>
HWY_INLINE void StartRows16(D d, const TileArgs<T>& t, hn::Vec<D>* acc, std::index_sequence<kRow...>) {
  ((acc[kRow * kVecs] = StartChain0(d, t, kRow)), ...);
}

// The sum of a vector's lanes over the tree of neighbours, in every lane: each level adds what lies 1, 2, 4 and 8 lanes
// away, in groups that have their own sum in all lanes by then.
template <class D, typename T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> SumNeighbours(D d, hn::Vec<D> v) {
  (void)d;
#if HWY_TARGET != HWY_SCALAR
  if constexpr (sizeof(T) == 4) {
    v = hn::Add(v, hn::Shuffle2301(v));
    v = hn::Add(v, hn::Shuffle1032(v));
  } else {
    v = hn::Add(v, hn::Shuffle01(v));
  }
#endif
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  v = hn::Add(v, hn::SwapAdjacentBlocks(v));
#endif
#if HWY_TARGET == HWY_AVX3
  v = hn::Add(v, hn::ConcatLowerUpper(d, v, v));
#endif
  return v;
}

// The sum of kVecs vectors over the tree of neighbours.
template <int kVecs, class V>
HWY_INLINE V SumVectors(const V* v) {
  if constexpr (kVecs == 1) {
    return v[0];
  } else {
    return hn::Add(SumVectors<kVecs / 2>(v), SumVectors<kVecs / 2>(v + kVecs / 2));
  }
}

// Adds the 16 chains of a row and stores its output.
template <int kVecs, class D, typename T, std::size_t... kVec>
HWY_INLINE void FinishRow16(D d, const TileArgs<T>& t, bool first, const hn::Vec<D>* p, std::size_t row,
                            std::index_sequence<kVec...>) {
  hn::Vec<D> sum = p[0];
  if (t.k != 0) {  // K = 0 is the start itself, as in SumChunk
    const hn::Vec<D> sums[kVecs] = {SumNeighbours(d, p[kVec])...};
    sum = SumVectors<kVecs>(sums);
  }
  T* c = t.c + static_cast<std::ptrdiff_t>(row) * t.c_row_stride;
  *c = first ? hn::GetLane(sum) : kernels::Plus(*c, hn::GetLane(sum));
}
template <int kVecs, class D, typename T, std::size_t... kRow>
HWY_INLINE void FinishRows16(D d, const TileArgs<T>& t, bool first, const hn::Vec<D>* acc,
                             std::index_sequence<kRow...>) {
  (FinishRow16<kVecs>(d, t, first, acc + kRow * kVecs, kRow, std::make_index_sequence<kVecs>()), ...);
}

// A tile of kRows x 1.
template <typename T, int kRows, int kVecs>
void OneColumnTile(const TileArgs<T>& t) {
  const hn::ScalableTag<T> d;
  constexpr std::make_index_sequence<kRows> kAllRows;
  constexpr std::make_index_sequence<kRows * kVecs> kAll;
  const T* a = t.a;
  const T* b = t.b;
  std::ptrdiff_t k = t.k;
  bool first = t.first;
  do {  // a chunk, as in ColumnTile
    hn::Vec<hn::ScalableTag<T>> acc[kRows * kVecs];
    ZeroAll(hn::Zero(d), acc, kAll);
    if (first) StartRows16<kVecs>(d, t, acc, kAllRows);
    std::ptrdiff_t chunk = HWY_MIN(k, std::ptrdiff_t{kernels::kQ});
    k -= chunk;
    for (; chunk >= 16; chunk -= 16) {
      Step16<kVecs>(d, a, t.a_row_stride, b, acc, kAll);
      a += 16;
      b += 16;
    }
    if (chunk > 0) LastSteps16<kVecs>(d, a, t.a_row_stride, b, static_cast<std::size_t>(chunk), acc, kAll);
    FinishRows16<kVecs>(d, t, first, acc, kAllRows);
    first = false;
  } while (k > 0);
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_GEMM_ONE_COLUMN_INL_H_
