// SPDX-License-Identifier: Apache-2.0
//
// The GEMM micro-kernels for N = 2..16 whose lanes run over columns and FMA chains, for any target and type: narrow
// products leave lanes of columns idle, but each output has 4 chains, whose k are neighbours in memory. A is read along
// k, so its k stride must be 1. Contract and numerics as in gemm_columns-inl.h.
//
// Panels are interleaved: the 4 elements of k = 4g .. 4g + 3 of a column lie side by side, then those of the next
// column. One multiply-add takes a step of all 4 chains of a unit of columns: as many as fill a vector, or one column
// in several vectors where these are shorter than 4 lanes. Beside a tile whose lanes are columns, 10 columns of float
// take 3 multiply-adds of 16 lanes and one load of A for 4 k, not 4 and 4.

#if defined(LANEWISE_GEMM_CHAINS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_GEMM_CHAINS_INL_H_
#undef LANEWISE_GEMM_CHAINS_INL_H_
#else
#define LANEWISE_GEMM_CHAINS_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include "gemm_columns-inl.h"
#include "hwy/highway.h"
#include "kernel_table.h"
#include "partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Of columns.
template <typename T>
struct Unit {
  static constexpr int kLanes = static_cast<int>(HWY_LANES(T));
  static constexpr int kColumns = HWY_MAX(kLanes / 4, 1);
  static constexpr int kVecs = HWY_MAX(4 / kLanes, 1);
};

// The 4 elements at p, once per column of a unit.
template <class D, typename T, std::size_t... kVec>
HWY_INLINE void LoadGroup(D d, const T* p, hn::Vec<D>* a, std::index_sequence<kVec...>) {
  constexpr std::size_t kLanes = HWY_LANES(T);
  if constexpr (kLanes <= 4) {
    ((a[kVec] = hn::LoadU(d, p + kVec * kLanes)), ...);
  } else if constexpr (sizeof(T) == 4) {
    a[0] = hn::LoadDup128(d, p);
#if HWY_TARGET == HWY_AVX3
  } else {
    a[0] = hn::Vec<D>{_mm512_broadcast_f64x4(_mm256_loadu_pd(p))};  // Highway has only LoadDup128
#endif
  }
}

// The same of the first n < 4 elements, with zeros for the others, which are not read.
template <class D, typename T, std::size_t... kVec>
HWY_INLINE void LoadGroupFirst(D d, const T* p, std::size_t n, hn::Vec<D>* a, std::index_sequence<kVec...>) {
  constexpr std::size_t kLanes = HWY_LANES(T);
  if constexpr (kLanes <= 4) {
    ((a[kVec] = kVec * kLanes < n ? LoadFirst(d, p + kVec * kLanes, HWY_MIN(n - kVec * kLanes, kLanes)) : hn::Zero(d)),
     ...);
  } else {
    using TI = hwy::MakeSigned<T>;
    alignas(64) static constexpr TI kIndices[16] = {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3};
    a[0] = hn::TableLookupLanes(LoadFirst(d, p, n), hn::SetTableIndices(d, kIndices));
  }
}

// The A of 4 steps of k of a row, or of all rows; `kWhole` says that all steps are there.
template <bool kWhole, class D, typename T>
HWY_INLINE void LoadGroupOfRow(D d, const T* a, std::size_t steps, hn::Vec<D>* a_vecs) {
  constexpr std::make_index_sequence<Unit<T>::kVecs> kAllOfUnit;
  if constexpr (kWhole) {
    LoadGroup(d, a, a_vecs, kAllOfUnit);
  } else {
    LoadGroupFirst(d, a, steps, a_vecs, kAllOfUnit);
  }
}
template <bool kWhole, class D, typename T, std::size_t... kRow>
HWY_INLINE void LoadGroups(D d, const T* a, std::ptrdiff_t a_row_stride, std::size_t steps, hn::Vec<D>* a_vecs,
                           std::index_sequence<kRow...>) {
  (LoadGroupOfRow<kWhole>(d, a + static_cast<std::ptrdiff_t>(kRow) * a_row_stride, steps,
                          a_vecs + kRow * Unit<T>::kVecs),
   ...);
}

// Vector `vec` of a row of kPanels panels of kVecs vectors.
template <int kVecs, class D, typename T>
HWY_INLINE hn::Vec<D> LoadOfPanels(D d, const T* b, std::ptrdiff_t panel_stride, std::size_t vec) {
  return hn::Load(d, b + static_cast<std::ptrdiff_t>(vec / kVecs) * panel_stride + vec % kVecs * HWY_LANES(T));
}

// Whether so many accumulators leave registers to spare, by which a loop can be made shorter: for a vector of B and one
// that is loaded ahead. On NEON GCC 12 would keep sums in memory, on SSE4, where products need a register, clang 19.
constexpr bool LeaveRegisters([[maybe_unused]] int accumulators) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return accumulators + 2 <= TileShape::kAccumulators4;
#else
  return false;
#endif
}

// acc += a * b, for one row or for one vector of B.
template <int kUnitVecs, class D, std::size_t... kVec>
HWY_INLINE void MultiplyAddRow(D d, const hn::Vec<D>* a, const hn::Vec<D>* b, hn::Vec<D>* acc,
                               std::index_sequence<kVec...>) {
  ((acc[kVec] = MultiplyAdd(d, a[kVec % kUnitVecs], b[kVec], acc[kVec])), ...);
}
template <int kUnitVecs, int kVecs, class D, std::size_t... kRow>
HWY_INLINE void MultiplyAddColumn(D d, const hn::Vec<D>* a, hn::Vec<D> b, hn::Vec<D>* acc,
                                  std::index_sequence<kRow...>) {
  ((acc[kRow * kVecs] = MultiplyAdd(d, a[kRow * kUnitVecs], b, acc[kRow * kVecs])), ...);
  constexpr int kRows = static_cast<int>(sizeof...(kRow));
  if constexpr (kRows > 1 && LeaveRegisters(kRows * kVecs)) KeepAlive(b);  // else GCC 12 loads it for each row
}

template <bool kWhole, int kRowVecs, class D, typename T>
HWY_INLINE void StepRow(D d, const T* a, std::size_t steps, const hn::Vec<D>* b, hn::Vec<D>* acc) {
  hn::Vec<D> a_vecs[Unit<T>::kVecs];
  LoadGroupOfRow<kWhole>(d, a, steps, a_vecs);
  MultiplyAddRow<Unit<T>::kVecs>(d, a_vecs, b, acc, std::make_index_sequence<kRowVecs>());
}

// acc += 4 steps of k (or, of the last ones, `steps`), over kPanels panels of kVecs vectors. What there is less of,
// rows or vectors of a row, is kept in registers, the other passes by. (No lambda that sees the accumulators: GCC 12
// would keep them in memory.)
template <typename T, bool kWhole, int kVecs, class D, std::size_t... kRow, std::size_t... kVec>
HWY_INLINE void StepGroup(D d, const TileArgs<T>& t, const T* a, const T* b, std::size_t steps, hn::Vec<D>* acc,
                          std::index_sequence<kRow...> rows, std::index_sequence<kVec...>) {
  constexpr int kUnitVecs = Unit<T>::kVecs;
  constexpr int kRowVecs = static_cast<int>(sizeof...(kVec));
  if constexpr (kRowVecs <= static_cast<int>(sizeof...(kRow)) * kUnitVecs) {
    const hn::Vec<D> b_vecs[kRowVecs] = {LoadOfPanels<kVecs>(d, b, t.b_panel_stride, kVec)...};
    (StepRow<kWhole, kRowVecs>(d, a + static_cast<std::ptrdiff_t>(kRow) * t.a_row_stride, steps, b_vecs,
                               acc + kRow * kRowVecs),
     ...);
  } else {
    hn::Vec<D> a_vecs[sizeof...(kRow) * kUnitVecs];
    LoadGroups<kWhole>(d, a, t.a_row_stride, steps, a_vecs, rows);
    (MultiplyAddColumn<kUnitVecs, kRowVecs>(d, a_vecs + kVec % kUnitVecs,
                                            LoadOfPanels<kVecs>(d, b, t.b_panel_stride, kVec), acc + kVec, rows),
     ...);
  }
}

// Elements of 4 steps of a panel.
template <typename T, int kVecs>
inline constexpr std::ptrdiff_t kGroup = static_cast<std::ptrdiff_t>(kVecs* HWY_LANES(T));

// The same in each stream, whole chunks of K apart.
template <typename T, int kVecs, int kPanels, int kStreamVecs, class D, std::size_t... kRow, std::size_t... kStream>
HWY_INLINE void StepGroups(D d, const TileArgs<T>& t, const T* a, const T* b, hn::Vec<D>* acc,
                           std::index_sequence<kRow...> rows, std::index_sequence<kStream...>) {
  (StepGroup<T, true, kVecs>(d, t, a + kStream * kernels::kQ,
                             b + static_cast<std::ptrdiff_t>(kStream) * (kernels::kQ / 4) * kGroup<T, kVecs>, 4,
                             acc + kStream * kStreamVecs, rows, std::make_index_sequence<kVecs * kPanels>()),
   ...);
}

// The elements of row[i / 4] that belong to vector i of a row's accumulators, each in the lane of its column's chain 0,
// and zeros in the lanes of the other chains. kQuarter: i % 4.
template <int kQuarter, class D, class V = hn::Vec<D>, typename T = hn::TFromD<D>>
HWY_INLINE V Spread(D d, V row) {
  constexpr int kLanes = static_cast<int>(HWY_LANES(T));
  if constexpr (kQuarter * kLanes % 4 != 0) {
    return hn::Zero(d);  // vectors shorter than 4 chains, without chain 0
  } else if constexpr (kLanes == 1) {
    return row;
  } else {
    using TI = hwy::MakeSigned<T>;
    struct Lanes {
      TI source[kLanes];
      TI is_chain_0[kLanes];
    };
    static constexpr Lanes kTable = [] {
      Lanes lanes = {};
      for (int i = 0; i < kLanes; ++i) {
        lanes.source[i] = (kQuarter * kLanes + i) / 4;
        lanes.is_chain_0[i] = i % 4 == 0 ? -1 : 0;
      }
      return lanes;
    }();
    const hn::RebindToSigned<D> di;
    return hn::And(hn::TableLookupLanes(row, hn::SetTableIndices(d, kTable.source)),
                   hn::BitCast(d, hn::LoadU(di, kTable.is_chain_0)));
  }
}
template <class D, class V = hn::Vec<D>, std::size_t... kI>
HWY_INLINE void SpreadRow(D d, const V* row, V* acc, std::index_sequence<kI...>) {
  ((acc[kI] = Spread<kI % 4>(d, row[kI / 4])), ...);
}

// Vectors of a row's outputs, which have 4 lanes each in the accumulators.
constexpr int OutputVecs(int vecs) { return (vecs + 3) / 4; }

template <typename T, class D, std::size_t... kVec>
HWY_INLINE void LoadRow(D d, const T* c, std::size_t n, hn::Vec<D>* row, std::index_sequence<kVec...>) {
  ((row[kVec] = LoadColumns<false>(d, c, kVec, n)), ...);
}
template <typename T, class D, std::size_t... kVec>
HWY_INLINE void StoreRow(D d, const hn::Vec<D>* row, T* c, std::size_t n, std::index_sequence<kVec...>) {
  (StoreColumns<false>(d, row[kVec], c, kVec, n), ...);
}

// Bias or +0, plus beta * C unless beta = 0, of the columns of a row.
template <bool kBeta, typename T, class D, class V = hn::Vec<D>, std::size_t... kVec>
HWY_INLINE void RowStart(D d, const TileArgs<T>& t, const T* c, V* row, std::index_sequence<kVec...> all) {
  const auto n = static_cast<std::size_t>(t.n);
  if (t.bias == nullptr) {
    ZeroAll(hn::Zero(d), row, all);
  } else {
    LoadRow(d, t.bias, n, row, all);
  }
  if constexpr (kBeta) {
    const V beta = hn::Set(d, t.beta);
    ((row[kVec] = MultiplyAdd(d, beta, LoadColumns<false>(d, c, kVec, n), row[kVec])), ...);
  }
}

// acc[kI] = acc[kI % kVecs]: the first row's for all rows.
template <int kVecs, class V, std::size_t... kI>
HWY_INLINE void RepeatRow(V* acc, std::index_sequence<kI...>) {
  ((acc[kI] = acc[kI % kVecs]), ...);
}

// What the accumulators, which are zero, start from.
template <bool kBeta, int kVecs, typename T, class D>
HWY_INLINE void StartInterleavedRow(D d, const TileArgs<T>& t, const T* c, hn::Vec<D>* acc) {
  hn::Vec<D> row[OutputVecs(kVecs)];
  RowStart<kBeta>(d, t, c, row, std::make_index_sequence<OutputVecs(kVecs)>());
  SpreadRow(d, row, acc, std::make_index_sequence<kVecs>());
}
template <int kVecs, typename T, class D, std::size_t... kRow>
HWY_INLINE void StartInterleaved(D d, const TileArgs<T>& t, hn::Vec<D>* acc, std::index_sequence<kRow...>) {
  if (t.beta != T{0}) {
    (StartInterleavedRow<true, kVecs>(d, t, t.c + static_cast<std::ptrdiff_t>(kRow) * t.c_row_stride,
                                      acc + kRow * kVecs),
     ...);
  } else if (t.bias != nullptr) {
    StartInterleavedRow<false, kVecs>(d, t, t.c, acc);
    RepeatRow<kVecs>(acc, std::make_index_sequence<kVecs * sizeof...(kRow)>());
  }
}

// Sums of the neighbouring lanes of a, then of b.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V SumPairs([[maybe_unused]] D d, V a, V b) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Add(a, b);
#else
  return hn::Add(hn::ConcatEven(d, b, a), hn::ConcatOdd(d, b, a));
#endif
}
template <int kVecs, class D, class V = hn::Vec<D>, std::size_t... kI>
HWY_INLINE void SumAllPairs(D d, const V* in, V* out, std::index_sequence<kI...>) {
  ((out[kI] = SumPairs(d, in[2 * kI], in[HWY_MIN(2 * kI + 1, kVecs - 1)])), ...);
}

// Stores the sums of the chains of a row, or adds them to C.
template <bool kFirst, int kVecs, typename T, class D, std::size_t... kOut>
HWY_INLINE void FinishInterleavedRow(D d, const TileArgs<T>& t, const hn::Vec<D>* acc, T* c,
                                     std::index_sequence<kOut...> outputs) {
  constexpr int kPairs = (kVecs + 1) / 2;
  const auto n = static_cast<std::size_t>(t.n);
  hn::Vec<D> pairs[kPairs];
  hn::Vec<D> sums[sizeof...(kOut)];
  SumAllPairs<kVecs>(d, acc, pairs, std::make_index_sequence<kPairs>());
  SumAllPairs<kPairs>(d, pairs, sums, outputs);
  if constexpr (!kFirst) ((sums[kOut] = hn::Add(LoadColumns<false>(d, c, kOut, n), sums[kOut])), ...);
  StoreRow(d, sums, c, n, outputs);
}
template <bool kFirst, int kVecs, typename T, class D, std::size_t... kRow>
HWY_INLINE void FinishInterleavedRows(D d, const TileArgs<T>& t, const hn::Vec<D>* acc, std::index_sequence<kRow...>) {
  (FinishInterleavedRow<kFirst, kVecs>(d, t, acc + kRow * kVecs,
                                       t.c + static_cast<std::ptrdiff_t>(kRow) * t.c_row_stride,
                                       std::make_index_sequence<OutputVecs(kVecs)>()),
   ...);
}
template <int kVecs, typename T, class D, class Rows>
HWY_INLINE void FinishInterleaved(D d, const TileArgs<T>& t, bool first, const hn::Vec<D>* acc, Rows rows) {
  if (first) {
    FinishInterleavedRows<true, kVecs>(d, t, acc, rows);
  } else {
    FinishInterleavedRows<false, kVecs>(d, t, acc, rows);
  }
}

template <int kVecs, int kStreamVecs, typename T, class D, std::size_t... kStream, class Rows>
HWY_INLINE void FinishStreams(D d, const TileArgs<T>& t, bool first, const hn::Vec<D>* acc,
                              std::index_sequence<kStream...>, Rows rows) {
  (FinishInterleaved<kVecs>(d, t, first && kStream == 0, acc + kStream * kStreamVecs, rows), ...);
}

// kStreams whole chunks of K, side by side, or one chunk of `chunk` steps; moves `at` behind them.
template <typename T, int kRows, int kVecs, int kPanels, int kStreams>
HWY_INLINE void InterleavedChunks(const TileArgs<T>& t, std::ptrdiff_t chunk, bool first, Position<T>& at) {
  const hn::ScalableTag<T> d;
  constexpr int kRowVecs = kVecs * kPanels;
  constexpr int kStreamVecs = kRows * kRowVecs;
  constexpr std::make_index_sequence<kRows> kAllRows;
  constexpr std::make_index_sequence<kStreams> kAllStreams;
  hn::Vec<hn::ScalableTag<T>> acc[kStreams * kStreamVecs];
  ZeroAll(hn::Zero(d), acc, std::make_index_sequence<kStreams * kStreamVecs>());
  if (first) StartInterleaved<kRowVecs>(d, t, acc, kAllRows);
  std::ptrdiff_t steps = chunk;
  if constexpr (LeaveRegisters(kStreams * kStreamVecs)) {
    for (; steps >= 8; steps -= 8) {
      StepGroups<T, kVecs, kPanels, kStreamVecs>(d, t, at.a, at.b, acc, kAllRows, kAllStreams);
      StepGroups<T, kVecs, kPanels, kStreamVecs>(d, t, at.a + 4, at.b + kGroup<T, kVecs>, acc, kAllRows, kAllStreams);
      at.a += 8;
      at.b += 2 * kGroup<T, kVecs>;
    }
  }
  for (; steps >= 4; steps -= 4) {
    StepGroups<T, kVecs, kPanels, kStreamVecs>(d, t, at.a, at.b, acc, kAllRows, kAllStreams);
    at.a += 4;
    at.b += kGroup<T, kVecs>;
  }
  if (kStreams == 1 && steps > 0) {  // the last of K
    StepGroup<T, false, kVecs>(d, t, at.a, at.b, static_cast<std::size_t>(steps), acc, kAllRows,
                               std::make_index_sequence<kRowVecs>());
  }
  FinishStreams<kRowVecs, kStreamVecs>(d, t, first, acc, kAllStreams, kAllRows);
  at.a += (kStreams - 1) * kernels::kQ;
  at.b += (kStreams - 1) * (kernels::kQ / 4) * kGroup<T, kVecs>;
}

// Chunks of K, kStreams of them side by side while there are as many, then half as many.
template <typename T, int kRows, int kVecs, int kPanels, int kStreams>
HWY_INLINE void AllInterleavedChunks(const TileArgs<T>& t, std::ptrdiff_t k, bool first, Position<T>& at) {
  if constexpr (kStreams == 1) {
    while (k > 0) {
      const std::ptrdiff_t chunk = HWY_MIN(k, std::ptrdiff_t{kernels::kQ});
      InterleavedChunks<T, kRows, kVecs, kPanels, 1>(t, chunk, first, at);
      first = false;
      k -= chunk;
    }
  } else {
    for (; k >= kStreams * kernels::kQ; k -= kStreams * kernels::kQ) {
      InterleavedChunks<T, kRows, kVecs, kPanels, kStreams>(t, kernels::kQ, first, at);
      first = false;
    }
    AllInterleavedChunks<T, kRows, kVecs, kPanels, kStreams / 2>(t, k, first, at);
  }
}

// A tile of kRows rows and kPanels interleaved panels of kUnits units of columns.
template <typename T, int kRows, int kUnits, int kPanels, int kStreams>
void InterleavedTile(const TileArgs<T>& t) {
  constexpr int kVecs = kUnits * Unit<T>::kVecs;
  if (t.k == 0) {  // the start itself; adding chains of +0 would lose the sign of -0
    const hn::ScalableTag<T> d;
    constexpr int kOutputs = OutputVecs(kVecs * kPanels);
    for (int i = 0; i < kRows; ++i) {
      T* c = t.c + i * t.c_row_stride;
      hn::Vec<hn::ScalableTag<T>> row[kOutputs];
      if (t.beta == T{0}) {
        RowStart<false>(d, t, c, row, std::make_index_sequence<kOutputs>());
      } else {
        RowStart<true>(d, t, c, row, std::make_index_sequence<kOutputs>());
      }
      StoreRow(d, row, c, static_cast<std::size_t>(t.n), std::make_index_sequence<kOutputs>());
    }
    return;
  }
  Position<T> at{t.a, t.b, nullptr};
  AllInterleavedChunks<T, kRows, kVecs, kPanels, kStreams>(t, t.k, t.first, at);
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_GEMM_CHAINS_INL_H_
