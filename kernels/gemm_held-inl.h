// SPDX-License-Identifier: Apache-2.0
//
// The GEMM kernel that holds all of B in registers, for products of few steps and N = 2..16 that fit in a vector:
// rows of A and C pass by. Contract and numerics as in gemm_columns-inl.h. A row of 8 steps takes 8 multiply-adds and
// as many broadcasts; tiles take twice as many instructions beside them.

#if defined(LANEWISE_GEMM_HELD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_GEMM_HELD_INL_H_
#undef LANEWISE_GEMM_HELD_INL_H_
#else
#define LANEWISE_GEMM_HELD_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include "gemm_columns-inl.h"
#include "gemm_steps-inl.h"
#include "hwy/highway.h"
#include "kernel_table.h"
#include "partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using kernels::TileArgs;

// The sum of one row: step k into chain k mod 4.
template <class D, typename T, std::size_t... kStep>
HWY_INLINE hn::Vec<D> SumOfRow(D d, const T* a, const hn::Vec<D>* b, hn::Vec<D> start, std::index_sequence<kStep...>) {
  hn::Vec<D> p[4] = {start, hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  ((p[kStep % 4] = MultiplyAdd(d, hn::Set(d, a[kStep]), b[kStep], p[kStep % 4])), ...);
  return SumChains<4, 1>(p);
}

template <typename T, bool kFull, std::size_t... kStep>
HWY_INLINE void HeldRowsOf(const TileArgs<T>& t, std::ptrdiff_t rows, std::index_sequence<kStep...> steps) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<hn::ScalableTag<T>>;
  const auto n = static_cast<std::size_t>(t.n);
  const V b[] = {LoadColumns<kFull>(d, t.b + static_cast<std::ptrdiff_t>(kStep) * t.b_k_stride, 0, n)...};
  const V bias = t.bias == nullptr ? hn::Zero(d) : LoadColumns<kFull>(d, t.bias, 0, n);
  const std::ptrdiff_t a_row_stride = t.a_row_stride;
  const std::ptrdiff_t c_row_stride = t.c_row_stride;
  const T* a = t.a;
  T* c = t.c;
  const auto pass = [&] {
    a += a_row_stride;
    c += c_row_stride;
  };
  if (t.beta != T{0}) {
    const V beta = hn::Set(d, t.beta);
    for (; rows != 0; --rows, pass()) {
      const V start = MultiplyAdd(d, beta, LoadColumns<kFull>(d, c, 0, n), bias);
      StoreColumns<kFull>(d, SumOfRow(d, a, b, start, steps), c, 0, n);
    }
    return;
  }
#if HWY_TARGET == HWY_AVX2
  if (!kFull && HalvesMeet(d, n)) {
    const auto last = hn::LoadU(hn::ScalableTag<std::int32_t>(), IndicesOfLast(d, n));
    for (; rows != 0; --rows, pass()) StoreFirstOverlapping(d, SumOfRow(d, a, b, bias, steps), c, n, last);
    return;
  }
#endif
  for (; rows != 0; --rows, pass()) StoreColumns<kFull>(d, SumOfRow(d, a, b, bias, steps), c, 0, n);
}

// GemmTiles::held.
template <typename T, int kSteps>
void HeldRows(const TileArgs<T>& t, std::ptrdiff_t rows) {
  constexpr std::make_index_sequence<kSteps> kAll;
  if (t.n == static_cast<std::int32_t>(HWY_LANES(T))) {
    HeldRowsOf<T, true>(t, rows, kAll);
  } else {
    HeldRowsOf<T, false>(t, rows, kAll);
  }
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_GEMM_HELD_INL_H_
