// SPDX-License-Identifier: Apache-2.0
//
// The GEMM micro-kernels for integers, modulo 2^32 or 2^64. Being exact in any order they need neither chains nor
// chunks, and no tiles of their own for few rows: the chain from sum to sum is one addition of one cycle. Where the
// target multiplies T in one instruction they are the tiles of gemm_columns-inl.h; elsewhere only the steps differ.

#if defined(LANEWISE_GEMM_INTEGER_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_GEMM_INTEGER_INL_H_
#undef LANEWISE_GEMM_INTEGER_INL_H_
#else
#define LANEWISE_GEMM_INTEGER_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include "gemm-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// 32 bits, and 64 with AVX-512DQ: the tile of floating-point numbers, as fast as any other in a trial on Zen 5.
template <typename T>
struct IntegerTileShape {
  static constexpr bool kNativeProduct = true;
#if HWY_TARGET == HWY_NEON
  static constexpr int kRows = 6;  // of more, GCC 12 keeps some in memory
#else
  static constexpr int kRows = TileShape::kRows1;
#endif
  static constexpr int kVecs = TileShape::kVecs1, kNarrowRows = TileShape::kRows1;
};

#if HWY_TARGET != HWY_AVX3 && HWY_TARGET != HWY_SCALAR

// Two accumulators per vector of outputs. Zen 5, multiply-adds per ns in L1: avx2 14.2 (2 x 2), 13.1 (6 x 1), 10.2
// (3 x 2, which spills), against 8.2 with Highway's emulated product; sse4 6.7 (2 x 2), 6.1 (6 x 1), 5.1 (3 x 2)
// against 4.0. In whole products 6 x 1 is a third to two thirds slower than 2 x 2.
template <>
struct IntegerTileShape<std::int64_t> {
  static constexpr bool kNativeProduct = false;
#if HWY_TARGET == HWY_NEON
  static constexpr int kRows = 4, kVecs = 2, kNarrowRows = 7;  // 16 of 32 registers: GCC 12 spills more; not measured
#else
  static constexpr int kRows = 2, kVecs = 2, kNarrowRows = 4;  // 8 + 2 + 2 + 1 of 16
#endif
};

// a * b = low(a) low(b) + 2^32 (high(a) low(b) + low(a) high(b)) modulo 2^64. The first is one multiplication. The two
// of the second, of which 32 bits count, are the two halves of a 32-bit multiplication by a with its halves swapped:
// `cross` sums them side by side, and they are added when all is summed.
template <class D, std::size_t... kVec>
HWY_INLINE void HalvesRow(D d, hn::Vec<D> a, const hn::Vec<D>* b, hn::Vec<D>* low, hn::Vec<D>* cross,
                          std::index_sequence<kVec...>) {
  const hn::Repartition<std::uint32_t, D> d32;
  const auto halves = hn::BitCast(d32, a);
  const auto swapped = hn::Shuffle2301(halves);
  ((low[kVec] = hn::Add(low[kVec], hn::BitCast(d, hn::MulEven(halves, hn::BitCast(d32, b[kVec]))))), ...);
  ((cross[kVec] = hn::BitCast(d, hn::Add(hn::BitCast(d32, cross[kVec]), hn::Mul(swapped, hn::BitCast(d32, b[kVec]))))),
   ...);
}

template <int kVecs, class D, typename T, std::size_t... kRow>
HWY_INLINE void HalvesStep(D d, const TileArgs<T>& t, const T* a, const T* b_row, hn::Vec<D>* low, hn::Vec<D>* cross,
                           std::index_sequence<kRow...>) {
  constexpr std::make_index_sequence<kVecs> kAllVecs;
  hn::Vec<D> b[kVecs];
  LoadRowOfB<kVecs>(d, b_row, PanelsOfStep<false, D>(d, t), b, kAllVecs);
  (HalvesRow(d, hn::Set(d, a[static_cast<std::ptrdiff_t>(kRow) * t.a_row_stride]), b, low + kRow * kVecs,
             cross + kRow * kVecs, kAllVecs),
   ...);
}

template <class D, std::size_t... kI>
HWY_INLINE void AddCross(D d, hn::Vec<D>* low, const hn::Vec<D>* cross, std::index_sequence<kI...>) {
  const hn::RebindToUnsigned<D> du;
  const auto sum = [&](hn::Vec<D> v) HWY_ATTR {
    const auto both = hn::BitCast(du, v);
    return hn::BitCast(d, hn::ShiftLeft<32>(hn::Add(both, hn::ShiftRight<32>(both))));
  };
  ((low[kI] = hn::Add(low[kI], sum(cross[kI]))), ...);
}

// As ColumnTile, of one panel.
template <typename T, int kRows, int kVecs>
void HalvesTile(const TileArgs<T>& t) {
  const hn::ScalableTag<T> d;
  constexpr std::make_index_sequence<kRows> kAllRows;
  constexpr std::make_index_sequence<kRows * kVecs> kAllOutputs;
  hn::Vec<hn::ScalableTag<T>> low[kRows * kVecs];
  hn::Vec<hn::ScalableTag<T>> cross[kRows * kVecs];
  ZeroAll(hn::Zero(d), low, kAllOutputs);
  ZeroAll(hn::Zero(d), cross, kAllOutputs);
  if (t.first) StartAll<kVecs>(d, t, low, kAllOutputs);
  const T* a = t.a;
  const T* b = t.b;
  for (std::ptrdiff_t k = t.k; k != 0; --k) {
    HalvesStep<kVecs>(d, t, a, b, low, cross, kAllRows);
    a += t.a_k_stride;
    b += t.b_k_stride;
  }
  AddCross(d, low, cross, kAllOutputs);
  FinishAll<kVecs>(d, t, t.first, low, kAllOutputs);
}

#endif  // a target without a product of 64 bits

template <typename T, int kRows, int kVecs>
constexpr TileFunction<T> IntegerTile() {
#if HWY_TARGET != HWY_AVX3 && HWY_TARGET != HWY_SCALAR
  if constexpr (!IntegerTileShape<T>::kNativeProduct) return &HalvesTile<T, kRows, kVecs>;
#endif
  return &ColumnTile<T, kRows, kVecs, 1, 1>;
}

template <typename T, int kVecs, std::size_t... kRow>
constexpr GemmTiles<T> MakeIntegerTiles(std::index_sequence<kRow...>) {
  return {.mr = sizeof...(kRow),
          .nr = kVecs * static_cast<int>(HWY_LANES(T)),
          .k_group = 1,
          .unit_k_stride = false,
          .prefetches = IntegerTileShape<T>::kNativeProduct,
          .pack_columns = &PackColumns<T, kVecs* static_cast<int>(HWY_LANES(T))>,
          .tile = {IntegerTile<T, kRow + 1, kVecs>()...},
          .slim_nr = kVecs == 1 ? 0 : static_cast<int>(HWY_LANES(T)),
          .slim = {IntegerTile<T, kRow + 1, 1>()...},
          .outer = &OuterProduct<T, false>};
}

template <typename T>
constexpr GemmKernel<T> MakeIntegerGemmKernel() {
  using Shape = IntegerTileShape<T>;
  return {kThisTier,
          MakeIntegerTiles<T, Shape::kVecs>(std::make_index_sequence<Shape::kRows>()),
          MakeIntegerTiles<T, 1>(std::make_index_sequence<Shape::kNarrowRows>()),
          {},
          MakeOneColumnTiles<T>(std::make_index_sequence<TileShape::kRows16<T>>())};
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_GEMM_INTEGER_INL_H_
