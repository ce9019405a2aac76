// SPDX-License-Identifier: Apache-2.0
//
// log and log1p, which share one formula:
//
//   x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2);   log x = k ln 2 + log(1 + f)
//   s = f / (2 + f), z = s^2;   log(1 + f) = 2 atanh(s) = f - (f^2/2 - s (f^2/2 + z P(z)))
//
// The series in s and its arrangement, which adds the small terms first, are those of fdlibm (K. C. Ng, 1993); the
// coefficients are our own.
//
// At<Precision>(d, x) computes in the lanes of d a result that is accurate for Precision.

#if defined(LANEWISE_LOG_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_LOG_INL_H_
#undef LANEWISE_LOG_INL_H_
#else
#define LANEWISE_LOG_INL_H_
#endif

#include "hwy/highway.h"
#include "math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {

// P(z) = (2 atanh(s) / s - 2) / z on 0 <= z <= 0.0295; the error is relative to 2 atanh(s).
template <typename Precision, class D, class V = hn::Vec<D>>
HWY_INLINE V LogP(D d, V z) {
  if constexpr (sizeof(Precision) == sizeof(double)) {
    return Polynomial(d, z, 0x1.5555555555558p-1, 0x1.99999999952fep-2, 0x1.2492492df3acdp-2, 0x1.c71c62dfd01f5p-3,
                      0x1.7462b6a5b84bap-3, 0x1.39fe182449c36p-3, 0x1.2b5bf656e6226p-3);  // 2^-57.6
  } else if constexpr (sizeof(hn::TFromD<D>) == sizeof(double)) {
    return Polynomial(d, z, 0x1.5555554ba485dp-1, 0x1.9999eba978b8fp-2, 0x1.245c25c246918p-2,
                      0x1.ddd49c46bacafp-3);  // 2^-35.8
  } else {
    return Polynomial(d, z, 0x1.555556p-1, 0x1.99986cp-2, 0x1.24c214p-2, 0x1.ce5d06p-3);  // 2^-33.9
  }
}

// k ln 2 + log(1 + f)
template <typename Precision, class D, class V = hn::Vec<D>>
HWY_INLINE V LogOfParts(D d, V k, V f) {
  using F = FormatOf<D>;
  const V s = hn::Div(f, hn::Add(f, hn::Set(d, 2)));
  const V z = hn::Mul(s, s);
  const V half_square = hn::Mul(hn::Mul(f, hn::Set(d, 0.5)), f);
  const V tail = hn::MulAdd(s, hn::MulAdd(z, LogP<Precision>(d, z), half_square), hn::Mul(k, hn::Set(d, F::kLn2Low)));
  return hn::MulAdd(k, hn::Set(d, F::kLn2High), hn::Sub(f, hn::Sub(half_square, tail)));
}

template <class V, class VU>
struct LogParts {
  VU biased_exponent;  // k + bias
  V k;
  V m;  // 1 + f
};

// Of a positive normal x.
template <class D, class V = hn::Vec<D>>
HWY_INLINE auto SplitForLog(D d, V x) {
  using F = FormatOf<D>;
  const hn::RebindToUnsigned<D> du;
  // The exponent changes at sqrt(1/2) instead of 1.
  const auto moved = hn::Add(hn::BitCast(du, x), hn::Set(du, F::kOne - F::kSqrtHalf));
  const auto exponent = hn::ShiftRight<F::kMantissaBits>(moved);
  const auto mantissa = hn::And(moved, hn::Set(du, F::kMinNormal - 1));
  const V m = hn::BitCast(d, hn::Add(mantissa, hn::Set(du, F::kSqrtHalf)));
  const V k = hn::Sub(SmallInteger(d, exponent), hn::Set(d, static_cast<hn::TFromD<D>>(F::kOne >> F::kMantissaBits)));
  return LogParts<V, decltype(exponent)>{exponent, k, m};
}

// The natural logarithm. log(+-0) = -inf, log(x < 0) = NaN, log(+inf) = +inf.
// Error: float at most 0.828 ULP (all inputs; at 0x1.68cb52p-1) in the fma class, 0.51 in the mul-add class; double at
// most 1.0 (seen in samples: 0.70).
struct Log {
  template <typename Precision, class D, class V = hn::Vec<D>>
  static HWY_INLINE V At(D d, V x) {
    using F = FormatOf<D>;
    const hn::RebindToUnsigned<D> du;
    const V infinity = FromBits(d, F::kInfinity);
    const V min_normal = FromBits(d, F::kMinNormal);
    const bool normal = hn::AllTrue(d, hn::And(hn::Ge(x, min_normal), hn::Lt(x, infinity)));
    V positive = x;
    V k_offset = hn::Zero(d);
    if (HWY_UNLIKELY(!normal)) {
      // A denormal number is the integer that its bits say times the smallest denormal.
      const auto denormal = hn::Lt(x, min_normal);
      positive = hn::IfThenElse(denormal, SmallInteger(d, hn::BitCast(du, x)), x);
      k_offset = hn::IfThenElseZero(denormal, hn::Set(d, F::kMinExponent - F::kMantissaBits));
    }
    const auto parts = SplitForLog(d, positive);
    V y = LogOfParts<Precision>(d, hn::Add(parts.k, k_offset), hn::Sub(parts.m, hn::Set(d, 1)));
    if (HWY_LIKELY(normal)) return y;
    y = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(infinity), y);
    const V beyond = hn::IfThenElse(hn::Eq(x, infinity), x, FromBits(d, F::kNan));
    return hn::IfThenElse(hn::And(hn::Ge(x, hn::Zero(d)), hn::Lt(x, infinity)), y, beyond);
  }
};

// log(1 + x). log1p(-1) = -inf, log1p(x < -1) = NaN, log1p(+inf) = +inf, log1p(-0) = -0.
// Error: float at most 1.388 ULP (all inputs; at 0x1.bc9296p-2) in the fma class, 0.51 in the mul-add class; double at
// most 1.5 (seen in samples: 1.12).
struct Log1p {
  template <typename Precision, class D, class V = hn::Vec<D>>
  static HWY_INLINE V At(D d, V x) {
    using F = FormatOf<D>;
    const hn::RebindToUnsigned<D> du;
    const V one = hn::Set(d, 1);
    const V infinity = FromBits(d, F::kInfinity);
    // u + low = 1 + x exactly (Knuth's TwoSum).
    const V u = hn::Add(one, x);
    const V x_part = hn::Sub(u, one);
    const V low = hn::Add(hn::Sub(one, hn::Sub(u, x_part)), hn::Sub(x, x_part));
    const auto parts = SplitForLog(d, u);
    // 1 + f = 2^-k (u + low). From 2^60 on low does not count, and 2^-k would soon not be normal.
    const V power = hn::BitCast(d, hn::ShiftLeft<F::kMantissaBits>(
                                       hn::Sub(hn::Set(du, 2 * (F::kOne >> F::kMantissaBits)), parts.biased_exponent)));
    const V scaled_low = hn::IfThenElseZero(hn::Lt(u, hn::Set(d, 0x1p60)), hn::Mul(low, power));
    V y = LogOfParts<Precision>(d, parts.k, hn::Add(hn::Sub(parts.m, one), scaled_low));
    y = hn::CopySign(y, x);
    const auto inside = hn::And(hn::Gt(x, hn::Neg(one)), hn::Lt(x, infinity));
    if (HWY_LIKELY(hn::AllTrue(d, inside))) return y;
    V beyond = hn::IfThenElse(hn::Eq(x, infinity), x, FromBits(d, F::kNan));
    beyond = hn::IfThenElse(hn::Eq(x, hn::Neg(one)), hn::Neg(infinity), beyond);
    return hn::IfThenElse(inside, y, beyond);
  }
};

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_LOG_INL_H_
