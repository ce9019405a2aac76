// SPDX-License-Identifier: Apache-2.0
//
// exp, sigmoid and tanh, on Cody and Waite's reduction (Software Manual for the Elementary Functions, 1980):
//
//   x = n ln 2 + r,     |r| <= ln 2 / 2:     e^x = 2^n (1 + p),              p = e^r - 1 = r + r^2 q(r)
//   x = n ln 2 / 8 + r, |r| <= ln 2 / 16:    e^x = 2^(n/8) (1 + d) (1 + p),  p = e^r / (1 + d) - 1
//
// The second takes a table of eight and a shorter polynomial. d = -3115 * 2^-23 makes the eight floats next to
// 2^(j/8) (1 + d) accurate to 0.11 * 2^-24 of their size, where those next to 2^(j/8) are wrong by up to 2^-24 (of all
// multiples of 2^-23 below 2^-5 one other does better, by a fifth, with a larger p).
//
// Constants and coefficients are made by coefficients.sollya. Largest errors and their inputs: float's are those of a
// sweep over all inputs (`lanewise accuracy --full`), double's the largest that a search through 10^8 found (`lanewise
// accuracy --f64 --full`); tests/certificates attest both.
//
// At<Precision>(d, x) computes in the lanes of d a result that is accurate for Precision.

#if defined(LANEWISE_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_EXP_INL_H_
#undef LANEWISE_EXP_INL_H_
#else
#define LANEWISE_EXP_INL_H_
#endif

#include <bit>
#include <cstdint>

#include "hwy/highway.h"
#include "batch-inl.h"
#include "math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {

// ---- Reduction ----------------------------------------------------------------------------------------------------
// The parts of e^x 2^-kLess = scale (1 + p), |p| < 0.42: the bits of scale, whose exponent may still be moved by
// integer additions, and p. For |x| <= 2^20 or so; elsewhere they mean nothing (but a NaN gives a p of NaN). With a
// `rest` they are those of e^(x + rest), |rest| being at most half a unit in the last place of x.

// The limits of e^x in each format.
template <typename T>
struct ExpLimits;
template <>
struct ExpLimits<float> {
  // While |x| is at most this, scale is normal and the product scale * p exact before it is rounded with a sum.
  static constexpr float kEasy = 87;
  static constexpr float kFinite = 0x1.62e42ep6f;  // e^x is finite up to here
  static constexpr float kZero = -104;             // e^x rounds to 0 from here down
};
template <>
struct ExpLimits<double> {
  static constexpr double kEasy = 660;  // product exact also on tiers without FMA
  static constexpr double kFinite = 0x1.62e42fefa39efp9;
  static constexpr double kZero = -746;
};

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

template <class V>
HWY_INLINE V PlusRest(const V& r) {
  return r;
}
template <class V>
HWY_INLINE V PlusRest(const V& r, const V& rest) {
  return ops::Add(r, rest);
}

// By powers of 2: p and power = n. Returns what has n - kLess in its low bits.
template <typename Precision, int kLess = 0, class D, class V, class... Rest>
HWY_INLINE V ToPowers(D d, const V& x, V& p, V& power, const Rest&... rest) {
  using F = FormatOf<D>;
  const auto shifter = hn::Set(d, F::kShifter - kLess);
  const V shifted = ops::MulAdd(x, hn::Set(d, F::kLog2e), shifter);
  power = ops::Sub(shifted, shifter);
  // The first difference is exact.
  const V head = ops::NegMulAdd(power, hn::Set(d, F::kLn2High), x);
  const V r = PlusRest(ops::NegMulAdd(power, hn::Set(d, F::kLn2Low), head), rest...);
  p = ops::MulAdd(SquareWithoutUnderflow(d, r), ExpQ<Precision>(d, r), r);
  return shifted;
}
template <typename Precision, int kLess = 0, class D, class V, class... Rest>
HWY_INLINE auto ReduceByPowers(D d, const V& x, V& p, const Rest&... rest) {
  using F = FormatOf<D>;
  const hn::RebindToUnsigned<D> du;
  V power;
  const V shifted = ToPowers<Precision, kLess>(d, x, p, power, rest...);
  return ops::Add(ops::ShiftLeft<F::kMantissaBits>(ops::BitCast(du, shifted)), hn::Set(du, F::kOne));
}

// 2^(j/8) (1 + d)
inline constexpr float kEighths[8] = {0x1.ffcf54p-1F, 0x1.1710fap0F, 0x1.3052fp0F,  0x1.4bde1ep0F,
                                      0x1.69e77cp0F,  0x1.8aa8ccp0F, 0x1.ae610cp0F, 0x1.d554ecp0F};

// Their bits, twice: as many as the most lanes of a vector. For an addition: less what n = j mod 8 adds to them when n
// is shifted to the exponent and added.
enum class EighthsFor : bool { kValue, kAddition };
struct BitsOfEighths {
  alignas(64) std::uint32_t bits[16];
};
template <EighthsFor kUse>
inline constexpr BitsOfEighths kBitsOfEighths = [] {
  BitsOfEighths table = {};
  for (std::uint32_t j = 0; j < 16; ++j) {
    table.bits[j] = std::bit_cast<std::uint32_t>(kEighths[j % 8]);
    if (kUse == EighthsFor::kAddition) table.bits[j] -= j % 8 << 20;
  }
  return table;
}();

// The table's bits for n mod 8.
template <EighthsFor kUse, class DU, class VU = hn::Vec<DU>>
HWY_INLINE VU LookUpEighth(DU du, VU n) {
  constexpr const std::uint32_t(&kTable)[16] = kBitsOfEighths<kUse>.bits;
#if HWY_TARGET == HWY_NEON
  const uint8x16x2_t table = {
      {vreinterpretq_u8_u32(hn::Load(du, kTable).raw), vreinterpretq_u8_u32(hn::Load(du, kTable + 4).raw)}};
  const auto j = hn::And(n, hn::Set(du, 7));
  const auto bytes = hn::Add(hn::Mul(j, hn::Set(du, 0x04040404)), hn::Set(du, 0x03020100));
  return VU(vreinterpretq_u32_u8(vqtbl2q_u8(table, vreinterpretq_u8_u32(bytes.raw))));
#else
  // vpermps, which takes the low 3 bits of n with 8 lanes and the low 4 with 16.
  return hn::TableLookupLanes(hn::Load(du, kTable), hn::IndicesFromVec(du, n));
#endif
}

// By eighth powers of 2, in lanes of float: p and power = n / 8. Returns what has n - 8 kLess in its low bits. Rough:
// without the low part of ln 2, so with an error of 2^-25 up to |x| = 11 that grows to 2^-23 at 40; what uses it bears
// that (the sweep over all inputs says so).
template <bool kRough, int kLess = 0, class D, class V, class... Rest>
HWY_INLINE V ToEighths(D d, const V& x, V& p, V& power, const Rest&... rest) {
  using F = Format<float>;
  const auto shifter = hn::Set(d, F::kShifter / 8 - kLess);
  const V shifted = ops::MulAdd(x, hn::Set(d, F::kLog2e), shifter);
  power = ops::Sub(shifted, shifter);
  const V head = ops::NegMulAdd(power, hn::Set(d, F::kLn2High), x);
  if constexpr (kRough) {
    p = Polynomial(d, head, 0x1.858016p-12, 0x1.001858p0, 0x1.00229ep-1, 0x1.558376p-3);  // 2^-25.6
  } else {
    const V r = PlusRest(ops::NegMulAdd(power, hn::Set(d, F::kLn2Low), head), rest...);
    // 2^-31.2. The third coefficient is two units off the best (2^-32.1): with it, all of exp's results are in order.
    p = Polynomial(d, r, 0x1.858508p-12, 0x1.001858p0, 0x1.00185cp-1, 0x1.55834p-3, 0x1.557eb4p-5);
  }
  return shifted;
}
template <EighthsFor kUse, class D, class V>
HWY_INLINE auto Eighths(D /*d*/, const V& shifted) {
  const hn::RebindToUnsigned<D> du;
  return ops::Lift([du](auto j) HWY_ATTR { return LookUpEighth<kUse>(du, j); }, ops::BitCast(du, shifted));
}
template <bool kRough, int kLess = 0, class D, class V, class... Rest>
HWY_INLINE auto ReduceByEighths(D d, const V& x, V& p, const Rest&... rest) {
  const hn::RebindToUnsigned<D> du;
  V power;
  const V shifted = ToEighths<kRough, kLess>(d, x, p, power, rest...);
  return ops::Add(Eighths<EighthsFor::kAddition>(d, shifted),
                  ops::ShiftLeft<Format<float>::kMantissaBits - 3>(ops::BitCast(du, shifted)));
}

// Whichever suits the lanes.
template <typename Precision, bool kRough = false, int kLess = 0, class D, class V, class... Rest>
HWY_INLINE auto ReduceExp(D d, const V& x, V& p, const Rest&... rest) {
  if constexpr (sizeof(hn::TFromD<D>) == sizeof(float)) {
    return ReduceByEighths<kRough, kLess>(d, x, p, rest...);
  } else {
    return ReduceByPowers<Precision, kLess>(d, x, p, rest...);
  }
}

// ---- Results below the normal numbers ------------------------------------------------------------------------------
// They are computed 2^64 times too large, where all numbers are normal, and lowered by integer operations: many CPUs
// take a hundred cycles for a floating-point operation on a denormal.

// What raises an exponent by that much when it is added to the bits.
template <class D>
HWY_INLINE auto RaiseBits(D /*d*/) {
  using F = FormatOf<D>;
  return hn::Set(hn::RebindToUnsigned<D>(), typename F::Bits{64} << F::kMantissaBits);
}

// v with `raise` taken off its bits, v > 0 finite. `raise` is RaiseBits wherever the result is not normal.
template <class D, class V, class R>
HWY_INLINE V Lowered(D d, const V& v, const R& raise) {
  const hn::RebindToUnsigned<D> du;
  // The last bit of `base` weighs as much as the smallest denormal times 2^64: the low bits of the sum are the
  // result's, rounded once.
  const auto base = hn::Add(hn::Set(du, FormatOf<D>::kMinNormal), RaiseBits(d));
  const V sum = ops::Add(v, hn::BitCast(d, base));
  const V denormal = ops::BitCast(d, ops::Sub(ops::BitCast(du, sum), base));
  const V normal = ops::BitCast(d, ops::Sub(ops::BitCast(du, v), raise));
  return ops::IfThenElse(ops::Lt(v, hn::BitCast(d, base)), denormal, normal);
}

// Whether lanes are no wider than the result, so that each rounding shows in it; double lanes have bits to spare for a
// float.
template <typename Precision, class D>
inline constexpr bool kTight = sizeof(hn::TFromD<D>) == sizeof(Precision);

// ---- exp -----------------------------------------------------------------------------------------------------------

// e^x. exp(-inf) = +0, exp(+inf) = +inf.
// Largest error, float: 0.818 ULP at -0x1.5e3c38p+6 in the fma class, 0.5012 at 0x1.3ab098p+6 in the mul-add class;
// double: 0.986 at -0x1.a698bc50c0b31p+6 and 0.957 at -0x1.5585f68d1e522p+9. (Just above -ln 2 / 2, where the result is
// just above 2^(n - 1/2), the roundings of r, r^2, q, p and the result come to 0.98 ULP together.)
struct Exp {
  // With a `rest`: e^(x + rest).
  template <typename Precision, class D, class V, class... Rest>
  static HWY_INLINE V At(D d, const V& x, const Rest&... rest) {
    using F = FormatOf<D>;
    using Limits = ExpLimits<hn::TFromD<D>>;
    const hn::RebindToUnsigned<D> du;
    if (HWY_LIKELY(ops::AllWithin(d, x, hn::Set(d, Limits::kEasy)))) return Easy<Precision>(d, x, rest...);
    V p;
    const auto scale_bits = ReduceExp<Precision>(d, x, p, rest...);
    // 2^64 times too large for negative x, half as large as it should be for the others, since 2^n may be too large
    // where e^x is not.
    const auto half = hn::Sub(hn::Zero(du), hn::Set(du, F::kMinNormal));
    const auto raise =
        ops::BitCast(du, ops::IfThenElse(ops::Lt(x, hn::Zero(d)), hn::BitCast(d, RaiseBits(d)), hn::BitCast(d, half)));
    const V raised = ops::BitCast(d, ops::Add(scale_bits, raise));
    V y = Lowered(d, ops::MulAdd(raised, p, raised), raise);
    y = ops::IfThenElseZero(ops::Gt(x, hn::Set(d, Limits::kZero)), y);
    // Overflow and NaN: x + inf is inf and NaN.
    return ops::IfThenElse(ops::Le(x, hn::Set(d, Limits::kFinite)), y, ops::Add(x, FromBits(d, F::kInfinity)));
  }

 private:
  // For |x| <= kEasy, or NaN.
  template <typename Precision, class D, class V, class... Rest>
  static HWY_INLINE V Easy(D d, const V& x, const Rest&... rest) {
    V p;
#if HWY_TARGET == HWY_AVX3
    // An instruction multiplies by 2^floor(power), where a shift and an addition make the scale elsewhere: the same
    // bits while they are normal. With AllWithin, Emerald Rapids: exp takes 0.9 of the time. (It would give denormal
    // results too, but then takes a hundred cycles.)
    V power;
    if constexpr (sizeof(hn::TFromD<D>) == sizeof(float)) {
      const V shifted = ToEighths<false>(d, x, p, power, rest...);
      const V eighth = ops::BitCast(d, Eighths<EighthsFor::kValue>(d, shifted));
      return ops::Lift([](auto v, auto e) HWY_ATTR { return decltype(v){_mm512_scalef_ps(v.raw, e.raw)}; },
                       ops::MulAdd(eighth, p, eighth), power);
    } else {
      ToPowers<Precision>(d, x, p, power, rest...);
      return ops::Lift([](auto v, auto e) HWY_ATTR { return decltype(v){_mm512_scalef_pd(v.raw, e.raw)}; },
                       ops::Add(p, hn::Set(d, 1)), power);
    }
#else
    const V scale = ops::BitCast(d, ReduceExp<Precision>(d, x, p, rest...));
    return ops::MulAdd(scale, p, scale);
#endif
  }
};

// e^(x - y), |x - y| being in the range that exp can take, with an error no larger than exp's: what the difference
// loses when it is rounded (Knuth's TwoSum) is given to the reduction.
struct ExpOfDifference {
  template <typename Precision, class D, class V, class V2>
  static HWY_INLINE V At(D d, const V& x, const V2& y) {
    const V difference = ops::Sub(x, y);
    if constexpr (!kTight<Precision, D>) return Exp::At<Precision>(d, difference);
    const V part = ops::Sub(difference, x);
    const V rest = ops::Sub(ops::Sub(x, ops::Sub(difference, part)), ops::Add(y, part));
    return Exp::At<Precision>(d, difference, rest);
  }
};

// ---- Sigmoid -------------------------------------------------------------------------------------------------------

// What the rounded quotient q leaves of numerator / denominator: numerator - q * denominator, exactly. Zero on tiers
// without FMA, which would not get it exactly: there the rounding of q remains in the result.
template <class N, class V>
HWY_INLINE V DivisionRest(N numerator, const V& q, const V& denominator) {
#if HWY_NATIVE_FMA
  return ops::NegMulAdd(q, denominator, numerator);
#else
  (void)numerator;
  (void)denominator;
  return ops::Sub(q, q);
#endif
}

// 1 / (1 + e^-x). sigmoid(-inf) = +0.
// With e^-x = scale (1 + p), the sum S = 1 + e^-x is rounded, and the quotient q = 1 / S is corrected by q times what
// it leaves of 1. In float, what S loses is 1 - (S - scale) + scale p. This takes a scale of few bits, a power of 2,
// and is exact up to scale = 2^(bits of the format); what is lost of 1 beyond that would take 0.25 ULP, which double's
// polynomials do not leave: there it is the loss of e^-x = scale + scale p and that of 1 + e^-x (Knuth's TwoSum).
// Largest error, float: 0.987 ULP at -0x1.4cbbe8p+2 in the fma class, 0.5011 at -0x1.5ad366p+5 in the mul-add class;
// double: 0.978 at -0x1.d7afc8c00f98ap+8 and 1.488 at -0x1.28aae6ddc23e9p+5.
struct Sigmoid {
  template <typename Precision, class D, class V = hn::Vec<D>>
  static HWY_INLINE V At(D d, V x) {
    using T = hn::TFromD<D>;
    const auto one = hn::Set(d, 1);
    const auto limit = hn::Set(d, ExpLimits<T>::kEasy);
    V p;
    if (HWY_LIKELY(ops::AllWithin(d, x, limit))) {
      const auto bits = ReduceByPowers<Precision>(d, ops::Neg(x), p);
      return Quotient<Precision>(d, one, ops::BitCast(d, bits), p);
    }
    // Far below zero, where 1 does not count beside e^-x, it is 2^-64 e^-x that is inverted. NaN passes.
    const hn::RebindToUnsigned<D> du;
    const auto far = ops::Lt(x, hn::Neg(limit));
    V a = ops::IfThenElse(ops::Lt(x, hn::Set(d, ExpLimits<T>::kZero)), hn::Set(d, ExpLimits<T>::kZero), x);
    // From 64 on the result is 1 in double too; what e^-limit loses of the sum would be a denormal number, for which
    // Intel's FMA takes a hundred cycles.
    const auto is_one = hn::Set(d, 64);
    a = ops::IfThenElse(ops::Gt(x, is_one), is_one, a);
    const auto bits = ReduceByPowers<Precision>(d, ops::Neg(a), p);
    const auto lower = ops::BitCast(du, ops::IfThenElseZero(far, hn::BitCast(d, RaiseBits(d))));
    const V scale = ops::BitCast(d, ops::Sub(bits, lower));
    const V y = Quotient<Precision>(d, ops::IfThenElse(far, hn::Zero(d), one), scale, p);
    return ops::IfThenElse(far, Lowered(d, y, RaiseBits(d)), y);
  }

 private:
  // 1 / (addend + scale (1 + p))
  template <typename Precision, class D, class A, class V>
  static HWY_INLINE V Quotient(D d, const A& addend, const V& scale, const V& p) {
    const auto one = hn::Set(d, 1);
    V sum;
    V lost;
    if constexpr (sizeof(Precision) == sizeof(float)) {
      sum = ops::MulAdd(scale, p, ops::Add(scale, addend));
      lost = ops::MulAdd(scale, p, ops::Sub(addend, ops::Sub(sum, scale)));
    } else {
      const V e = ops::MulAdd(scale, p, scale);
      sum = ops::Add(e, addend);
      const V part = ops::Sub(sum, e);
      const V lost_of_sum = ops::Add(ops::Sub(e, ops::Sub(sum, part)), ops::Sub(addend, part));
      lost = ops::Add(ops::MulAdd(scale, p, ops::Sub(scale, e)), lost_of_sum);
    }
    const V q = ops::Div(one, sum);
    if constexpr (!kTight<Precision, D>) return q;
    return ops::MulAdd(q, ops::NegMulAdd(q, lost, DivisionRest(one, q, sum)), q);
  }
};

// ---- tanh ----------------------------------------------------------------------------------------------------------

// z / (1 - tanh(x) / x), z = x^2, for |x| <= 0.9375: nearly linear, since its pole next to zero is at z = -20.2. Errors
// are those that tanh gets from it.
template <typename Precision, class D, class V = hn::Vec<D>>
HWY_INLINE V TanhP(D d, V z) {
  if constexpr (sizeof(Precision) == sizeof(double)) {
    return Polynomial(d, z, 0x1.8p1, 0x1.333333333333p0, -0x1.767dce4342b9ap-8, 0x1.0a4e157eb0e61p-12,
                      -0x1.997cb39215a85p-17, 0x1.4174b39bd11ffp-21, -0x1.fba4a39b1e251p-26, 0x1.8cc640973e6cbp-30,
                      -0x1.07a92989d56e3p-34);  // 2^-60.5
  } else if constexpr (sizeof(hn::TFromD<D>) == sizeof(double)) {
    return Polynomial(d, z, 0x1.8000000102531p1, 0x1.333332b9dc6c5p0, -0x1.76794b6ba5157p-8, 0x1.095f16561aabbp-12,
                      -0x1.70eaabdf9575ep-17);  // 2^-34.4
  } else {
    return Polynomial(d, z, 0x1.8p1, 0x1.33331ep0, -0x1.75e2c6p-8, 0x1.eca3e2p-13);  // 2^-27.6
  }
}

// With a = |x|:
//   a < 0.93:  a - a (a^2 / P(a^2))
//   else       1 - 2 / (e^2a + 1)
// Both are b - b (b^2 / S), b being a or 1 and S being P(b^2) or (e^2a + 1) / 2, and in both what is taken off is so
// much smaller than the result that its three roundings stay below half a unit. tanh(+-inf) = +-1.
// Largest error, float: 0.985 ULP at 0x1.dcdf6ap-1 in the fma class, 0.5005 at 0x1.c6dda8p-1 in the mul-add class;
// double: 0.964 at -0x1.dc28f5f615355p-1 and 1.083 at -0x1.dc28f5bf0da3dp-1.
struct Tanh {
  template <typename Precision, class D, class V = hn::Vec<D>>
  static HWY_INLINE V At(D d, V x) {
    const V a = ops::Abs(x);
    const auto large = ops::Ge(a, hn::Set(d, static_cast<hn::TFromD<D>>(0.93)));  // NaN is not
    const V b = ops::IfThenElse(large, hn::Set(d, 1), a);
    const V square = SquareWithoutUnderflow(d, b);
    // From 20 on tanh is 1 in double too. What the minimum makes of a NaN does not matter: then b is a NaN.
    const V clamped = ops::Min(a, hn::Set(d, 20));
    V p;
    const V scale = ops::BitCast(d, ReduceExp<Precision, true, 1>(d, ops::Add(clamped, clamped), p));
    // scale + 1/2 is exact until 1/2 does not count.
    const V half_sum = ops::MulAdd(scale, p, ops::Add(scale, hn::Set(d, 0.5)));
    const V s = ops::IfThenElse(large, half_sum, TanhP<Precision>(d, square));
    const V y = ops::NegMulAdd(b, ops::Div(square, s), b);
    return ops::CopySignToAbs(y, x);
  }
};

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_EXP_INL_H_
