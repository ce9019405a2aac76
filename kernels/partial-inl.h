// SPDX-License-Identifier: Apache-2.0
//
// Loads and stores of the first `n` lanes of a vector that touch no byte beyond them, on every target. Highway's
// masked operations may touch the whole vector on SSE4, NEON and HWY_SCALAR; there the lanes go through the stack.

#if defined(LANEWISE_PARTIAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_PARTIAL_INL_H_
#undef LANEWISE_PARTIAL_INL_H_
#else
#define LANEWISE_PARTIAL_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Lanes [0, n) from p, zero in the others; n is at most the number of lanes.
template <class D, typename T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> LoadFirst(D d, const T* p, std::size_t n) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return hn::MaskedLoad(hn::FirstN(d, n), d, p);
#else
  HWY_ALIGN T lanes[HWY_LANES(T)] = {};
  for (std::size_t i = 0; i < n; ++i) lanes[i] = p[i];
  return hn::Load(d, lanes);
#endif
}

// Lanes [0, n) of v to p; n is at most the number of lanes.
template <class D, typename T = hn::TFromD<D>>
HWY_INLINE void StoreFirst(D d, hn::Vec<D> v, T* p, std::size_t n) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  hn::BlendedStore(v, hn::FirstN(d, n), d, p);
#else
  HWY_ALIGN T lanes[HWY_LANES(T)];
  hn::Store(v, d, lanes);
  for (std::size_t i = 0; i < n; ++i) p[i] = lanes[i];
#endif
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_PARTIAL_INL_H_
