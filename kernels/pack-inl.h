// SPDX-License-Identifier: Apache-2.0
//
// Packs panels of B, where copying rows will not do, for any target and type: B with contiguous columns (a transposed
// row-major matrix) into k-major panels, and any B into interleaved ones. Squares of one vector by one vector are
// transposed in registers.

#if defined(LANEWISE_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_PACK_INL_H_
#undef LANEWISE_PACK_INL_H_
#else
#define LANEWISE_PACK_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "hwy/highway.h"
#include "partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Highway shuffles cheaply within blocks of 16 bytes, and whole blocks.
template <typename T>
constexpr std::size_t kBlockLanes = HWY_MIN(16 / sizeof(T), HWY_LANES(T));

#if HWY_TARGET == HWY_SCALAR  // one lane, and no shuffles
template <class D, class V>
HWY_INLINE void TransposeInBlocks(D, V*) {}
template <std::size_t kStep, class D, class V>
HWY_INLINE void TransposeBlocks(D, V*) {}
#else

// In each block: element e of vector i to element i of vector e.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void TransposeInBlocks(D d, V* v) {
  constexpr std::size_t kLanes = kBlockLanes<hn::TFromD<D>>;
  if constexpr (kLanes == 4) {
    const V low02 = hn::InterleaveLower(d, v[0], v[2]);
    const V low13 = hn::InterleaveLower(d, v[1], v[3]);
    const V high02 = hn::InterleaveUpper(d, v[0], v[2]);
    const V high13 = hn::InterleaveUpper(d, v[1], v[3]);
    v[0] = hn::InterleaveLower(d, low02, low13);
    v[1] = hn::InterleaveUpper(d, low02, low13);
    v[2] = hn::InterleaveLower(d, high02, high13);
    v[3] = hn::InterleaveUpper(d, high02, high13);
  } else if constexpr (kLanes == 2) {
    const V low = hn::InterleaveLower(d, v[0], v[1]);
    v[1] = hn::InterleaveUpper(d, v[0], v[1]);
    v[0] = low;
  }
}

// Block b of vector i * kStep to block i of vector b * kStep.
template <std::size_t kStep, class D, class V = hn::Vec<D>>
HWY_INLINE void TransposeBlocks(D d, V* v) {
  constexpr std::size_t kBlocks = hn::MaxLanes(D()) / kBlockLanes<hn::TFromD<D>>;
  if constexpr (kBlocks == 4) {
    const V low02 = hn::ConcatLowerLower(d, v[2 * kStep], v[0]);
    const V low13 = hn::ConcatLowerLower(d, v[3 * kStep], v[kStep]);
    const V high02 = hn::ConcatUpperUpper(d, v[2 * kStep], v[0]);
    const V high13 = hn::ConcatUpperUpper(d, v[3 * kStep], v[kStep]);
    v[0] = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(low13), low02);
    v[kStep] = hn::OddEvenBlocks(low13, hn::SwapAdjacentBlocks(low02));
    v[2 * kStep] = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(high13), high02);
    v[3 * kStep] = hn::OddEvenBlocks(high13, hn::SwapAdjacentBlocks(high02));
  } else if constexpr (kBlocks == 2) {
    const V low = hn::ConcatLowerLower(d, v[kStep], v[0]);
    v[kStep] = hn::ConcatUpperUpper(d, v[kStep], v[0]);
    v[0] = low;
  }
}

#endif

// out[i * out_stride + j] = in[j * in_stride + i] for i < steps: a square of one vector by one vector, of which an edge
// has only some columns (j) and steps. Columns that `in` lacks become `pad`.
template <bool kEdge, class D, typename T, std::size_t... kRow, std::size_t... kBlock, std::size_t... kLane>
HWY_INLINE void TransposeSquare(D d, const T* in, std::ptrdiff_t in_stride, std::size_t columns, std::size_t steps,
                                T* out, std::ptrdiff_t out_stride, T pad, std::index_sequence<kRow...>,
                                std::index_sequence<kBlock...>, std::index_sequence<kLane...>) {
  const auto load = [=](std::size_t j) HWY_ATTR {
    const T* column = in + static_cast<std::ptrdiff_t>(j) * in_stride;
    if constexpr (!kEdge) return hn::LoadU(d, column);
    return j < columns ? LoadFirst(d, column, steps) : hn::Set(d, pad);
  };
  const auto store = [=](hn::Vec<D> v, std::size_t i) HWY_ATTR {
    if (!kEdge || i < steps) hn::StoreU(v, d, out + static_cast<std::ptrdiff_t>(i) * out_stride);
  };
  hn::Vec<D> v[sizeof...(kRow)] = {load(kRow)...};
  (TransposeInBlocks(d, v + kBlock * sizeof...(kLane)), ...);
  (TransposeBlocks<sizeof...(kLane)>(d, v + kLane), ...);
  (store(v[kRow], kRow), ...);
}

// PackFunction of kernel_table.h for contiguous columns, into k-major panels of kNr columns.
template <typename T, int kNr>
void PackColumns(const T* b, std::ptrdiff_t column_stride, std::ptrdiff_t k, std::ptrdiff_t n, T* panel) {
  const hn::ScalableTag<T> d;
  constexpr auto kLanes = static_cast<std::ptrdiff_t>(HWY_LANES(T));
  static_assert(kNr % kLanes == 0);
  constexpr std::make_index_sequence<kLanes> kRows;
  constexpr std::make_index_sequence<kLanes / kBlockLanes<T>> kBlocks;
  constexpr std::make_index_sequence<kBlockLanes<T>> kInBlock;
  for (std::ptrdiff_t j = 0; j < kNr; j += kLanes) {
    const std::ptrdiff_t columns = HWY_MIN(HWY_MAX(n - j, 0), kLanes);
    for (std::ptrdiff_t i = 0; i < k; i += kLanes) {
      const std::ptrdiff_t steps = HWY_MIN(k - i, kLanes);
      const T* in = b + (columns == 0 ? 0 : j * column_stride + i);
      T* out = panel + i * kNr + j;
      if (columns == kLanes && steps == kLanes) {
        TransposeSquare<false>(d, in, column_stride, kLanes, kLanes, out, kNr, T{0}, kRows, kBlocks, kInBlock);
      } else {
        TransposeSquare<true>(d, in, column_stride, static_cast<std::size_t>(columns), static_cast<std::size_t>(steps),
                              out, kNr, T{0}, kRows, kBlocks, kInBlock);
      }
    }
  }
}

// PackFunction for contiguous rows, into interleaved panels of kNr columns.
template <typename T, int kNr>
void PackRowsInterleaved(const T* b, std::ptrdiff_t row_stride, std::ptrdiff_t k, std::ptrdiff_t n, T* panel) {
  for (std::ptrdiff_t i = 0; i < k; i += 4, panel += 4 * kNr) {
    const T* rows = b + i * row_stride;
    const std::ptrdiff_t steps = HWY_MIN(k - i, 4);
    std::ptrdiff_t j = 0;
#if HWY_TARGET != HWY_SCALAR
    if constexpr (HWY_LANES(T) >= 4) {
      const hn::CappedTag<T, 4> d;
      constexpr std::make_index_sequence<4> kRows;
      constexpr std::make_index_sequence<4 / kBlockLanes<T>> kBlocks;
      constexpr std::make_index_sequence<kBlockLanes<T>> kInBlock;
      if (steps == 4) {
        for (; j + 4 <= n; j += 4) {
          TransposeSquare<false>(d, rows + j, row_stride, 4, 4, panel + 4 * j, 4, T{0}, kRows, kBlocks, kInBlock);
        }
      }
    }
#endif
    for (; j < n; ++j) {
      for (std::ptrdiff_t step = 0; step < 4; ++step) {
        panel[4 * j + step] = step < steps ? rows[step * row_stride + j] : -T{0};
      }
    }
    for (; j < kNr; ++j) std::fill_n(panel + 4 * j, 4, T{0});
  }
}

// PackFunction for contiguous columns, into interleaved panels of kNr columns.
template <typename T, int kNr>
void PackColumnsInterleaved(const T* b, std::ptrdiff_t column_stride, std::ptrdiff_t k, std::ptrdiff_t n, T* panel) {
  for (std::ptrdiff_t i = 0; i < k; i += 4, panel += 4 * kNr) {
    const std::ptrdiff_t steps = HWY_MIN(k - i, 4);
    for (std::ptrdiff_t j = 0; j < n; ++j) {
      const T* column = b + j * column_stride + i;
      if (steps == 4) {
        std::memcpy(panel + 4 * j, column, 4 * sizeof(T));
      } else {
        for (std::ptrdiff_t step = 0; step < 4; ++step) panel[4 * j + step] = step < steps ? column[step] : -T{0};
      }
    }
    for (std::ptrdiff_t j = n; j < kNr; ++j) std::fill_n(panel + 4 * j, 4, T{0});
  }
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_PACK_INL_H_
