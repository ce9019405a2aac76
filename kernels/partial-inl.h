// SPDX-License-Identifier: Apache-2.0
//
// Loads and stores of the first `n` lanes of a vector that touch no byte beyond them, on every target. Highway's
// masked operations may touch the whole vector on SSE4, NEON and HWY_SCALAR, whose vectors have 4 lanes at most: there
// halves and single lanes are loaded and stored. (Through an array on the stack it takes the time of 15 to 20 steps.)

#if defined(LANEWISE_PARTIAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_PARTIAL_INL_H_
#undef LANEWISE_PARTIAL_INL_H_
#else
#define LANEWISE_PARTIAL_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Whether masked loads touch nothing beyond the mask, and cost no more than others.
inline constexpr bool kMasksLoads = HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3;

// Lanes [0, n) from p, zero in the others; n is at most the number of lanes.
template <class D, typename T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> LoadFirst(D d, const T* p, std::size_t n) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return hn::MaskedLoad(hn::FirstN(d, n), d, p);
#elif HWY_TARGET == HWY_SCALAR
  return n == 0 ? hn::Zero(d) : hn::LoadU(d, p);
#else
  if (n >= hn::MaxLanes(d)) return hn::LoadU(d, p);
  if constexpr (hn::MaxLanes(d) == 2) {
    return n == 0 ? hn::Zero(d) : hn::IfThenElseZero(hn::FirstN(d, 1), hn::Set(d, p[0]));
  } else {
    static_assert(hn::MaxLanes(d) == 4);
    const hn::Half<D> half;
    if (n < 2) return hn::ZeroExtendVector(d, LoadFirst(half, p, n));
    return hn::Combine(d, LoadFirst(half, p + 2, n - 2), hn::LoadU(half, p));
  }
#endif
}

// Lanes [0, n) of v to p; n is at most the number of lanes.
template <class D, typename T = hn::TFromD<D>>
HWY_INLINE void StoreFirst(D d, hn::Vec<D> v, T* p, std::size_t n) {
#if HWY_TARGET == HWY_AVX3
  hn::BlendedStore(v, hn::FirstN(d, n), d, p);
#elif HWY_TARGET == HWY_SCALAR
  if (n != 0) hn::StoreU(v, d, p);
#else
  if (n >= hn::MaxLanes(d)) {
    hn::StoreU(v, d, p);
  } else if constexpr (hn::MaxLanes(d) == 2) {
    if (n != 0) *p = hn::GetLane(v);
  } else if constexpr (hn::MaxLanes(d) > 2) {
    const hn::Half<D> half;
    constexpr std::size_t kHalf = hn::MaxLanes(d) / 2;
    if (n < kHalf) {
      StoreFirst(half, hn::LowerHalf(half, v), p, n);
    } else {
      hn::StoreU(hn::LowerHalf(half, v), half, p);
      StoreFirst(half, hn::UpperHalf(half, v), p + kHalf, n - kHalf);
    }
  }
#endif
}

#if HWY_TARGET == HWY_AVX2
// Whether StoreFirstOverlapping can: halves are then wide enough to meet.
template <class D>
HWY_INLINE bool HalvesMeet(D /*d*/, std::size_t n) {
  return 2 * n >= HWY_LANES(hn::TFromD<D>);
}

// Where the indices are that bring the half of a vector that ends with lane n - 1 down to lane 0, in lanes of 32 bits.
alignas(64) inline constexpr std::int32_t kLaneIndices[] = {0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3};
template <class D>
HWY_INLINE const std::int32_t* IndicesOfLast(D /*d*/, std::size_t n) {
  using T = hn::TFromD<D>;
  return kLaneIndices + (n - HWY_LANES(T) / 2) * (sizeof(T) / sizeof(std::int32_t));
}

// StoreFirst of one of many vectors, `last` being IndicesOfLast(d, n): the first half and the last, which may overlap.
// Zen takes AVX2's masked store in microcode, and StoreFirst branches for each vector: 1000 x 20 x 10 is 1.2 times as
// fast so.
template <class D, typename T = hn::TFromD<D>>
HWY_INLINE void StoreFirstOverlapping(D d, hn::Vec<D> v, T* p, std::size_t n,
                                      hn::Vec<hn::ScalableTag<std::int32_t>> last) {
  const hn::ScalableTag<std::int32_t> d32;
  const hn::Half<D> half;
  hn::StoreU(hn::LowerHalf(half, v), half, p);
  const auto moved = hn::TableLookupLanes(hn::BitCast(d32, v), hn::IndicesFromVec(d32, last));
  hn::StoreU(hn::LowerHalf(half, hn::BitCast(d, moved)), half, p + n - HWY_LANES(T) / 2);
}
#endif

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_PARTIAL_INL_H_
