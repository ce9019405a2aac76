// SPDX-License-Identifier: Apache-2.0
//
// The GEMM micro-kernels, for any target and type: register tiles of MR x NR outputs, one chunk of K per call. Their
// contract is TileArgs in kernel_table.h; the order of their operations is the numerics contract: each output is
// `chains` FMA chains over ascending k, added over a binary tree of neighbours.
//
// The tile loop is written once. Everything that depends on a target is in TileShape.

#if defined(LANEWISE_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_GEMM_INL_H_
#undef LANEWISE_GEMM_INL_H_
#else
#define LANEWISE_GEMM_INL_H_
#endif

#include <cstddef>
#include <utility>

#include "hwy/highway.h"
#include "kernel_table.h"
#include "partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using kernels::GemmKernel;
using kernels::GemmTiles;
using kernels::kMaxMr;
using kernels::TileArgs;

// Rows and vectors per row of the tiles. Each FMA takes 4 cycles and two start per cycle (x86 servers since Haswell,
// most NEON cores likewise), so a tile needs at least 8 accumulators; more rows reuse each load of B more often. The
// limit is the register file: accumulators + the row of B + one broadcast of A (+ one product without FMA).
struct TileShape {
#if HWY_TARGET == HWY_AVX3
  static constexpr int kRows1 = 14, kVecs1 = 2;  // 28 + 2 + 1 of 32 registers
  static constexpr int kRows4 = 6;               // 4 chains x 6 = 24
  static constexpr int kAccumulators16 = 8;
#elif HWY_TARGET == HWY_AVX2
  static constexpr int kRows1 = 6, kVecs1 = 2;  // 12 + 2 + 1 of 16
  static constexpr int kRows4 = 3;              // 4 x 3 = 12
  static constexpr int kAccumulators16 = 8;
#elif HWY_TARGET == HWY_NEON
  static constexpr int kRows1 = 8, kVecs1 = 3;  // 24 + 3 + 1 of 32
  static constexpr int kRows4 = 6;
  static constexpr int kAccumulators16 = 16;
#elif HWY_TARGET == HWY_SSE4
  static constexpr int kRows1 = 4, kVecs1 = 2;  // 8 + 2 + 1 + 1 of 16; a third vector would leave no spare product
  static constexpr int kRows4 = 2;
  static constexpr int kAccumulators16 = 8;
#elif HWY_TARGET == HWY_SCALAR
  static constexpr int kRows1 = 2, kVecs1 = 4;  // 8 scalars, as sse4
  static constexpr int kRows4 = 2;
  static constexpr int kAccumulators16 = 16;
#else
#error "Give this target a tile shape"
#endif
  // One column: the 16 chains are 16 / lanes vectors per row.
  template <typename T>
  static constexpr int kVecs16 = 16 / static_cast<int>(HWY_LANES(T));
  template <typename T>
  static constexpr int kRows16 = kAccumulators16 > kVecs16<T> ? kAccumulators16 / kVecs16<T> : 1;
};

// ---- Tiles whose lanes run over columns (N > 1) ----------------------------------------------------------------
// Indices are template parameters, so that the accumulator array dissolves into registers before GCC's optimisers see
// a loop; written as loops, GCC 12 keeps tiles of 24 and more accumulators in memory.

template <class V, std::size_t... kVec>
HWY_INLINE void FmaRow(V a, const V* b, V* acc, std::index_sequence<kVec...>) {
  ((acc[kVec] = hn::MulAdd(a, b[kVec], acc[kVec])), ...);
}

template <class D, typename T, std::size_t... kVec>
HWY_INLINE void LoadPanelRow(D d, const T* p, hn::Vec<D>* b, std::index_sequence<kVec...>) {
  ((b[kVec] = hn::Load(d, p + kVec * HWY_LANES(T))), ...);
}

// acc += a(:, k) * b(k, :), one step of k.
template <int kVecs, class D, typename T, std::size_t... kRow>
HWY_INLINE void Step(D d, const T* a, std::ptrdiff_t a_row_stride, const T* b_row, hn::Vec<D>* acc,
                     std::index_sequence<kRow...>) {
  constexpr std::make_index_sequence<kVecs> kAllVecs;
  hn::Vec<D> b[kVecs];
  LoadPanelRow(d, b_row, b, kAllVecs);
  (FmaRow(hn::Set(d, a[static_cast<std::ptrdiff_t>(kRow) * a_row_stride]), b, acc + kRow * kVecs, kAllVecs), ...);
}

// Loads or stores vector `vec` of a row of n columns; `kFull` promises that all columns are there.
template <bool kFull, class D, typename T>
HWY_INLINE hn::Vec<D> LoadColumns(D d, const T* row, std::size_t vec, std::size_t n) {
  const std::size_t begin = vec * HWY_LANES(T);
  if constexpr (kFull) return hn::LoadU(d, row + begin);
  return begin < n ? LoadFirst(d, row + begin, HWY_MIN(n - begin, HWY_LANES(T))) : hn::Zero(d);
}
template <bool kFull, class D, typename T>
HWY_INLINE void StoreColumns(D d, hn::Vec<D> v, T* row, std::size_t vec, std::size_t n) {
  const std::size_t begin = vec * HWY_LANES(T);
  if constexpr (kFull) {
    hn::StoreU(v, d, row + begin);
  } else if (begin < n) {
    StoreFirst(d, v, row + begin, HWY_MIN(n - begin, HWY_LANES(T)));
  }
}

// The value that output (row, vec) starts from: bias or +0, plus beta * C.
template <bool kFull, class D, typename T>
HWY_INLINE hn::Vec<D> Start(D d, const TileArgs<T>& t, std::size_t row, std::size_t vec) {
  const auto n = static_cast<std::size_t>(t.n);
  hn::Vec<D> start = t.bias == nullptr ? hn::Zero(d) : LoadColumns<kFull>(d, t.bias, vec, n);
  if (t.beta != T{0}) {
    const T* c_row = t.c + static_cast<std::ptrdiff_t>(row) * t.c_row_stride;
    start = hn::MulAdd(hn::Set(d, t.beta), LoadColumns<kFull>(d, c_row, vec, n), start);
  }
  return start;
}

// The sum over the chains of output vector kIndex, which lie kCount vectors apart.
template <int kChains, int kCount, class V>
HWY_INLINE V SumChains(const V* acc) {
  static_assert(kChains == 1 || kChains == 4);
  if constexpr (kChains == 1) return acc[0];
  return hn::Add(hn::Add(acc[0], acc[kCount]), hn::Add(acc[2 * kCount], acc[3 * kCount]));
}

template <bool kFull, int kChains, int kCount, int kVecs, class D, typename T>
HWY_INLINE void Finish(D d, const TileArgs<T>& t, const hn::Vec<D>* acc, std::size_t row, std::size_t vec) {
  T* c_row = t.c + static_cast<std::ptrdiff_t>(row) * t.c_row_stride;
  const auto n = static_cast<std::size_t>(t.n);
  const hn::Vec<D>* p = acc + row * kVecs + vec;
  if (t.first) {
    // K = 0 is the start itself; adding chains of +0 would lose the sign of -0.
    StoreColumns<kFull>(d, t.k == 0 ? *p : SumChains<kChains, kCount>(p), c_row, vec, n);
  } else {
    StoreColumns<kFull>(d, hn::Add(LoadColumns<kFull>(d, c_row, vec, n), SumChains<kChains, kCount>(p)), c_row, vec, n);
  }
}

template <int kVecs, class D, typename T, std::size_t... kI>
HWY_INLINE void StartAll(D d, const TileArgs<T>& t, hn::Vec<D>* acc, std::index_sequence<kI...>) {
  if (!t.first) {
    ((acc[kI] = hn::Zero(d)), ...);
  } else if (t.n == static_cast<std::int32_t>(kVecs * HWY_LANES(T))) {
    ((acc[kI] = Start<true>(d, t, kI / kVecs, kI % kVecs)), ...);
  } else {
    ((acc[kI] = Start<false>(d, t, kI / kVecs, kI % kVecs)), ...);
  }
}

template <int kChains, int kCount, int kVecs, class D, typename T, std::size_t... kI>
HWY_INLINE void FinishAll(D d, const TileArgs<T>& t, const hn::Vec<D>* acc, std::index_sequence<kI...>) {
  if (t.n == static_cast<std::int32_t>(kVecs * HWY_LANES(T))) {
    (Finish<true, kChains, kCount, kVecs>(d, t, acc, kI / kVecs, kI % kVecs), ...);
  } else {
    (Finish<false, kChains, kCount, kVecs>(d, t, acc, kI / kVecs, kI % kVecs), ...);
  }
}

template <class V, std::size_t... kI>
HWY_INLINE void ZeroAll(V zero, V* acc, std::index_sequence<kI...>) {
  ((acc[kI] = zero), ...);
}

// A tile of kRows x (kVecs * lanes) with kChains FMA chains per output.
template <typename T, int kRows, int kVecs, int kChains>
void ColumnTile(const TileArgs<T>& t) {
  const hn::ScalableTag<T> d;
  constexpr int kCount = kRows * kVecs;  // accumulators per chain
  constexpr int kNr = kVecs * static_cast<int>(HWY_LANES(T));
  constexpr std::make_index_sequence<kRows> kAllRows;
  constexpr std::make_index_sequence<kCount> kAllOutputs;

  hn::Vec<hn::ScalableTag<T>> acc[kChains * kCount];
  ZeroAll(hn::Zero(d), acc, std::make_index_sequence<kChains * kCount>());
  StartAll<kVecs>(d, t, acc, kAllOutputs);

  const T* a = t.a;
  const T* b = t.b;
  const std::ptrdiff_t row_stride = t.a_row_stride;
  const std::ptrdiff_t k_stride = t.a_k_stride;
  std::int32_t k = t.k;
  if constexpr (kChains == 1) {
    for (; k != 0; --k) {
      Step<kVecs>(d, a, row_stride, b, acc, kAllRows);
      a += k_stride;
      b += kNr;
    }
  } else {
    for (; k >= 4; k -= 4) {
      Step<kVecs>(d, a, row_stride, b, acc, kAllRows);
      Step<kVecs>(d, a + k_stride, row_stride, b + kNr, acc + kCount, kAllRows);
      Step<kVecs>(d, a + 2 * k_stride, row_stride, b + 2 * kNr, acc + 2 * kCount, kAllRows);
      Step<kVecs>(d, a + 3 * k_stride, row_stride, b + 3 * kNr, acc + 3 * kCount, kAllRows);
      a += 4 * k_stride;
      b += 4 * kNr;
    }
    if (k > 0) Step<kVecs>(d, a, row_stride, b, acc, kAllRows);
    if (k > 1) Step<kVecs>(d, a + k_stride, row_stride, b + kNr, acc + kCount, kAllRows);
    if (k > 2) Step<kVecs>(d, a + 2 * k_stride, row_stride, b + 2 * kNr, acc + 2 * kCount, kAllRows);
  }
  FinishAll<kChains, kCount, kVecs>(d, t, acc, kAllOutputs);
}

// ---- The tile of one column (N = 1): the lanes run over the 16 chains -------------------------------------------

// p_t = fma(a_k, b_k, p_t) for 16 consecutive k, of all rows.
template <int kVecs, class D, typename T, std::size_t... kI>
HWY_INLINE void Step16(D d, const T* a, std::ptrdiff_t a_row_stride, const T* b, hn::Vec<D>* acc,
                       std::index_sequence<kI...>) {
  ((acc[kI] =
        hn::MulAdd(hn::LoadU(d, a + static_cast<std::ptrdiff_t>(kI / kVecs) * a_row_stride + kI % kVecs * HWY_LANES(T)),
                   hn::LoadU(d, b + kI % kVecs * HWY_LANES(T)), acc[kI])),
   ...);
}

// The same for k < 16 last steps; chains that have no step keep their value (fma(0, 0, -0) would be +0).
template <class D, typename T>
HWY_INLINE hn::Vec<D> LastStep16(D d, const T* a, const T* b, std::size_t begin, std::size_t k, hn::Vec<D> p) {
  if (begin >= k) return p;
  const std::size_t n = HWY_MIN(k - begin, HWY_LANES(T));
  const hn::Vec<D> stepped = hn::MulAdd(LoadFirst(d, a + begin, n), LoadFirst(d, b + begin, n), p);
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
  HWY_ALIGN T lanes[HWY_LANES(T)] = {};
  lanes[0] = t.bias == nullptr ? T{0} : t.bias[0];
  if (t.beta != T{0}) {
    const T c = t.c[static_cast<std::ptrdiff_t>(row) * t.c_row_stride];
    lanes[0] = hn::GetLane(hn::MulAdd(hn::Set(d, t.beta), hn::Set(d, c), hn::Set(d, lanes[0])));
  }
  return hn::Load(d, lanes);
}
template <int kVecs, class D, typename T, std::size_t... kRow>
HWY_INLINE void StartRows16(D d, const TileArgs<T>& t, hn::Vec<D>* acc, std::index_sequence<kRow...>) {
  ((acc[kRow * kVecs] = StartChain0(d, t, kRow)), ...);
}

// Adds the 16 chains of a row and stores its output.
template <class D, typename T, std::size_t... kVec>
HWY_INLINE void FinishRow16(D d, const TileArgs<T>& t, const hn::Vec<D>* p, std::size_t row,
                            std::index_sequence<kVec...>) {
  HWY_ALIGN T chain[16];
  (hn::Store(p[kVec], d, chain + kVec * HWY_LANES(T)), ...);
  if (t.k != 0) {  // K = 0 is the start itself, as in Finish
    for (int width = 8; width > 0; width /= 2) {
      for (int j = 0; j < width; ++j) chain[j] = chain[2 * j] + chain[2 * j + 1];
    }
  }
  T* c = t.c + static_cast<std::ptrdiff_t>(row) * t.c_row_stride;
  *c = t.first ? chain[0] : *c + chain[0];
}
template <int kVecs, class D, typename T, std::size_t... kRow>
HWY_INLINE void FinishRows16(D d, const TileArgs<T>& t, const hn::Vec<D>* acc, std::index_sequence<kRow...>) {
  (FinishRow16(d, t, acc + kRow * kVecs, kRow, std::make_index_sequence<kVecs>()), ...);
}

// A tile of kRows x 1.
template <typename T, int kRows, int kVecs>
void OneColumnTile(const TileArgs<T>& t) {
  const hn::ScalableTag<T> d;
  constexpr std::make_index_sequence<kRows> kAllRows;
  constexpr std::make_index_sequence<kRows * kVecs> kAll;
  hn::Vec<hn::ScalableTag<T>> acc[kRows * kVecs];
  ZeroAll(hn::Zero(d), acc, kAll);
  if (t.first) StartRows16<kVecs>(d, t, acc, kAllRows);

  const T* a = t.a;
  const T* b = t.b;
  std::int32_t k = t.k;
  for (; k >= 16; k -= 16) {
    Step16<kVecs>(d, a, t.a_row_stride, b, acc, kAll);
    a += 16;
    b += 16;
  }
  if (k > 0) LastSteps16<kVecs>(d, a, t.a_row_stride, b, static_cast<std::size_t>(k), acc, kAll);
  FinishRows16<kVecs>(d, t, acc, kAllRows);
}

// ---- Rows of the table -----------------------------------------------------------------------------------------

template <typename T, int kVecs, int kChains, std::size_t... kRow>
constexpr GemmTiles<T> MakeColumnTiles(std::index_sequence<kRow...>) {
  static_assert(sizeof...(kRow) <= kMaxMr);
  return {
      sizeof...(kRow), kVecs * static_cast<int>(HWY_LANES(T)), false, {&ColumnTile<T, kRow + 1, kVecs, kChains>...}};
}

template <typename T, std::size_t... kRow>
constexpr GemmTiles<T> MakeOneColumnTiles(std::index_sequence<kRow...>) {
  static_assert(sizeof...(kRow) <= kMaxMr);
  return {sizeof...(kRow), 1, true, {&OneColumnTile<T, kRow + 1, TileShape::kVecs16<T>>...}};
}

template <typename T>
constexpr GemmKernel<T> MakeGemmKernel() {
  constexpr Tier kTier =
#define LANEWISE_TIER(id, name, numeric_class, highway_target, highway_namespace, cpu_features) \
  HWY_TARGET == (highway_target) ? Tier::id:
#include "lanewise/tiers.inc"
#undef LANEWISE_TIER
      Tier::kPortable;
  return {kTier, MakeColumnTiles<T, TileShape::kVecs1, 1>(std::make_index_sequence<TileShape::kRows1>()),
          MakeColumnTiles<T, 1, 4>(std::make_index_sequence<TileShape::kRows4>()),
          MakeOneColumnTiles<T>(std::make_index_sequence<TileShape::kRows16<T>>())};
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_GEMM_INL_H_
