// SPDX-License-Identifier: Apache-2.0
//
// The row of the kernel table for GEMM, for any target and type: the kernels of gemm_columns-inl.h and the files beside
// it, by numbers of rows.

#if defined(LANEWISE_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_GEMM_INL_H_
#undef LANEWISE_GEMM_INL_H_
#else
#define LANEWISE_GEMM_INL_H_
#endif

#include <cstddef>
#include <utility>

#include "gemm_blocks-inl.h"
#include "gemm_chains-inl.h"
#include "gemm_columns-inl.h"
#include "gemm_held-inl.h"
#include "gemm_long-inl.h"
#include "gemm_one_column-inl.h"
#include "gemm_rows-inl.h"
#include "hwy/highway.h"
#include "kernel_table.h"
#include "pack-inl.h"
#include "partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
using kernels::BlocksFunction;
using kernels::GemmKernel;
using kernels::GemmTiles;
using kernels::kMaxFewRows;
using kernels::kMaxMr;
using kernels::TileFunction;

// The last m for which a wide or a long tile exists.
constexpr int FewRows(const int (&wide)[kMaxFewRows], const int (&long_k)[kMaxFewRows]) {
  int rows = 0;
  for (int m = 1; m <= kMaxFewRows; ++m) {
    if (wide[m - 1] > 1 || long_k[m - 1] > 1) rows = m;
  }
  return rows;
}

template <typename T, int kRows, int kVecs, int kPanels, int kChains>
constexpr TileFunction<T> WideOrNull() {
  if constexpr (kPanels == 1) return nullptr;
  return &ColumnTile<T, kRows, kVecs, kPanels, kChains>;
}
template <typename T, int kChains>
inline constexpr int kWidestPanels = hwy::IsFloat<T>() && kChains == 1 ? TileShape::kWidest : 1;

// Tiles that read part of the last of so many vectors. Of two on avx512 alone: on avx2 the mask takes one of 16 vector
// registers, and none is left.
template <int kVecs>
inline constexpr bool kHasNarrow = kMasksLoads && (kVecs == 1 || HWY_TARGET == HWY_AVX3);
template <typename T, int kRows, int kVecs, int kChains>
constexpr TileFunction<T> NarrowOrNull() {
  if constexpr (!kHasNarrow<kVecs>) {
    return nullptr;
  } else {
    return &ColumnTile<T, kRows, kVecs, 1, kChains, true>;
  }
}
// Where the loops of four steps a turn are (AllSteps).
template <typename T, int kRows, int kVecs, int kChains, bool kNarrow>
constexpr BlocksFunction<T> BlocksOrNull() {
  if constexpr (!HWY_NATIVE_FMA || !hwy::IsFloat<T>() || (kNarrow && !kHasNarrow<kVecs>)) {
    return nullptr;
  } else {
    return &ColumnBlocks<T, kRows, kVecs, kChains, kNarrow>;
  }
}
template <typename T, int kRows, int kVecs, int kStreams, int kChains>
constexpr TileFunction<T> LongOrNull() {
  if constexpr (kStreams == 1) return nullptr;
  return &LongTile<T, kRows, kVecs, kStreams, kChains>;
}

template <typename T, int kRows, int kVecs, int kChains>
constexpr TileFunction<T> SlimOrNull() {
  if constexpr (kVecs == 1) return nullptr;
  return &ColumnTile<T, kRows, 1, 1, kChains>;
}

template <typename T, int kChains>
constexpr auto LanesOverRowsOrNull() -> void (*)(const TileArgs<T>&, std::ptrdiff_t) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kChains == 4) return &LanesOverRows<T>;
#endif
  return nullptr;
}

// One step of K is an outer product.
template <typename T, int kVecs, int kChains, int kSteps>
constexpr auto HeldOrNull() -> void (*)(const TileArgs<T>&, std::ptrdiff_t) {
  if constexpr (kVecs != 1 || kChains != 4 || kSteps == 1 || kSteps > TileShape::kHeldSteps) {
    return nullptr;
  } else {
    return &HeldRows<T, kSteps>;
  }
}
template <typename T, int kVecs, int kChains, std::size_t... kStep>
constexpr void SetHeld(GemmTiles<T>& tiles, std::index_sequence<kStep...>) {
  ((tiles.held[kStep] = HeldOrNull<T, kVecs, kChains, kStep + 1>()), ...);
}

template <typename T, int kVecs, int kChains, std::size_t... kRow, std::size_t... kFew>
constexpr GemmTiles<T> MakeColumnTiles(std::index_sequence<kRow...>, std::index_sequence<kFew...>) {
  static_assert(sizeof...(kRow) <= kMaxMr && TileShape::kHeldSteps <= kernels::kMaxHeldSteps);
  constexpr const int(&kWide)[kMaxFewRows] = kChains == 1 ? TileShape::kWide1 : TileShape::kWide4;
  constexpr const int(&kLong)[kMaxFewRows] = kChains == 1 ? TileShape::kLong1 : TileShape::kLong4;
  // Few rows are one block of rows, so that no other task computes them too.
  static_assert(FewRows(kWide, kLong) <= static_cast<int>(sizeof...(kRow)));
  GemmTiles<T> tiles = {.mr = sizeof...(kRow),
                        .nr = kVecs * static_cast<int>(HWY_LANES(T)),
                        .k_group = 1,
                        .unit_k_stride = false,
                        .prefetches = kChains == 1,
                        .pack_columns = &PackColumns<T, kVecs* static_cast<int>(HWY_LANES(T))>,
                        .tile = {&ColumnTile<T, kRow + 1, kVecs, 1, kChains>...},
                        .slim_nr = kVecs == 1 ? 0 : static_cast<int>(HWY_LANES(T)),
                        .slim = {SlimOrNull<T, kRow + 1, kVecs, kChains>()...},
                        .narrow = {NarrowOrNull<T, kRow + 1, kVecs, kChains>()...},
                        .slim_narrow = {NarrowOrNull<T, kRow + 1, 1, kChains>()...},
                        .tile_blocks = {BlocksOrNull<T, kRow + 1, kVecs, kChains, false>()...},
                        .slim_blocks = {BlocksOrNull<T, kRow + 1, 1, kChains, false>()...},
                        .narrow_blocks = {BlocksOrNull<T, kRow + 1, kVecs, kChains, true>()...},
                        .slim_narrow_blocks = {BlocksOrNull<T, kRow + 1, 1, kChains, true>()...},
                        .outer = &OuterProduct<T, (kChains > 1)>,
                        .lanes_over_rows = LanesOverRowsOrNull<T, kChains>(),
                        .few_rows = FewRows(kWide, kLong),
                        .wide_panels = {kWide[kFew]...},
                        .wide = {WideOrNull<T, kFew + 1, kVecs, kWide[kFew], kChains>()...},
                        .widest_panels = kWidestPanels<T, kChains>,
                        .widest = WideOrNull<T, 1, kVecs, kWidestPanels<T, kChains>, kChains>(),
                        .long_k = {LongOrNull<T, kFew + 1, kVecs, kLong[kFew], kChains>()...}};
  SetHeld<T, kVecs, kChains>(tiles, std::make_index_sequence<kernels::kMaxHeldSteps>());
  return tiles;
}

template <typename T, std::size_t... kRow>
constexpr GemmTiles<T> MakeOneColumnTiles(std::index_sequence<kRow...>) {
  static_assert(sizeof...(kRow) <= kMaxMr);
  return {.mr = sizeof...(kRow),
          .nr = 1,
          .k_group = 1,
          .unit_k_stride = true,
          .prefetches = false,
          .tile = {&OneColumnTile<T, kRow + 1, TileShape::kVecs16<T>>...},
          .outer = &OuterProduct<T, true>};
}

// More rows would not reuse the panel more than is needed. (NEON: of 8 rows of doubles GCC 12 keeps some in memory.)
constexpr int kMaxInterleavedRows = HWY_TARGET == HWY_NEON ? 7 : 8;

// Interleaved tiles for few rows: panels, or chunks of K (streams), side by side make at least 8 accumulators.
struct FewRowsShape {
  int panels[kMaxFewRows];
  int streams[kMaxFewRows];
};
template <typename T, int kUnits>
constexpr FewRowsShape InterleavedFewRows() {
  constexpr bool kOnePanel = TileShape::kMaxUnits<T> * Unit<T>::kColumns >= 16;  // is all there ever is
  FewRowsShape shape = {};
  for (int m = 1; m <= kMaxFewRows; ++m) {
    const int accumulators = m * kUnits * Unit<T>::kVecs;
    const bool fits = 2 * accumulators <= TileShape::kAccumulators4;
    shape.panels[m - 1] = accumulators < 8 && fits && !kOnePanel && 2 * kUnits > TileShape::kMaxUnits<T> ? 2 : 1;
    shape.streams[m - 1] = accumulators >= 8 || !fits ? 1 : accumulators >= 4 ? 2 : 4;
  }
  return shape;
}

template <typename T, int kRows, int kUnits, int kPanels, int kStreams>
constexpr TileFunction<T> InterleavedOrNull() {
  if constexpr (kPanels * kStreams == 1 || kRows * kUnits * Unit<T>::kVecs > TileShape::kAccumulators4) return nullptr;
  return &InterleavedTile<T, kRows, kUnits, kPanels, kStreams>;
}

template <typename T, int kUnits, std::size_t... kRow, std::size_t... kFew>
constexpr GemmTiles<T> MakeInterleavedTiles(std::index_sequence<kRow...>, std::index_sequence<kFew...>) {
  constexpr int kNr = kUnits * Unit<T>::kColumns;
  constexpr FewRowsShape kShape = InterleavedFewRows<T, kUnits>();
  return {.mr = sizeof...(kRow),
          .nr = kNr,
          .k_group = 4,
          .unit_k_stride = true,
          .prefetches = false,
          .pack_rows = &PackRowsInterleaved<T, kNr>,
          .pack_columns = &PackColumnsInterleaved<T, kNr>,
          .tile = {&InterleavedTile<T, kRow + 1, kUnits, 1, 1>...},
          .few_rows = FewRows(kShape.panels, kShape.streams),
          .wide_panels = {kShape.panels[kFew]...},
          .wide = {InterleavedOrNull<T, kFew + 1, kUnits, kShape.panels[kFew], 1>()...},
          .long_k = {InterleavedOrNull<T, kFew + 1, kUnits, 1, kShape.streams[kFew]>()...}};
}

template <typename T, std::size_t... kUnit>
constexpr kernels::InterleavedTiles<T> MakeAllInterleavedTiles(std::index_sequence<kUnit...>) {
  constexpr auto kRows = [](std::size_t units) {
    return static_cast<std::size_t>(
        HWY_MIN(TileShape::kAccumulators4 / (static_cast<int>(units) * Unit<T>::kVecs), kMaxInterleavedRows));
  };
  return {.unit_columns = Unit<T>::kColumns,
          .max_units = sizeof...(kUnit),
          .tiles = {MakeInterleavedTiles<T, kUnit + 1>(std::make_index_sequence<kRows(kUnit + 1)>(),
                                                       std::make_index_sequence<kMaxFewRows>())...}};
}

constexpr Tier kThisTier =
#define LANEWISE_TIER(id, name, numeric_class, highway_target, highway_namespace, cpu_features) \
  HWY_TARGET == (highway_target) ? Tier::id:
#include "lanewise/tiers.inc"
#undef LANEWISE_TIER
    Tier::kPortable;

template <typename T>
constexpr GemmKernel<T> MakeGemmKernel() {
  constexpr std::make_index_sequence<kMaxFewRows> kFew;
  return {kThisTier, MakeColumnTiles<T, TileShape::kVecs1, 1>(std::make_index_sequence<TileShape::kRows1>(), kFew),
          MakeColumnTiles<T, 1, 4>(std::make_index_sequence<TileShape::kRows4>(), kFew),
          MakeAllInterleavedTiles<T>(std::make_index_sequence<TileShape::kMaxUnits<T>>()),
          MakeOneColumnTiles<T>(std::make_index_sequence<TileShape::kRows16<T>>())};
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_GEMM_INL_H_
