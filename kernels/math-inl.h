// SPDX-License-Identifier: Apache-2.0
//
// What the formulas share: the floating-point formats and polynomials. Formulas use only operations that every tier
// of a numeric class has and rounds alike: add, mul, fma (mul and add in the mul-add class), div, integer steps,
// compare and select. No estimate, no conversion to an integer, no scaling instruction but where its bits are those of
// the integer steps that other tiers take; no minimum or maximum where a NaN or the sign of a zero would reach the
// result, since tiers differ in these.
//
// Polynomials are minimax in the sense of fpminimax (Sollya 8.0: relative error of the whole function, coefficients
// rounded to the format of the lanes), made by coefficients.sollya; each states the function and its error.

#if defined(LANEWISE_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_MATH_INL_H_
#undef LANEWISE_MATH_INL_H_
#else
#define LANEWISE_MATH_INL_H_
#endif

#include <cstdint>

#include "batch-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <typename T>
struct Format;

template <>
struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int kMantissaBits = 23;
  static constexpr Bits kOne = 0x3F800000;  // the bits of 1.0
  static constexpr Bits kMinNormal = 0x00800000;
  static constexpr Bits kInfinity = 0x7F800000;
  static constexpr Bits kNan = 0x7FC00000;
  static constexpr Bits kSqrtHalf = 0x3F3504F3;  // the float next to sqrt(1/2)
  static constexpr int kMinExponent = -126;      // of a normal number
  // x + kShifter has the nearest integer to x in its low bits, x + kShifter - kShifter is that integer.
  static constexpr float kShifter = 0x1.8p23f;
  static constexpr float kLog2e = 0x1.715476p0f;
  // ln 2 = kLn2High + kLn2Low. Only the fma class computes in float, so the product n * kLn2High need not be exact.
  static constexpr float kLn2High = 0x1.62e43p-1f;
  static constexpr float kLn2Low = -0x1.05c61p-29f;
};

template <>
struct Format<double> {
  using Bits = std::uint64_t;
  static constexpr int kMantissaBits = 52;
  static constexpr Bits kOne = 0x3FF0000000000000;
  static constexpr Bits kMinNormal = 0x0010000000000000;
  static constexpr Bits kInfinity = 0x7FF0000000000000;
  static constexpr Bits kNan = 0x7FF8000000000000;
  static constexpr Bits kSqrtHalf = 0x3FE6A09E667F3BCD;
  static constexpr int kMinExponent = -1022;
  static constexpr double kShifter = 0x1.8p52;
  static constexpr double kLog2e = 0x1.71547652b82fep0;
  // kLn2High has 29 bits, so that n * kLn2High is exact for |n| < 2^24 where products are rounded on their own.
  static constexpr double kLn2High = 0x1.62e42ffp-1;
  static constexpr double kLn2Low = -0x1.718432a1b0e26p-35;
};

template <class D>
using FormatOf = Format<hn::TFromD<D>>;

template <class D, typename Bits = typename FormatOf<D>::Bits>
HWY_INLINE hn::Vec<D> FromBits(D d, Bits bits) {
  return hn::BitCast(d, hn::Set(hn::RebindToUnsigned<D>(), bits));
}

// The value of an integer below 2^mantissa_bits: put into the low bits of that power of two, which is then taken off.
template <class D, class VU>
HWY_INLINE auto SmallInteger(D d, VU integer) {
  using F = FormatOf<D>;
  const auto power =
      hn::Set(hn::RebindToUnsigned<D>(), F::kOne + (typename F::Bits{F::kMantissaBits} << F::kMantissaBits));
  return ops::Sub(ops::BitCast(d, ops::Or(integer, power)), hn::BitCast(d, power));
}

// x^2 plus a number that does not count beside 1, where the square alone may be denormal or 0, which many CPUs take a
// hundred cycles for.
template <class D, class V>
HWY_INLINE V SquareWithoutUnderflow(D d, const V& x) {
  return ops::MulAdd(x, x, hn::Set(d, static_cast<hn::TFromD<D>>(0x1p-100)));
}

// c0 + c1 x + c2 x^2 + ..., by Horner's rule.
template <class D, class V, typename... C>
HWY_INLINE auto Polynomial(D d, V x, double c0, C... c) {
  const auto constant = hn::Set(d, static_cast<hn::TFromD<D>>(c0));
  if constexpr (sizeof...(C) == 0) {
    return constant;
  } else {
    return ops::MulAdd(Polynomial(d, x, c...), x, constant);
  }
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_MATH_INL_H_
