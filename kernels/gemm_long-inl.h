// SPDX-License-Identifier: Apache-2.0
//
// The GEMM micro-kernels of few rows and all of K, whose lanes run over columns, for any target and type. Contract and
// numerics as in gemm_columns-inl.h. One panel of few rows has too few accumulators; chunks of K are independent until
// their sums are added, so kStreams of them run side by side, and the additions stay in order.

#if defined(LANEWISE_GEMM_LONG_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_GEMM_LONG_INL_H_
#undef LANEWISE_GEMM_LONG_INL_H_
#else
#define LANEWISE_GEMM_LONG_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include "gemm_columns-inl.h"
#include "gemm_steps-inl.h"
#include "hwy/highway.h"
#include "kernel_table.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using kernels::TileArgs;

// One step of k in each stream, kQ steps apart.
template <int kVecs, int kStreamAccumulators, class D, typename T, std::size_t... kRow, std::size_t... kStream>
HWY_INLINE void StepStreams(D d, const TileArgs<T>& t, const T* a, const T* b, hn::Vec<D>* acc,
                            std::index_sequence<kRow...> rows, std::index_sequence<kStream...>) {
  const PanelsOfStep<false, D> panel(d, t);
  (Step<kVecs, 1>(d,
                  ElementsOfA<T>{a + static_cast<std::ptrdiff_t>(kStream) * kernels::kQ * t.a_k_stride, t.a_row_stride},
                  b + static_cast<std::ptrdiff_t>(kStream) * kernels::kQ * t.b_k_stride, panel,
                  acc + kStream * kStreamAccumulators, rows),
   ...);
}

// Adds the sums of one chunk to s, or makes them s.
template <int kChains, int kCount, class V, std::size_t... kI>
HWY_INLINE void AddChunk(bool first, const V* acc, V* s, std::index_sequence<kI...>) {
  ((s[kI] = first ? SumChains<kChains, kCount>(acc + kI) : hn::Add(s[kI], SumChains<kChains, kCount>(acc + kI))), ...);
}
template <int kChains, int kCount, class V, std::size_t... kStream>
HWY_INLINE void AddChunks(bool first, const V* acc, V* s, std::index_sequence<kStream...>) {
  (AddChunk<kChains, kCount>(first && kStream == 0, acc + kStream * kChains * kCount, s,
                             std::make_index_sequence<kCount>()),
   ...);
}

// Adds the next kStreams whole chunks to s, side by side, and moves `at` behind them.
template <typename T, int kRows, int kVecs, int kStreams, int kChains, class D, class V = hn::Vec<D>>
HWY_INLINE void Chunks(D d, const TileArgs<T>& t, bool first, Position<T>& at, V* s) {
  constexpr int kCount = kRows * kVecs;
  constexpr std::make_index_sequence<kStreams> kAllStreams;
  constexpr std::make_index_sequence<kRows> kAllRows;
  V acc[kStreams * kChains * kCount];
  ZeroAll(hn::Zero(d), acc, std::make_index_sequence<kStreams * kChains * kCount>());
  if (first) StartAll<kVecs>(d, t, acc, std::make_index_sequence<kCount>());
  for (int step = 0; step < kernels::kQ; step += kChains) {
    StepStreams<kVecs, kChains * kCount>(d, t, at.a, at.b, acc, kAllRows, kAllStreams);
    if constexpr (kChains == 4) {
      for (int chain = 1; chain < 4; ++chain) {
        StepStreams<kVecs, kChains * kCount>(d, t, at.a + chain * t.a_k_stride, at.b + chain * t.b_k_stride,
                                             acc + chain * kCount, kAllRows, kAllStreams);
      }
    }
    at.a += kChains * t.a_k_stride;
    at.b += kChains * t.b_k_stride;
  }
  AddChunks<kChains, kCount>(first, acc, s, kAllStreams);
  at.a += (kStreams - 1) * kernels::kQ * t.a_k_stride;
  at.b += (kStreams - 1) * kernels::kQ * t.b_k_stride;
}

// A tile of kRows x (kVecs * lanes) over all of K, up to kStreams chunks side by side.
template <typename T, int kRows, int kVecs, int kStreams, int kChains>
void LongTile(const TileArgs<T>& t) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<hn::ScalableTag<T>>;
  constexpr int kCount = kRows * kVecs;
  constexpr std::ptrdiff_t kQ = kernels::kQ;
  constexpr std::make_index_sequence<kCount> kAllOutputs;

  V s[kCount];
  ZeroAll(hn::Zero(d), s, kAllOutputs);
  Position<T> at{t.a, t.b, nullptr};
  std::ptrdiff_t k = t.k;
  for (; k >= kStreams * kQ; k -= kStreams * kQ) Chunks<T, kRows, kVecs, kStreams, kChains>(d, t, k == t.k, at, s);
  if constexpr (kStreams > 3) {
    if (k >= 3 * kQ) {
      Chunks<T, kRows, kVecs, 3, kChains>(d, t, k == t.k, at, s);
      k -= 3 * kQ;
    }
  }
  if constexpr (kStreams > 2) {
    if (k >= 2 * kQ) {
      Chunks<T, kRows, kVecs, 2, kChains>(d, t, k == t.k, at, s);
      k -= 2 * kQ;
    }
  }
  for (; k > 0; k -= HWY_MIN(k, kQ)) {
    const std::ptrdiff_t chunk = HWY_MIN(k, kQ);
    V acc[kChains * kCount];
    ZeroAll(hn::Zero(d), acc, std::make_index_sequence<kChains * kCount>());
    if (k == t.k) StartAll<kVecs>(d, t, acc, kAllOutputs);
    if constexpr (kChains == 1) {
      Steps<kRows, kVecs, 1, false, false>(d, t, at, chunk, acc);
    } else {
      StepsOfChains<kRows, kVecs, 1, false>(d, t, at, chunk, acc);
    }
    AddChunk<kChains, kCount>(k == t.k, acc, s, kAllOutputs);
    at.a += chunk * t.a_k_stride;
    at.b += chunk * t.b_k_stride;
  }
  FinishAll<kVecs>(d, t, /*first=*/true, s, kAllOutputs);
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_GEMM_LONG_INL_H_
