// SPDX-License-Identifier: Apache-2.0
//
// exp, sigmoid and tanh, which share one argument reduction and one polynomial:
//
//   x = n ln 2 + r, |r| <= ln 2 / 2;   e^x = 2^n (1 + s),  s = e^r - 1 = r + r^2 q(r)
//
// Cody and Waite's reduction (Software Manual for the Elementary Functions, 1980) in two constants. Constants and
// coefficients are made by coefficients.sollya; errors of float are those of a sweep over all inputs
// (`lanewise accuracy --full`; tests/certificates).
//
// At<Precision>(d, x) computes in the lanes of d a result that is accurate for Precision.

#if defined(LANEWISE_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_EXP_INL_H_
#undef LANEWISE_EXP_INL_H_
#else
#define LANEWISE_EXP_INL_H_
#endif

#include "hwy/highway.h"
#include "batch-inl.h"
#include "math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {

// q on |r| <= ln 2 / 2.
template <typename Precision, class D, class V = hn::Vec<D>>
HWY_INLINE V ExpQ(D d, V r) {
  if constexpr (sizeof(Precision) == sizeof(double)) {
    // e^r to 2^-63.0, e^r - 1 to 2^-61.5
    return Polynomial(d, r, 0x1p-1, 0x1.5555555555559p-3, 0x1.555555555554dp-5, 0x1.111111110f653p-7,
                      0x1.6c16c16c1abp-10, 0x1.a01a01b004d51p-13, 0x1.a01a018e0ed14p-16, 0x1.71ddf80ab45d1p-19,
                      0x1.27e51337f9467p-22, 0x1.af5f36a0aaa12p-26, 0x1.1f1a3e0ae778p-29);
  } else if constexpr (sizeof(hn::TFromD<D>) == sizeof(double)) {
    // e^r to 2^-33.2, e^r - 1 to 2^-31.9
    return Polynomial(d, r, 0x1.0000002606b07p-1, 0x1.555554ef50e95p-3, 0x1.5554b0ec50ec5p-5, 0x1.111189985302ep-7,
                      0x1.6d723e08062c6p-10, 0x1.a032c34029811p-13);
  } else {
    // e^r to 2^-27.4, e^r - 1 to 2^-26.0
    return Polynomial(d, r, 0x1.fffffep-2, 0x1.5554bp-3, 0x1.555716p-5, 0x1.1227a2p-7, 0x1.6b737cp-10);
  }
}

// e^x = 2^n (1 + head + tail), |tail| < 0.1, for |x| <= 2^20 or so; elsewhere the parts mean nothing (but a NaN gives
// NaNs). The sum's error is that of the polynomial and of rounding the tail. Returns n modulo 2^12, to be shifted into
// place.
template <typename Precision, class D, class V>
HWY_INLINE auto ReduceExp(D d, const V& x, V& head, V& tail) {
  using F = FormatOf<D>;
  const V shifted = ops::MulAdd(x, hn::Set(d, F::kLog2e), hn::Set(d, F::kShifter));
  const V n = ops::Sub(shifted, hn::Set(d, F::kShifter));
  // r = head - low. The head is exact; r is rounded, which the polynomial does not mind but its first term would.
  head = ops::NegMulAdd(n, hn::Set(d, F::kLn2High), x);
  const V low = ops::Mul(n, hn::Set(d, F::kLn2Low));
  const V r = ops::Sub(head, low);
  tail = ops::MulSub(ops::Mul(r, r), ExpQ<Precision>(d, r), low);
  return ops::BitCast(hn::RebindToUnsigned<D>(), shifted);
}

// 2^n for an n that gives a normal number.
template <class D, class VU>
HWY_INLINE auto PowerOfTwo(D d, VU exponent) {
  using F = FormatOf<D>;
  const hn::RebindToUnsigned<D> du;
  return ops::BitCast(d, ops::Add(ops::ShiftLeft<F::kMantissaBits>(exponent), hn::Set(du, F::kOne)));
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
// Largest error, float: 0.892 ULP at 0x1.f310eep+3 in the fma class, 0.5012 at 0x1.3ab098p+6 in the mul-add class;
// double: 1.0 ULP is promised, 0.83 seen in samples.
struct Exp {
  template <typename Precision, class D, class V = hn::Vec<D>>
  static HWY_INLINE V At(D d, V x) {
    using F = FormatOf<D>;
    using Limits = ExpLimits<hn::TFromD<D>>;
    const hn::RebindToUnsigned<D> du;
    V head;
    V tail;
    const auto n = ReduceExp<Precision>(d, x, head, tail);
    const V p = ops::Add(ops::Add(head, tail), hn::Set(d, 1));
    // Multiplies by 2^n in the exponent's field; no float operation meets a number that is not normal.
    const auto scaled = ops::Add(ops::BitCast(du, p), ops::ShiftLeft<F::kMantissaBits>(n));
    V y = ops::BitCast(d, scaled);
    if (HWY_LIKELY(ops::AllTrue(d, ops::Le(ops::Abs(x), hn::Set(d, Limits::kNormal))))) return y;

    // Denormal results: 2^64 e^x is added to the number 2^64 times the smallest normal one, whose last bit weighs
    // 2^64 times the smallest denormal. The sum's low bits are the result's, rounded once, without an assist.
    const auto base = hn::Set(du, F::kMinNormal + (typename F::Bits{64} << F::kMantissaBits));
    const auto raised = ops::Add(scaled, hn::Set(du, typename F::Bits{64} << F::kMantissaBits));
    const V sum = ops::Add(ops::BitCast(d, raised), ops::BitCast(d, base));
    const V denormal = ops::BitCast(d, ops::Sub(ops::BitCast(du, sum), base));
    y = ops::IfThenElse(ops::Lt(x, hn::Set(d, -Limits::kNormal)), denormal, y);
    y = ops::IfThenElse(ops::Lt(x, hn::Set(d, Limits::kUnderflow)), hn::Zero(d), y);
    // Overflow and NaN: x + inf is inf and NaN.
    return ops::IfThenElse(ops::Le(x, hn::Set(d, Limits::kFinite)), y, ops::Add(x, FromBits(d, F::kInfinity)));
  }
};

// ---- What rounding loses -------------------------------------------------------------------------------------------

// a + b - sum exactly, where sum is the rounded a + b, for |a| >= |b| or a = 0 (Dekker's Fast2Sum).
template <class A, class V>
HWY_INLINE V LostOfOrdered(const A& a, const V& b, const V& sum) {
  return ops::Sub(b, ops::Sub(sum, a));
}

// The same for any a and b (Knuth's TwoSum).
template <class A, class V>
HWY_INLINE V Lost(const A& a, const V& b, const V& sum) {
  const V b_part = ops::Sub(sum, a);
  return ops::Add(ops::Sub(a, ops::Sub(sum, b_part)), ops::Sub(b, b_part));
}

// What the rounded quotient q leaves of numerator / denominator: numerator - q * denominator, exactly. Zero on tiers
// without FMA, which would not get it exactly: there the rounding of q remains in the result.
template <class N, class V>
HWY_INLINE V DivisionRest(N numerator, V q, V denominator) {
#if HWY_NATIVE_FMA
  return ops::NegMulAdd(q, denominator, numerator);
#else
  (void)numerator;
  (void)denominator;
  return ops::Sub(q, q);
#endif
}

// Whether lanes are no wider than the result, so that each rounding shows in it; double lanes have bits to spare for a
// float.
template <typename Precision, class D>
inline constexpr bool kTight = sizeof(hn::TFromD<D>) == sizeof(Precision);

// ---- Sigmoid and tanh ---------------------------------------------------------------------------------------------

// 1 / (1 + e^-x). sigmoid(-inf) = +0. Beyond 88 or so the result is 1 or e^x.
// e^-x and 1 + e^-x are carried in two parts, and the quotient q = 1 / (1 + e^-x) is corrected by q times what it
// leaves of 1.
// Largest error, float: 0.924 ULP at -0x1.aafcfp+4 in the fma class, 0.5011 at -0x1.5ad366p+5 in the mul-add class;
// double: 1.0 and 1.5 ULP are promised, 0.81 and 1.22 seen in samples.
struct Sigmoid {
  template <typename Precision, class D, class V = hn::Vec<D>>
  static HWY_INLINE V At(D d, V x) {
    const auto inside = ops::Le(ops::Abs(x), hn::Set(d, ExpLimits<hn::TFromD<D>>::kNormal));
    if (HWY_LIKELY(ops::AllTrue(d, inside))) return Inside<Precision>(d, x);
    const auto positive = ops::Gt(x, hn::Zero(d));
    const V outside = ops::IfThenElse(positive, hn::Set(d, 1), Exp::At<Precision>(d, x));
    if (ops::AllFalse(d, inside)) return outside;
    return ops::IfThenElse(inside, Inside<Precision>(d, x), outside);
  }

 private:
  // For e^-x that is normal and finite.
  template <typename Precision, class D, class V>
  static HWY_INLINE V Inside(D d, const V& x) {
    const auto one = hn::Set(d, 1);
    V head;
    V tail;
    const V power = PowerOfTwo(d, ReduceExp<Precision>(d, ops::Neg(x), head, tail));
    const V s = ops::Add(head, tail);
    const V p = ops::Add(s, one);
    if constexpr (!kTight<Precision, D>) return ops::Div(one, ops::MulAdd(power, p, one));
    const V e = ops::Mul(power, p);
    const V sum = ops::Add(e, one);
    const V low = ops::MulAdd(power, LostOfOrdered(one, s, p), Lost(one, e, sum));
    const V q = ops::Div(one, sum);
    const V rest = ops::NegMulAdd(q, low, DivisionRest(one, q, sum));
    return ops::MulAdd(q, rest, q);
  }
};

// -m / (2 + m) with m = e^(-2|x|) - 1 and the sign of x. tanh(+-inf) = +-1.
// m and 2 + m are carried in two parts, and the quotient q is corrected by what it leaves of -m, divided by
// 2 + m = 2 / (1 + tanh).
// Largest error, float: 0.865 ULP at -0x1.61527ap-3 in the fma class, 0.5040 at 0x1.cd4e5cp-4 in the mul-add class;
// double: 1.0 and 1.5 ULP are promised, 0.75 and 1.18 seen in samples.
struct Tanh {
  template <typename Precision, class D, class V = hn::Vec<D>>
  static HWY_INLINE V At(D d, V x) {
    const auto one = hn::Set(d, 1);
    const auto two = hn::Set(d, 2);
    const auto half = hn::Set(d, 0.5);
    // From 20 on tanh is 1 in double too. NaN passes.
    const auto limit = hn::Set(d, 20);
    const V magnitude = ops::Abs(x);
    const V a = ops::IfThenElse(ops::Gt(magnitude, limit), limit, magnitude);
    V head;
    V tail;
    const V power = PowerOfTwo(d, ReduceExp<Precision>(d, ops::Mul(a, hn::Set(d, -2)), head, tail));
    V y;
    if constexpr (kTight<Precision, D>) {
      // 1 + head, times 2^n, minus 1: what each sum loses is added to the tail. For small x the sums lose nothing and
      // m has the relative accuracy of head + tail.
      const V p = ops::Add(head, one);
      const V minus = ops::MulSub(power, p, one);
      const V minus_lost = ops::MulSub(power, p, ops::Add(minus, one));
      const V rest_of_m = ops::MulAdd(power, ops::Add(LostOfOrdered(one, head, p), tail), minus_lost);
      const V m = ops::Add(minus, rest_of_m);
      const V m_low = LostOfOrdered(minus, rest_of_m, m);
      const V sum = ops::Add(m, two);
      const V low = ops::Add(LostOfOrdered(two, m, sum), m_low);
      const V minus_m = ops::Neg(m);
      const V q = ops::Div(minus_m, sum);
      const V rest = ops::NegMulAdd(q, low, ops::Sub(DivisionRest(minus_m, q, sum), m_low));
      y = ops::MulAdd(rest, ops::MulAdd(q, half, half), q);
    } else {
      const V m = ops::MulAdd(power, ops::Add(head, tail), ops::Sub(power, one));
      y = ops::Div(ops::Neg(m), ops::Add(m, two));
    }
    return ops::CopySign(y, x);
  }
};

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_EXP_INL_H_
