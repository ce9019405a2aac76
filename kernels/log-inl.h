// SPDX-License-Identifier: Apache-2.0
//
// log and log1p, which share one formula:
//
//   x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2);   log x = k ln 2 + log(1 + f)
//   s = f / (2 + f), z = s^2;   log(1 + f) = 2 atanh(s) = f - (f^2/2 - s (f^2/2 + z P(z)))
//
// The series in s and its arrangement, which adds the small terms first, are those of fdlibm (K. C. Ng, 1993); the
// coefficients are our own (coefficients.sollya). Largest errors are those of exp-inl.h's measurements.
//
// At<Precision>(d, x) computes in the lanes of d a result that is accurate for Precision.

#if defined(LANEWISE_LOG_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_LOG_INL_H_
#undef LANEWISE_LOG_INL_H_
#else
#define LANEWISE_LOG_INL_H_
#endif

#include "hwy/highway.h"
#include "batch-inl.h"
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

// k ln 2 + log(1 + f) + low, where low is small beside the sum.
template <typename Precision, class D, class V = hn::Vec<D>>
HWY_INLINE V LogOfParts(D d, V k, V f, V low) {
  using F = FormatOf<D>;
  const V s = ops::Div(f, ops::Add(f, hn::Set(d, 2)));
  const V z = ops::Mul(s, s);
  const V half_square = ops::Mul(ops::Mul(f, hn::Set(d, 0.5)), f);
  const V tail = ops::MulAdd(s, ops::MulAdd(z, LogP<Precision>(d, z), half_square), low);
  return ops::MulAdd(k, hn::Set(d, F::kLn2High), ops::Sub(f, ops::Sub(half_square, tail)));
}

// x = 2^k m, of a positive normal x. Returns k plus the bias of the format.
template <class D, class V>
HWY_INLINE auto SplitForLog(D d, const V& x, V& k, V& m) {
  using F = FormatOf<D>;
  const hn::RebindToUnsigned<D> du;
  // The exponent changes at sqrt(1/2) instead of 1.
  const auto moved = ops::Add(ops::BitCast(du, x), hn::Set(du, F::kOne - F::kSqrtHalf));
  const auto exponent = ops::ShiftRight<F::kMantissaBits>(moved);
  const auto mantissa = ops::And(moved, hn::Set(du, F::kMinNormal - 1));
  m = ops::BitCast(d, ops::Add(mantissa, hn::Set(du, F::kSqrtHalf)));
  k = ops::Sub(SmallInteger(d, exponent), hn::Set(d, static_cast<hn::TFromD<D>>(F::kOne >> F::kMantissaBits)));
  return exponent;
}

// The natural logarithm. log(+-0) = -inf, log(x < 0) = NaN, log(+inf) = +inf.
// Largest error, float: 0.828 ULP at 0x1.68cb52p-1 in the fma class, 0.5002 at 0x1.618226p+0 in the mul-add class;
// double: 0.882 at 0x1.6a09de627906fp-1 and 0.900 at 0x1.6a08ddb1ea43fp-1.
struct Log {
  template <typename Precision, class D, class V = hn::Vec<D>>
  static HWY_INLINE V At(D d, V x) {
    using F = FormatOf<D>;
    const auto infinity = FromBits(d, F::kInfinity);
    const auto min_normal = FromBits(d, F::kMinNormal);
    V k;
    V m;
    if (HWY_LIKELY(ops::AllTrue(d, ops::And(ops::Ge(x, min_normal), ops::Lt(x, infinity))))) {
      SplitForLog(d, x, k, m);
      return OfParts<Precision>(d, k, m);
    }
    // A denormal number is the integer that its bits say times the smallest denormal.
    const hn::RebindToUnsigned<D> du;
    const auto denormal = ops::Lt(x, min_normal);
    const V integer = SmallInteger(d, ops::BitCast(du, x));
    SplitForLog(d, ops::IfThenElse(denormal, integer, x), k, m);
    const V scale = ops::IfThenElseZero(denormal, hn::Set(d, F::kMinExponent - F::kMantissaBits));
    V y = OfParts<Precision>(d, ops::Add(k, scale), m);
    y = ops::IfThenElse(ops::Eq(x, hn::Zero(d)), hn::Neg(infinity), y);
    const V beyond = ops::IfThenElse(ops::Eq(x, infinity), x, FromBits(d, F::kNan));
    return ops::IfThenElse(ops::And(ops::Ge(x, hn::Zero(d)), ops::Lt(x, infinity)), y, beyond);
  }

 private:
  template <typename Precision, class D, class V>
  static HWY_INLINE V OfParts(D d, V k, V m) {
    const V low = ops::Mul(k, hn::Set(d, FormatOf<D>::kLn2Low));
    return LogOfParts<Precision>(d, k, ops::Sub(m, hn::Set(d, 1)), low);
  }
};

// log(1 + x). log1p(-1) = -inf, log1p(x < -1) = NaN, log1p(+inf) = +inf, log1p(-0) = -0.
// Largest error, float: 0.828 ULP at -0x1.2e695cp-2 in the fma class, 0.5002 at 0x1.a7985ep-2 in the mul-add class;
// double: 0.875 at -0x1.2bec782d90c42p-2 and 0.900 at -0x1.2c02aa02cc652p-2.
struct Log1p {
  template <typename Precision, class D, class V = hn::Vec<D>>
  static HWY_INLINE V At(D d, V x) {
    using F = FormatOf<D>;
    const hn::RebindToUnsigned<D> du;
    const auto one = hn::Set(d, 1);
    const auto infinity = FromBits(d, F::kInfinity);
    // u + lost = 1 + x exactly (Knuth's TwoSum).
    const V u = ops::Add(one, x);
    const V x_part = ops::Sub(u, one);
    const V lost = ops::Add(ops::Sub(one, ops::Sub(u, x_part)), ops::Sub(x, x_part));
    V k;
    V m;
    const auto exponent = SplitForLog(d, u, k, m);
    // 1 + f + f_low = 2^-k (u + lost). From 2^60 on what is lost does not count, and 2^-k would soon not be normal.
    const V power = ops::BitCast(
        d, ops::ShiftLeft<F::kMantissaBits>(ops::Sub(hn::Set(du, 2 * (F::kOne >> F::kMantissaBits)), exponent)));
    const V scaled = ops::IfThenElseZero(ops::Lt(u, hn::Set(d, 0x1p60)), ops::Mul(lost, power));
    const V head = ops::Sub(m, one);
    const V f = ops::Add(head, scaled);
    const V f_low = ops::Sub(scaled, ops::Sub(f, head));
    // The derivative of log(1 + f) is 1 / (1 + f), about 1 - f.
    const V low = ops::MulAdd(k, hn::Set(d, F::kLn2Low), ops::NegMulAdd(f_low, f, f_low));
    V y = LogOfParts<Precision>(d, k, f, low);
    y = ops::CopySign(y, x);
    const auto inside = ops::And(ops::Gt(x, hn::Neg(one)), ops::Lt(x, infinity));
    if (HWY_LIKELY(ops::AllTrue(d, inside))) return y;
    V beyond = ops::IfThenElse(ops::Eq(x, infinity), x, FromBits(d, F::kNan));
    beyond = ops::IfThenElse(ops::Eq(x, hn::Neg(one)), hn::Neg(infinity), beyond);
    return ops::IfThenElse(inside, y, beyond);
  }
};

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_LOG_INL_H_
