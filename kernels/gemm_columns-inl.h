// SPDX-License-Identifier: Apache-2.0
//
// The GEMM micro-kernels whose lanes run over columns, for any target and type: register tiles of MR x NR outputs, a
// part of K per call. Their contract is TileArgs in kernel_table.h; the order of their operations is the numerics
// contract: each output is `chains` FMA chains over ascending k, added over a binary tree of neighbours.
//
// The tile loop is written once. Everything that depends on a target is in TileShape.

#if defined(LANEWISE_GEMM_COLUMNS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_GEMM_COLUMNS_INL_H_
#undef LANEWISE_GEMM_COLUMNS_INL_H_
#else
#define LANEWISE_GEMM_COLUMNS_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include "gemm_steps-inl.h"
#include "hwy/highway.h"
#include "kernel_table.h"
#include "partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using kernels::TileArgs;

// Rows and vectors per row of the tiles. Each FMA takes 4 cycles and two start per cycle (x86 servers since Haswell,
// most NEON cores likewise), so a tile needs at least 8 accumulators; more rows reuse each load of B more often. The
// limit is the register file: accumulators + the row of B + one broadcast of A (+ one product without FMA). Of more
// than kVecsAllChains vectors of outputs the four chains are computed two at a time. kHeldSteps: of a B of so many
// steps and one vector that stays in registers, with 4 chains, their start and a zero, and what stores of part of a
// vector take; 0: vectors of 4 floats hold too few columns.
//
// Few rows: kWide1[m - 1] panels side by side make at least 8 accumulators of m rows and one chain, likewise kWide4 for
// four chains; kLong1[m - 1] and kLong4 chunks of K side by side do where there are no more panels. 1: not needed.
// (avx512, Emerald Rapids: with three chunks for three rows, which often are all, and two for four, {3, 4} x 30 x 784
// takes 0.96 of the time that it takes with two and one.)
//
// kWidest panels of one row, for weights of which L3 holds a part at most: so many streams are read faster. Zen 3, 16
// MiB of weights, 7 panels instead of 4: 1.0 to 1.2 times as fast; all in L3, 0.98 to 1.0. 1: none, since not measured.
struct TileShape {
#if HWY_TARGET == HWY_AVX3
  static constexpr int kRows1 = 14, kVecs1 = 2;         // 28 + 2 + 1 of 32 registers
  static constexpr int kRows4 = 6, kVecsAllChains = 6;  // 4 chains x 6 = 24
  static constexpr int kHeldSteps = 24;                 // 24 + 4 + 2 of 32
  static constexpr int kAccumulators16 = 8;
  static constexpr int kAccumulators4 = 25;  // 25 + 5 + 1
  template <typename T>
  static constexpr int kMaxUnits = 16 / (HWY_LANES(T) / 4);
  static constexpr int kWide1[] = {4, 4, 2, 2, 2, 2}, kWide4[] = {1, 1, 1, 1, 1, 1};
  static constexpr int kLong1[] = {4, 4, 3, 2, 1, 1}, kLong4[] = {2, 1, 1, 1, 1, 1};
  static constexpr int kWidest = 1;
#elif HWY_TARGET == HWY_AVX2
  static constexpr int kRows1 = 6, kVecs1 = 2;                       // 12 + 2 + 1 of 16
  static constexpr int kRows4 = 6;                                   // 2 x 6 = 12
  static constexpr int kVecsAllChains = HWY_COMPILER_CLANG ? 2 : 3;  // 4 x 3 = 12, of which clang keeps two in memory
  static constexpr int kHeldSteps = 8;                               // 8 + 4 + 2 + 1 of 16
  static constexpr int kAccumulators16 = 8;
  static constexpr int kAccumulators4 = 12;  // 12 + 3 + 1
  // Of panels of 6 units two rows fit. Of doubles, narrower panels of more rows are 1.15 (12 columns) and 1.28 times
  // (16) as fast; of floats it makes no difference.
  template <typename T>
  static constexpr int kMaxUnits = sizeof(T) == 4 ? 6 : 5;
  static constexpr int kWide1[] = {4, 2, 1, 1, 1, 1}, kWide4[] = {2, 1, 1, 1, 1, 1};
  static constexpr int kLong1[] = {4, 2, 1, 1, 1, 1}, kLong4[] = {2, 1, 1, 1, 1, 1};
  static constexpr int kWidest = 7;  // 14 + 1 of 16
#elif HWY_TARGET == HWY_NEON
  static constexpr int kRows1 = 7, kVecs1 = 3;          // 21 + 3 + 1 of 32; of 8 rows GCC 12 keeps some in memory
  static constexpr int kRows4 = 4, kVecsAllChains = 4;  // 4 x 4, likewise
  static constexpr int kHeldSteps = 0;
  static constexpr int kAccumulators16 = 16;
  static constexpr int kAccumulators4 = 16;  // of more, GCC 12 keeps some in memory
  template <typename T>
  static constexpr int kMaxUnits = sizeof(T) == 4 ? 8 : 6;
  static constexpr int kWide1[] = {4, 2, 2, 1, 1, 1}, kWide4[] = {2, 2, 1, 1, 1, 1};
  static constexpr int kLong1[] = {4, 2, 2, 1, 1, 1}, kLong4[] = {2, 1, 1, 1, 1, 1};
  static constexpr int kWidest = 1;
#elif HWY_TARGET == HWY_SSE4
  static constexpr int kRows1 = 2,
                       kVecs1 = 4;  // 8 + 4 + 2 + 1 of 16; a broadcast of floats takes a shuffle: 4 x 2 is 10 % slower
  static constexpr int kRows4 = 2, kVecsAllChains = 2;
  static constexpr int kHeldSteps = 0;
  static constexpr int kAccumulators16 = 8;
  static constexpr int kAccumulators4 = 10;  // 10 + 3 + 1 + a product
  template <typename T>
  static constexpr int kMaxUnits = sizeof(T) == 4 ? 5 : 3;
  static constexpr int kWide1[] = {2, 1, 1, 1, 1, 1}, kWide4[] = {2, 1, 1, 1, 1, 1};
  static constexpr int kLong1[] = {2, 1, 1, 1, 1, 1}, kLong4[] = {2, 1, 1, 1, 1, 1};
  static constexpr int kWidest = 1;
#elif HWY_TARGET == HWY_SCALAR
  static constexpr int kRows1 = 2, kVecs1 = 4;  // 8 scalars, as sse4
  static constexpr int kRows4 = 2, kVecsAllChains = 2;
  static constexpr int kHeldSteps = 0;
  static constexpr int kAccumulators16 = 16;
  static constexpr int kAccumulators4 = 8;
  template <typename T>
  static constexpr int kMaxUnits = 2;
  static constexpr int kWide1[] = {1, 1, 1, 1, 1, 1}, kWide4[] = {1, 1, 1, 1, 1, 1};
  static constexpr int kLong1[] = {2, 1, 1, 1, 1, 1}, kLong4[] = {2, 1, 1, 1, 1, 1};
  static constexpr int kWidest = 1;
#else
#error "Give this target a tile shape"
#endif
  // (Above) 2 to 16 columns in interleaved panels: accumulators of a tile, and units of columns of a panel, at most.
  // One column: the 16 chains are 16 / lanes vectors per row.
  template <typename T>
  static constexpr int kVecs16 = 16 / static_cast<int>(HWY_LANES(T));
  template <typename T>
  static constexpr int kRows16 = kAccumulators16 > kVecs16<T> ? kAccumulators16 / kVecs16<T> : 1;
};

// ---- Tiles whose lanes run over columns (N > 1) ----------------------------------------------------------------

// Loads or stores vector `vec` of a row of n columns; `kFull` promises that all columns are there. Where masks are
// registers, a tile's are computed once and its rows need no branch.
template <bool kFull, class D, typename T>
HWY_INLINE hn::Vec<D> LoadColumns(D d, const T* row, std::size_t vec, std::size_t n) {
  const std::size_t begin = vec * HWY_LANES(T);
  if (kFull) return hn::LoadU(d, row + begin);
#if HWY_TARGET == HWY_AVX3
  return LoadFirst(d, row + begin, HWY_MIN(HWY_MAX(n, begin) - begin, HWY_LANES(T)));
#else
  if (begin + HWY_LANES(T) <= n) return hn::LoadU(d, row + begin);
  return begin < n ? LoadFirst(d, row + begin, n - begin) : hn::Zero(d);
#endif
}
template <bool kFull, class D, typename T>
HWY_INLINE void StoreColumns(D d, hn::Vec<D> v, T* row, std::size_t vec, std::size_t n) {
  const std::size_t begin = vec * HWY_LANES(T);
  if (kFull) return hn::StoreU(v, d, row + begin);
#if HWY_TARGET == HWY_AVX3
  StoreFirst(d, v, row + begin, HWY_MIN(HWY_MAX(n, begin) - begin, HWY_LANES(T)));
#else
  if (begin + HWY_LANES(T) <= n) {
    hn::StoreU(v, d, row + begin);
  } else if (begin < n) {
    StoreFirst(d, v, row + begin, n - begin);
  }
#endif
}

// The rows of C, one after the other. A copy of what the arguments say: they might change with each store, for all that
// a compiler knows.
template <typename T>
struct RowsOfC {
  T* row;
  std::ptrdiff_t stride;

  explicit HWY_INLINE RowsOfC(const TileArgs<T>& t) : row(t.c), stride(t.c_row_stride) {}
  // Once vector kI of all, kVecs of them a row, is done.
  template <std::size_t kI, int kVecs>
  HWY_INLINE void Pass() {
    if constexpr (kI % kVecs == kVecs - 1) row += stride;
  }
};

// Outputs start from bias or +0 ...
template <bool kFull, int kVecs, class D, typename T, std::size_t... kVec, std::size_t... kI>
HWY_INLINE void StartFromBias(D d, const TileArgs<T>& t, hn::Vec<D>* acc, std::index_sequence<kVec...>,
                              std::index_sequence<kI...>) {
  if (t.bias == nullptr) {
    ((acc[kI] = hn::Zero(d)), ...);
  } else {
    const hn::Vec<D> bias[] = {LoadColumns<kFull>(d, t.bias, kVec, static_cast<std::size_t>(t.n))...};
    ((acc[kI] = bias[kI % kVecs]), ...);
  }
}

// ... plus beta * C.
template <bool kFull, int kVecs, class D, typename T, std::size_t... kI>
HWY_INLINE void Start(D d, const TileArgs<T>& t, hn::Vec<D>* acc, std::index_sequence<kI...> all) {
  StartFromBias<kFull, kVecs>(d, t, acc, std::make_index_sequence<kVecs>(), all);
  if (t.beta == T{0}) return;
  const hn::Vec<D> beta = hn::Set(d, t.beta);
  RowsOfC<T> c(t);
  ((acc[kI] = MultiplyAdd(d, beta, LoadColumns<kFull>(d, c.row, kI % kVecs, static_cast<std::size_t>(t.n)), acc[kI]),
    c.template Pass<kI, kVecs>()),
   ...);
}

// The sum over the chains of output vector kIndex, which lie kCount vectors apart.
template <int kChains, int kCount, class V>
HWY_INLINE V SumChains(const V* acc) {
  static_assert(kChains == 1 || kChains == 4);
  if constexpr (kChains == 1) return acc[0];
  return hn::Add(hn::Add(acc[0], acc[kCount]), hn::Add(acc[2 * kCount], acc[3 * kCount]));
}

// Rows of C, kVecs vectors each.
template <bool kFull, int kVecs, class D, typename T, std::size_t... kI>
HWY_INLINE void StoreAll(D d, const TileArgs<T>& t, const hn::Vec<D>* s, std::index_sequence<kI...>) {
  const auto n = static_cast<std::size_t>(t.n);
  RowsOfC<T> c(t);
#if HWY_TARGET == HWY_AVX2
  // As in StoreFirst, without branching for each row.
  constexpr std::size_t kLast = (kVecs - 1) * HWY_LANES(T);
  if (!kFull && n > kLast && HalvesMeet(d, n - kLast)) {
    const std::int32_t* indices = IndicesOfLast(d, n - kLast);
    Forget(indices);  // else GCC loads them before the loops over k, and keeps an accumulator in memory instead
    const auto last = hn::LoadU(hn::ScalableTag<std::int32_t>(), indices);
    const auto store = [&](hn::Vec<D> v, std::size_t vec) HWY_ATTR {
      if (vec == kVecs - 1) {
        StoreFirstOverlapping(d, v, c.row + kLast, n - kLast, last);
      } else {
        hn::StoreU(v, d, c.row + vec * HWY_LANES(T));
      }
    };
    ((store(s[kI], kI % kVecs), c.template Pass<kI, kVecs>()), ...);
    return;
  }
#endif
  ((StoreColumns<kFull>(d, s[kI], c.row, kI % kVecs, n), c.template Pass<kI, kVecs>()), ...);
}

template <bool kFull, int kVecs, class D, typename T, std::size_t... kI>
HWY_INLINE void AddRowsOfC(D d, const TileArgs<T>& t, hn::Vec<D>* s, std::index_sequence<kI...>) {
  RowsOfC<T> c(t);
  ((s[kI] = hn::Add(LoadColumns<kFull>(d, c.row, kI % kVecs, static_cast<std::size_t>(t.n)), s[kI]),
    c.template Pass<kI, kVecs>()),
   ...);
}

template <int kVecs, class D, typename T, std::size_t... kI>
HWY_INLINE void StartAll(D d, const TileArgs<T>& t, hn::Vec<D>* acc, std::index_sequence<kI...> all) {
  if (t.n == static_cast<std::int32_t>(kVecs * HWY_LANES(T))) {
    Start<true, kVecs>(d, t, acc, all);
  } else {
    Start<false, kVecs>(d, t, acc, all);
  }
}

// Stores the sums of a chunk, or adds them to C.
template <int kVecs, class D, typename T, std::size_t... kI>
HWY_INLINE void FinishAll(D d, const TileArgs<T>& t, bool first, hn::Vec<D>* sums, std::index_sequence<kI...> all) {
  if (t.n == static_cast<std::int32_t>(kVecs * HWY_LANES(T))) {
    if (!first) AddRowsOfC<true, kVecs>(d, t, sums, all);
    StoreAll<true, kVecs>(d, t, sums, all);
  } else {
    if (!first) AddRowsOfC<false, kVecs>(d, t, sums, all);
    StoreAll<false, kVecs>(d, t, sums, all);
  }
}

template <class V, std::size_t... kI>
HWY_INLINE void ZeroAll(V zero, V* acc, std::index_sequence<kI...>) {
  ((acc[kI] = zero), ...);
}

// acc[kI] = the sum of output vector kI over its chains.
template <int kChains, class V, std::size_t... kI>
HWY_INLINE void SumAll(V* acc, std::index_sequence<kI...>) {
  ((acc[kI] = SumChains<kChains, static_cast<int>(sizeof...(kI))>(acc + kI)), ...);
}

// How many chains a tile computes side by side.
template <int kChains, int kCount>
inline constexpr int kChainsAtOnce = kChains == 4 && kCount > TileShape::kVecsAllChains ? 2 : kChains;

template <class D, std::size_t... kI>
HWY_INLINE void SavePairs(D d, const hn::Vec<D>* acc, hn::TFromD<D>* saved, std::index_sequence<kI...>) {
  (hn::Store(hn::Add(acc[kI], acc[sizeof...(kI) + kI]), d, saved + kI * hn::MaxLanes(d)), ...);
}
template <class D, std::size_t... kI>
HWY_INLINE void AddPairs(D d, const hn::TFromD<D>* saved, hn::Vec<D>* acc, std::index_sequence<kI...>) {
  ((acc[kI] = hn::Add(hn::Load(d, saved + kI * hn::MaxLanes(d)), hn::Add(acc[kI], acc[sizeof...(kI) + kI]))), ...);
}

// acc[kI] = the sum of output vector kI over a chunk of k steps, from what acc holds of each chain.
template <int kChains, int kRows, int kVecs, int kPanels, bool kNarrow, class D, typename T>
HWY_INLINE void SumChunk(D d, const TileArgs<T>& t, Position<T> at, std::ptrdiff_t k, hn::Vec<D>* acc) {
  constexpr int kCount = kRows * kVecs * kPanels;
  constexpr std::make_index_sequence<kCount> kAllOutputs;
  if constexpr (kChains == 1) {
    AllSteps<kRows, kVecs, kPanels, kNarrow>(d, t, at, k, acc);
  } else if (k == 0) {
    // K = 0 is the start itself; adding chains of +0 would lose the sign of -0.
  } else if constexpr (kChainsAtOnce<kChains, kCount> == 4) {
    StepsOfChains<kRows, kVecs, kPanels, kNarrow>(d, t, at, k, acc);
    SumAll<4>(acc, kAllOutputs);
  } else {
    static_assert(kPanels == 1);  // as StepsOfPair
    HWY_ALIGN T saved[kCount * HWY_LANES(T)];
    StepsOfPair<0, kRows, kVecs, kNarrow>(d, t, at, k, acc);
    SavePairs(d, acc, saved, kAllOutputs);
    ZeroAll(hn::Zero(d), acc, std::make_index_sequence<2 * kCount>());
    StepsOfPair<2, kRows, kVecs, kNarrow>(d, t, at, k, acc);
    AddPairs(d, saved, acc, kAllOutputs);
  }
}

// A tile of kRows x (kPanels * kVecs * lanes) with kChains FMA chains per output. kNarrow: of B's rows n elements are
// read, which are part of the last vector at least.
template <typename T, int kRows, int kVecs, int kPanels, int kChains, bool kNarrow = false>
void ColumnTile(const TileArgs<T>& t) {
  const hn::ScalableTag<T> d;
  constexpr int kCount = kRows * kVecs * kPanels;  // accumulators per chain
  constexpr std::make_index_sequence<kCount> kAllOutputs;
  Position<T> at{t.a, t.b, t.next};
  std::ptrdiff_t k = t.k;
  bool first = t.first;
  for (;;) {  // a chunk; K = 0 has one too, of no step
    const std::ptrdiff_t chunk = HWY_MIN(k, std::ptrdiff_t{kernels::kQ});
    constexpr int kSums = kChainsAtOnce<kChains, kCount> * kCount;
    hn::Vec<hn::ScalableTag<T>> acc[kSums];
    ZeroAll(hn::Zero(d), acc, std::make_index_sequence<kSums>());
    if (first) StartAll<kVecs * kPanels>(d, t, acc, kAllOutputs);
    SumChunk<kChains, kRows, kVecs, kPanels, kNarrow>(d, t, at, chunk, acc);
    FinishAll<kVecs * kPanels>(d, t, first, acc, kAllOutputs);
    k -= chunk;
    if (k == 0) return;
    first = false;
    at.a += chunk * t.a_k_stride;
    at.b += chunk * t.b_k_stride;
    at.next += chunk * t.next_step;
  }
}

// ---- Outer products (K = 1) --------------------------------------------------------------------------------------
// What a gradient of one sample is. Each output has one step, so there is nothing to keep in registers: rows pass by.

// Columns [j, j + lanes) or, of the last ones, [j, n) of a row of C. Several chains add +0, which makes -0 of an
// underflow +0.
template <bool kFull, bool kSeveralChains, class D, typename T>
HWY_INLINE void OuterColumns(D d, const TileArgs<T>& t, hn::Vec<D> a, std::size_t j, T* c) {
  const auto n = static_cast<std::size_t>(t.n);
  const std::size_t vec = j / HWY_LANES(T);
  hn::Vec<D> start = t.bias == nullptr ? hn::Zero(d) : LoadColumns<kFull>(d, t.bias, vec, n);
  if (t.beta != T{0}) start = MultiplyAdd(d, hn::Set(d, t.beta), LoadColumns<kFull>(d, c, vec, n), start);
  hn::Vec<D> p = MultiplyAdd(d, a, LoadColumns<kFull>(d, t.b, vec, n), start);
  if constexpr (kSeveralChains) p = hn::Add(p, hn::Zero(d));
  StoreColumns<kFull>(d, p, c, vec, n);
}

template <typename T, bool kSeveralChains>
void OuterProduct(const TileArgs<T>& t, std::ptrdiff_t m) {
  const hn::ScalableTag<T> d;
  const auto n = static_cast<std::size_t>(t.n);
  const std::ptrdiff_t a_row_stride = t.a_row_stride;
  const std::ptrdiff_t c_row_stride = t.c_row_stride;
  const T* a = t.a;
  T* c = t.c;
  if (n <= HWY_LANES(T) && t.beta == T{0}) {  // everything but A stays in registers
    const auto b = LoadFirst(d, t.b, n);
    const auto start = t.bias == nullptr ? hn::Zero(d) : LoadFirst(d, t.bias, n);
    for (; m > 0; --m) {
      auto p = MultiplyAdd(d, hn::Set(d, *a), b, start);
      if constexpr (kSeveralChains) p = hn::Add(p, hn::Zero(d));
      StoreFirst(d, p, c, n);
      a += a_row_stride;
      c += c_row_stride;
    }
    return;
  }
  for (; m > 0; --m) {
    const auto a_row = hn::Set(d, *a);
    std::size_t j = 0;
    for (; j + HWY_LANES(T) <= n; j += HWY_LANES(T)) OuterColumns<true, kSeveralChains>(d, t, a_row, j, c);
    if (j < n) OuterColumns<false, kSeveralChains>(d, t, a_row, j, c);
    a += a_row_stride;
    c += c_row_stride;
  }
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_GEMM_COLUMNS_INL_H_
