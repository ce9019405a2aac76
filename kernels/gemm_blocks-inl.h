// SPDX-License-Identifier: Apache-2.0
//
// Tiles one below the other (TileArgs and BlocksFunction of kernel_table.h), for any target and type.

#if defined(LANEWISE_GEMM_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_GEMM_BLOCKS_INL_H_
#undef LANEWISE_GEMM_BLOCKS_INL_H_
#else
#define LANEWISE_GEMM_BLOCKS_INL_H_
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

template <typename T, int kRows, int kVecs, int kChains, bool kNarrow, bool kFull, bool kAlongRows>
HWY_INLINE void Blocks(TileArgs<T>& t, std::ptrdiff_t blocks) {
  const hn::ScalableTag<T> d;
  constexpr int kCount = kRows * kVecs;
  constexpr std::make_index_sequence<kCount> kAllOutputs;
  for (; blocks != 0; --blocks) {
    constexpr int kSums = kChainsAtOnce<kChains, kCount> * kCount;
    hn::Vec<hn::ScalableTag<T>> acc[kSums];
    if constexpr (kChains > 1) ZeroAll(hn::Zero(d), acc, std::make_index_sequence<kSums>());
    StartFromBias<kFull, kVecs>(d, t, acc, std::make_index_sequence<kVecs>(), kAllOutputs);
    const Position<T> at{t.a, t.b, nullptr};
    if constexpr (kChains == 4) {
      SumChunk<4, kRows, kVecs, 1, kNarrow>(d, t, at, t.k, acc);
    } else if constexpr (kRows > 1) {
      UnrolledSteps<kRows, kVecs, 1, kNarrow, kAlongRows, false>(d, t, at, t.k, acc);
    } else {
      Steps<kRows, kVecs, 1, false, kNarrow>(d, t, at, t.k, acc);
    }
    StoreAll<kFull, kVecs>(d, t, acc, kAllOutputs);
    t.a += kRows * t.a_row_stride;
    t.c += kRows * t.c_row_stride;
  }
}

template <typename T, int kRows, int kVecs, int kChains, bool kNarrow, bool kFull>
HWY_INLINE void BlocksOfAnyA(TileArgs<T>& t, std::ptrdiff_t blocks) {
  if constexpr (kChains == 1 && kRows > 1) {
    if (t.a_k_stride != 1) return Blocks<T, kRows, kVecs, kChains, kNarrow, kFull, true>(t, blocks);
  }
  Blocks<T, kRows, kVecs, kChains, kNarrow, kFull, false>(t, blocks);
}

// GemmTiles::tile_blocks and slim_blocks and, kNarrow, narrow_blocks and slim_narrow_blocks.
template <typename T, int kRows, int kVecs, int kChains, bool kNarrow>
void ColumnBlocks(TileArgs<T>& t, std::ptrdiff_t blocks) {
  if (!kNarrow && t.n == static_cast<std::int32_t>(kVecs * HWY_LANES(T))) {
    BlocksOfAnyA<T, kRows, kVecs, kChains, false, true>(t, blocks);
  } else {
    BlocksOfAnyA<T, kRows, kVecs, kChains, kNarrow, false>(t, blocks);
  }
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_GEMM_BLOCKS_INL_H_
