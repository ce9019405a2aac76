// SPDX-License-Identifier: Apache-2.0
//
// Going over arrays: the one loop of all elementwise kernels, which knows nothing of the formulas it applies. The
// elements that do not fill a vector run the same formula as the others, so that f(x[i]) does not depend on where
// x[i] stands.

#if defined(LANEWISE_ELEMENTWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_ELEMENTWISE_INL_H_
#undef LANEWISE_ELEMENTWISE_INL_H_
#else
#define LANEWISE_ELEMENTWISE_INL_H_
#endif

#include <cstddef>

#include "batch-inl.h"
#include "hwy/highway.h"
#include "kernel_table.h"
#include "partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Every row has external linkage: the table is assembled in another file.
#define LANEWISE_ROW(name, ...) extern const kernels::__VA_ARGS__ name;
#include "kernel_rows.inc"
#undef LANEWISE_ROW

// out[i] = f(d, in[i]...) for i < n; f is a function object on vectors. `out` may be one of the `in`.
template <class D, class F, typename T = hn::TFromD<D>, typename... In>
HWY_INLINE void Map(D d, const F& f, T* out, std::size_t n, const In*... in) {
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  // Two vectors at a time: the formulas are long chains, and the out-of-order window holds only so many of them.
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const auto v0 = f(d, hn::LoadU(d, in + i)...);
    const auto v1 = f(d, hn::LoadU(d, in + i + lanes)...);
    hn::StoreU(v0, d, out + i);
    hn::StoreU(v1, d, out + i + lanes);
  }
  if (i + lanes <= n) {
    hn::StoreU(f(d, hn::LoadU(d, in + i)...), d, out + i);
    i += lanes;
  }
  if (i < n) StoreFirst(d, f(d, LoadFirst(d, in + i, n - i)...), out + i, n - i);
}

// ---- In which lanes a formula is evaluated -----------------------------------------------------------------------

// Functions of T are evaluated in lanes of T, except float on tiers without FMA: a product that is rounded before it
// is added to costs accuracy, and double lanes give it back. d has as many lanes as the evaluation has.
#if HWY_NATIVE_FMA
template <typename T>
using FunctionTag = hn::ScalableTag<T>;
#else
template <typename T>
using FunctionTag = hn::Rebind<T, hn::ScalableTag<double>>;
#endif

#if !HWY_NATIVE_FMA
template <class DF>
HWY_INLINE hn::Vec<DF> RoundToFloat(DF df, hn::Vec<hn::Rebind<double, DF>> v) {
#if HWY_TARGET == HWY_SCALAR
  // Highway's own saturates: infinity would become the largest finite float.
  return hn::Set(df, static_cast<float>(hn::GetLane(v)));
#else
  return hn::DemoteTo(df, v);
#endif
}
#endif

// A function of T from Formula, whose At<Precision>(d, x...) computes in the lanes of d what is accurate enough for
// a result in Precision. Of several arguments the first may be a batch and others vectors.
template <class Formula>
struct Function {
  template <class D, class V, class... Vs>
  HWY_INLINE V operator()(D d, const V& x, const Vs&... others) const {
    using T = hn::TFromD<D>;
#if !HWY_NATIVE_FMA
    if constexpr (sizeof(T) == sizeof(float)) {
      const hn::Rebind<double, D> wide;
      return ops::Lift([d](auto y) HWY_ATTR { return RoundToFloat(d, y); },
                       Formula::template At<float>(wide, ops::PromoteTo(wide, x), ops::PromoteTo(wide, others)...));
    } else
#endif
    {
      return Formula::template At<T>(d, x, others...);
    }
  }
};

// For how many vectors a formula is evaluated side by side. Four do not stay in the 16 registers of avx2, but their
// sigmoid takes 10 % less time than two at a time all the same, and the other functions as much (Zen 5).
inline constexpr std::size_t kSideBySide = HWY_NATIVE_FMA ? 4 : 2;

// out[i] = f(d, in[i]...) for i < n; f is a formula on vectors and batches. `out` may be one of the `in`.
template <class D, class F, typename T = hn::TFromD<D>, typename... In>
HWY_INLINE void MapFormula(D d, const F& f, T* out, std::size_t n, const In*... in) {
  const std::make_index_sequence<kSideBySide> parts;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + kSideBySide * lanes <= n; i += kSideBySide * lanes)
    ops::Store(f(d, ops::Load(d, in + i, parts)...), d, out + i, parts);
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(d, hn::LoadU(d, in + i)...), d, out + i);
  if (i < n) StoreFirst(d, f(d, LoadFirst(d, in + i, n - i)...), out + i, n - i);
}

// The body of a UnaryKernel.
template <typename T, class Formula>
void RunFunction(const T* x, T* y, std::size_t n) {
  MapFormula(FunctionTag<T>(), Function<Formula>(), y, n, x);
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_ELEMENTWISE_INL_H_
