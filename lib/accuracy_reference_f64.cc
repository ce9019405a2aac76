// SPDX-License-Identifier: Apache-2.0
//
// The reference for double: series in double-double arithmetic (a number is the sum of two doubles, about 104 bits).
// The basic operations are those of T. J. Dekker, A floating-point technique for extending the available precision,
// 1971, and D. E. Knuth's TwoSum. Like the reference for float it shares nothing with the kernels and takes its time.

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>

#include "kernel_table.h"
#include "lanewise/accuracy.h"

namespace lanewise {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// ---- Double-double -------------------------------------------------------------------------------------------------

struct Wide {
  double high = 0;
  double low = 0;
};

// a + b exactly.
constexpr Wide TwoSum(double a, double b) {
  const double sum = a + b;
  const double b_part = sum - a;
  return {sum, (a - (sum - b_part)) + (b - b_part)};
}

// The same where |a| >= |b|.
constexpr Wide FastTwoSum(double a, double b) {
  const double sum = a + b;
  return {sum, b - (sum - a)};
}

// The upper 26 bits of a.
constexpr double UpperHalf(double a) {
  const double shifted = a * 0x8000001p0;
  return shifted - (shifted - a);
}

// a * b exactly; far from overflow and underflow.
constexpr Wide TwoProduct(double a, double b) {
  const double product = a * b;
  const double a_high = UpperHalf(a);
  const double b_high = UpperHalf(b);
  const double a_low = a - a_high;
  const double b_low = b - b_high;
  return {product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
}

constexpr Wide operator+(Wide a, Wide b) {
  const Wide high = TwoSum(a.high, b.high);
  const Wide low = TwoSum(a.low, b.low);
  const Wide sum = FastTwoSum(high.high, high.low + low.high);
  return FastTwoSum(sum.high, sum.low + low.low);
}

constexpr Wide operator+(Wide a, double b) {
  const Wide high = TwoSum(a.high, b);
  return FastTwoSum(high.high, high.low + a.low);
}

constexpr Wide operator-(Wide a) { return {-a.high, -a.low}; }

constexpr Wide operator*(Wide a, Wide b) {
  const Wide product = TwoProduct(a.high, b.high);
  return FastTwoSum(product.high, product.low + (a.high * b.low + a.low * b.high));
}

// Exact for powers of two.
constexpr Wide Scaled(Wide a, double factor) { return {a.high * factor, a.low * factor}; }

constexpr Wide operator/(Wide a, Wide b) {
  const double first = a.high / b.high;
  const Wide rest = a + -(b * Wide{first});
  const double second = rest.high / b.high;
  const Wide last = rest + -(b * Wide{second});
  return FastTwoSum(first, second) + last.high / b.high;
}

// 2^n of a normal number.
double PowerOfTwo(int n) { return std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52); }

// ---- e^x -----------------------------------------------------------------------------------------------------------

// 1 / k! for k = 0..26. From 23! on k! is rounded, which does not count where these are used.
constexpr auto kInverseFactorials = [] {
  std::array<Wide, 27> inverse{};
  double factorial = 1;
  for (std::size_t k = 0; k < inverse.size(); ++k) {
    if (k > 0) factorial *= static_cast<double>(k);
    inverse[k] = Wide{1} / Wide{factorial};
  }
  return inverse;
}();

// e^r - 1 = sum of r^k / k!, |r| <= 0.35: r^27 / 27! is below 2^-132 r, and 2^-52 of the terms from k = 14 on is below
// 2^-107 r.
Wide Expm1OfRest(Wide r) {
  double tail = kInverseFactorials[26].high;
  for (std::size_t k = 25; k >= 14; --k) tail = tail * r.high + kInverseFactorials[k].high;
  Wide sum = kInverseFactorials[13] + tail * r.high;
  for (std::size_t k = 12; k >= 1; --k) sum = sum * r + kInverseFactorials[k];
  return sum * r;
}

struct ExpParts {
  Wide expm1;  // e^r - 1
  int n;       // e^x = 2^n e^r
};

// For |x| <= 2000.
ExpParts PartsOfExp(double x) {
  // ln 2 in parts of 40 bits, whose products with n are exact, and a rest.
  constexpr double kLn2[] = {0x1.62e42fefa2p-1, 0x1.9ef35793c6p-41, 0x1.673007e5ed5e8p-81};
  constexpr double kShifter = 0x1.8p52;
  const double n = (x * 0x1.71547652b82fep0 + kShifter) - kShifter;
  const Wide r = (TwoSum(x, -n * kLn2[0]) + -n * kLn2[1]) + TwoProduct(-n, kLn2[2]);
  return {Expm1OfRest(r), static_cast<int>(n)};
}

// Beyond 1000 e^x is far outside the doubles on either side.
constexpr double Clamped(double x, double limit) { return x > limit ? limit : x < -limit ? -limit : x; }

WideValue ValueOf(Wide w, int exponent = 0) { return {w.high, w.low, exponent}; }

WideValue Exp(double x) {
  if (std::isnan(x)) return {x, 0, 0};
  const ExpParts parts = PartsOfExp(Clamped(x, 1000));
  return ValueOf(parts.expm1 + 1, parts.n);
}

WideValue Sigmoid(double x) {
  if (std::isnan(x)) return {x, 0, 0};
  if (x < -150) return Exp(x);  // 1 + e^x is 1 to 2^-216
  const ExpParts parts = PartsOfExp(-Clamped(std::fabs(x), 150));
  const Wide e = Scaled(parts.expm1 + 1, PowerOfTwo(parts.n));
  return ValueOf((x < 0 ? e : Wide{1}) / (e + 1));
}

WideValue Tanh(double x) {
  // x to 2^-400 of its size, and what is below it would underflow.
  if (std::isnan(x) || std::fabs(x) < 0x1p-200) return {x, 0, 0};
  const ExpParts parts = PartsOfExp(Clamped(2 * x, 200));
  const double power = PowerOfTwo(parts.n);
  const Wide m = Scaled(parts.expm1, power) + TwoSum(power, -1);  // e^2x - 1
  return ValueOf(m / (m + 2));
}

// ---- log -----------------------------------------------------------------------------------------------------------

// 1 / (2 k + 1) for k = 0..20
constexpr auto kInverseOdd = [] {
  std::array<Wide, 21> inverse{};
  for (std::size_t k = 0; k < inverse.size(); ++k) inverse[k] = Wide{1} / Wide{static_cast<double>(2 * k + 1)};
  return inverse;
}();

// 2 atanh(s) = 2 s (1 + s^2 / 3 + s^4 / 5 ...) for |s| <= 0.1716: the term of s^42 is below 2^-112, and 2^-53 of those
// from s^22 on below 2^-109.
Wide TwiceAtanh(Wide s) {
  const Wide z = s * s;
  double tail = kInverseOdd[20].high;
  for (std::size_t k = 19; k >= 11; --k) tail = tail * z.high + kInverseOdd[k].high;
  Wide sum = kInverseOdd[10] + tail * z.high;
  for (std::size_t k = 10; k > 0; --k) sum = sum * z + kInverseOdd[k - 1];
  return Scaled(sum * s, 2);
}

// log(x) for x = 2^exponent (high + low), positive and normal.
WideValue LogOfPositive(Wide x, int exponent = 0) {
  constexpr std::uint64_t kSqrtHalf = 0x3FE6A09E667F3BCD;
  constexpr std::uint64_t kOne = 0x3FF0000000000000;
  constexpr Wide kLn2{0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
  const int k = static_cast<int>((std::bit_cast<std::uint64_t>(x.high) + (kOne - kSqrtHalf)) >> 52) - 1023;
  // In two steps, since 2^-k may not be a normal number.
  const Wide m = Scaled(Scaled(x, PowerOfTwo(-(k / 2))), PowerOfTwo(-(k - k / 2)));
  const Wide log_m = TwiceAtanh((m + -1.0) / (m + 1));
  return ValueOf(kLn2 * Wide{static_cast<double>(k + exponent)} + log_m);
}

WideValue Log(double x) {
  if (!(x > 0 && x < kInfinity)) return {x == 0 ? -kInfinity : x > 0 ? x : kNan, 0, 0};
  if (x == 1) return {0, 0, 0};
  // Denormal numbers are made normal, which is exact.
  return x < std::numeric_limits<double>::min() ? LogOfPositive({x * 0x1p100}, -100) : LogOfPositive({x});
}

WideValue Log1p(double x) {
  if (std::fabs(x) < 0x1p-200) return {x, 0, 0};  // as for tanh
  if (x > -0.29 && x < 0.41) return ValueOf(TwiceAtanh(Wide{x} / (Wide{x} + 2)));
  if (x > -1 && x < kInfinity) return LogOfPositive(TwoSum(x, 1));
  return {x == -1 ? -kInfinity : x > 0 ? x : kNan, 0, 0};
}

WideValue Relu(double x) { return {x < 0 ? 0 : x, 0, 0}; }

// Exact: the product is taken where it neither overflows nor loses low bits.
WideValue LeakyRelu(double x) {
  if (!(x < 0) || x == -kInfinity) return {x, 0, 0};
  const int exponent = x > -0x1p-500 ? -600 : 100;
  return ValueOf(TwoProduct(x * PowerOfTwo(-exponent), kernels::kLeakyReluSlope), exponent);
}

template <WideValue (*kFunction)(double)>
void Fill(const double* x, WideValue* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = kFunction(x[i]);
}

}  // namespace

void ReferenceValues(Function function, const double* x, WideValue* y, std::size_t n) {
  switch (function) {
    case Function::kExp:
      return Fill<Exp>(x, y, n);
    case Function::kLog:
      return Fill<Log>(x, y, n);
    case Function::kLog1p:
      return Fill<Log1p>(x, y, n);
    case Function::kSigmoid:
      return Fill<Sigmoid>(x, y, n);
    case Function::kTanh:
      return Fill<Tanh>(x, y, n);
    case Function::kRelu:
      return Fill<Relu>(x, y, n);
    case Function::kLeakyRelu:
      return Fill<LeakyRelu>(x, y, n);
  }
}

}  // namespace lanewise
