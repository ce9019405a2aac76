// SPDX-License-Identifier: Apache-2.0
//
// exp, sigmoid and tanh, which share one argument reduction and one polynomial:
//
//   x = n ln 2 + r, |r| <= ln 2 / 2;   e^x = 2^n (1 + s),  s = e^r - 1 = r + r^2 q(r)
//
// Cody and Waite's reduction (Software Manual for the Elementary Functions, 1980) in two constants.
//
// At<Precision>(d, x) computes in the lanes of d a result that is accurate for Precision.

#if defined(LANEWISE_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_EXP_INL_H_
#undef LANEWISE_EXP_INL_H_
#else
#define LANEWISE_EXP_INL_H_
#endif

#include "hwy/highway.h"
#include "math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {

// q on |r| <= ln 2 / 2.
template <typename Precision, class D, class V = hn::Vec<D>>
HWY_INLINE V ExpQ(D d, V r) {
  if constexpr (sizeof(Precision) == sizeof(double)) {
    // e^r to 2^-62.1, e^r - 1 to 2^-60.8
    return Polynomial(d, r, 0x1p-1, 0x1.5555555555557p-3, 0x1.5555555555552p-5, 0x1.111111111004fp-7,
                      0x1.6c16c16c18932p-10, 0x1.a01a01ac1fd2bp-13, 0x1.a01a0197beccdp-16, 0x1.71de01a4d8ce7p-19,
                      0x1.27e500d3ddc3cp-22, 0x1.af4edf04837bp-26, 0x1.1f33114cf4b9p-29);
  } else if constexpr (sizeof(hn::TFromD<D>) == sizeof(double)) {
    // e^r to 2^-32.1, e^r - 1 to 2^-30.9
    return Polynomial(d, r, 0x1.0000000b87051p-1, 0x1.555555270cd19p-3, 0x1.5554e921addcep-5, 0x1.11114bfc00f41p-7,
                      0x1.6d43173f565d5p-10, 0x1.a072d6cb812bfp-13);
  } else {
    // e^r to 2^-26.6, e^r - 1 to 2^-25.3
    return Polynomial(d, r, 0x1p-1, 0x1.5554dep-3, 0x1.55556cp-5, 0x1.120ad8p-7, 0x1.6ca9bcp-10);
  }
}

template <class V, class VU>
struct Reduced {
  V s;          // e^r - 1
  VU exponent;  // n modulo 2^12, to be shifted into place
};

// For |x| <= 2^20 or so; elsewhere the parts mean nothing (but a NaN gives s = NaN).
template <typename Precision, class D, class V = hn::Vec<D>>
HWY_INLINE auto ReduceExp(D d, V x) {
  using F = FormatOf<D>;
  const hn::RebindToUnsigned<D> du;
  const V shifted = hn::MulAdd(x, hn::Set(d, F::kLog2e), hn::Set(d, F::kShifter));
  const V n = hn::Sub(shifted, hn::Set(d, F::kShifter));
  // r = head - low. The head is exact; r is rounded, which the polynomial does not mind but its first term would.
  const V head = hn::NegMulAdd(n, hn::Set(d, F::kLn2High), x);
  const V low = hn::Mul(n, hn::Set(d, F::kLn2Low));
  const V r = hn::Sub(head, low);
  const V s = hn::Add(head, hn::MulSub(hn::Mul(r, r), ExpQ<Precision>(d, r), low));
  const auto exponent = hn::BitCast(du, shifted);
  return Reduced<V, decltype(exponent)>{s, exponent};
}

// The limits of e^x in each format.
template <typename T>
struct ExpLimits;
template <>
struct ExpLimits<float> {
  static constexpr float kNormal = 0x1.5d589ep6f;  // e^-x is normal up to here (and e^x finite)
  static constexpr float kFinite = 0x1.62e42ep6f;  // e^x is finite up to here
  static constexpr float kUnderflow = -104.0f;     // e^x rounds to 0 from here down
};
template <>
struct ExpLimits<double> {
  static constexpr double kNormal = 0x1.6232bdd7abcd2p9;
  static constexpr double kFinite = 0x1.62e42fefa39efp9;
  static constexpr double kUnderflow = -746.0;
};

// e^x. exp(-inf) = +0, exp(+inf) = +inf.
// Error: float at most 0.955 ULP (all inputs; at -0x1.790706p+2) in the fma class, 0.51 in the mul-add class; double
// at most 1.0 (seen in samples: 0.78).
struct Exp {
  template <typename Precision, class D, class V = hn::Vec<D>>
  static HWY_INLINE V At(D d, V x) {
    using F = FormatOf<D>;
    using Limits = ExpLimits<hn::TFromD<D>>;
    const hn::RebindToUnsigned<D> du;
    const auto reduced = ReduceExp<Precision>(d, x);
    const V p = hn::Add(reduced.s, hn::Set(d, 1));
    // Multiplies by 2^n in the exponent's field; no float operation meets a number that is not normal.
    const auto scaled = hn::Add(hn::BitCast(du, p), hn::ShiftLeft<F::kMantissaBits>(reduced.exponent));
    V y = hn::BitCast(d, scaled);
    if (HWY_LIKELY(hn::AllTrue(d, hn::Le(hn::Abs(x), hn::Set(d, Limits::kNormal))))) return y;

    // Denormal results: 2^64 e^x is added to the number 2^64 times the smallest normal one, whose last bit weighs
    // 2^64 times the smallest denormal. The sum's low bits are the result's, rounded once, without an assist.
    const auto base = hn::Set(du, F::kMinNormal + (typename F::Bits{64} << F::kMantissaBits));
    const auto raised = hn::Add(scaled, hn::Set(du, typename F::Bits{64} << F::kMantissaBits));
    const V sum = hn::Add(hn::BitCast(d, raised), hn::BitCast(d, base));
    const V denormal = hn::BitCast(d, hn::Sub(hn::BitCast(du, sum), base));
    y = hn::IfThenElse(hn::Lt(x, hn::Set(d, -Limits::kNormal)), denormal, y);
    y = hn::IfThenElse(hn::Lt(x, hn::Set(d, Limits::kUnderflow)), hn::Zero(d), y);
    // Overflow and NaN: x + inf is inf and NaN.
    return hn::IfThenElse(hn::Le(x, hn::Set(d, Limits::kFinite)), y, hn::Add(x, FromBits(d, F::kInfinity)));
  }
};

// 1 / (1 + e^-x), as e^-|x| / (1 + e^-|x|) for x < 0: nothing overflows and no bits cancel.
// Error: float at most 2.402 ULP (all inputs; at -0x1.0a111ap+2) in the fma class, where x > 0 has 1.499; 0.51 in the
// mul-add class; double at most 2.5 (seen in samples: 1.58).
struct Sigmoid {
  template <typename Precision, class D, class V = hn::Vec<D>>
  static HWY_INLINE V At(D d, V x) {
    const V one = hn::Set(d, 1);
    const V e = Exp::At<Precision>(d, hn::Neg(hn::Abs(x)));
    const V numerator = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one);
    return hn::Div(numerator, hn::Add(one, e));
  }
};

// -m / (2 + m) with m = e^(-2|x|) - 1 = 2^n s + (2^n - 1) and the sign of x. Where x is small n is 0 and m = s, which
// keeps its relative accuracy. tanh(+-inf) = +-1.
// Error: float at most 2.499 ULP (all inputs; at +-0x1.205368p+2) in the fma class, most of it the rounding of 2 + m;
// 0.51 in the mul-add class; double at most 2.7 (seen in samples: 2.45).
struct Tanh {
  template <typename Precision, class D, class V = hn::Vec<D>>
  static HWY_INLINE V At(D d, V x) {
    using F = FormatOf<D>;
    const hn::RebindToUnsigned<D> du;
    // From 20 on tanh is 1 in double too. NaN passes.
    const V limit = hn::Set(d, 20);
    const V magnitude = hn::Abs(x);
    const V a = hn::IfThenElse(hn::Gt(magnitude, limit), limit, magnitude);
    const auto reduced = ReduceExp<Precision>(d, hn::Mul(a, hn::Set(d, -2)));
    const V power = hn::BitCast(d, hn::Add(hn::ShiftLeft<F::kMantissaBits>(reduced.exponent), hn::Set(du, F::kOne)));
    const V m = hn::MulAdd(power, reduced.s, hn::Sub(power, hn::Set(d, 1)));
    return hn::CopySign(hn::Div(m, hn::Add(m, hn::Set(d, 2))), x);
  }
};

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_EXP_INL_H_
