// SPDX-License-Identifier: Apache-2.0
//
// The reference of accuracy.h: Taylor series in double after an exact reduction of the argument. It shares no code,
// constant or polynomial with the kernels, and takes its time.

#include <bit>
#include <cmath>
#include <limits>

#include "kernel_table.h"
#include "lanewise/accuracy.h"

namespace lanewise {
namespace {

// ln 2 = kLn2High + kLn2Low; the first has 32 bits, so that its products with exponents are exact.
constexpr double kLn2High = 0x1.62e42fee00000p-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Two numbers side by side, by the vectors that GCC and clang have for every CPU: with single ones a sweep over all
// inputs would spend a third of its time here.
using Pair = double __attribute__((vector_size(16)));
using PairBits = std::uint64_t __attribute__((vector_size(16)));

struct Parts {
  Pair s;      // e^r - 1
  Pair power;  // 2^n
};

// x = n ln 2 + r, |r| <= ln 2 / 2, for |x| <= 200.
[[gnu::always_inline]] inline Parts ExpParts(Pair x) {
  constexpr double kShifter = 0x1.8p52;
  const Pair shifted = x * 0x1.71547652b82fep0 + kShifter;
  const Pair n = shifted - kShifter;
  const Pair r = (x - n * kLn2High) - n * kLn2Low;
  // sum of r^k / k!, k = 1..14; the next term is below 2^-63 r
  Pair q = r * (1.0 / 87178291200.0) + 1.0 / 6227020800.0;
  q = q * r + 1.0 / 479001600.0;
  q = q * r + 1.0 / 39916800.0;
  q = q * r + 1.0 / 3628800.0;
  q = q * r + 1.0 / 362880.0;
  q = q * r + 1.0 / 40320.0;
  q = q * r + 1.0 / 5040.0;
  q = q * r + 1.0 / 720.0;
  q = q * r + 1.0 / 120.0;
  q = q * r + 1.0 / 24.0;
  q = q * r + 1.0 / 6.0;
  q = q * r + 0.5;
  return {r + r * r * q, std::bit_cast<Pair>((std::bit_cast<PairBits>(shifted) << 52) + 0x3FF0000000000000)};
}

// Beyond 200 e^x is far outside the floats on either side.
Pair Clamped(Pair x, double limit) {
  const Pair high = {limit, limit};
  const Pair not_above = x > high ? high : x;
  return not_above < -high ? -high : not_above;
}

Pair Exp(Pair x) {
  const Parts parts = ExpParts(Clamped(x, 200));
  return parts.power + parts.power * parts.s;
}

Pair Sigmoid(Pair x) {
  const Pair one = {1, 1};
  const Pair e = Exp(x < 0 ? x : -x);
  return (x < 0 ? e : one) / (1 + e);
}

Pair Tanh(Pair x) {
  const Parts parts = ExpParts(Clamped(2 * x, 100));
  const Pair m = parts.power * parts.s + (parts.power - 1);  // e^2x - 1
  return x == 0 ? x : m / (m + 2);
}

// 2 atanh(s) for |s| <= 0.1716
double TwiceAtanh(double s) {
  const double z = s * s;
  // sum of z^k / (2 k + 1), k = 1..10; the next term is below 2^-60
  double q = 1.0 / 21;
  q = q * z + 1.0 / 19;
  q = q * z + 1.0 / 17;
  q = q * z + 1.0 / 15;
  q = q * z + 1.0 / 13;
  q = q * z + 1.0 / 11;
  q = q * z + 1.0 / 9;
  q = q * z + 1.0 / 7;
  q = q * z + 1.0 / 5;
  q = q * z + 1.0 / 3;
  return 2 * s + 2 * s * z * q;
}

// Of a positive, finite, normal x.
double LogOfPositive(double x) {
  constexpr std::uint64_t kSqrtHalf = 0x3FE6A09E667F3BCD;
  constexpr std::uint64_t kOne = 0x3FF0000000000000;
  const std::uint64_t moved = std::bit_cast<std::uint64_t>(x) + (kOne - kSqrtHalf);
  const double k = static_cast<double>(static_cast<int>(moved >> 52) - 1023);
  const double m = std::bit_cast<double>((moved & 0x000FFFFFFFFFFFFF) + kSqrtHalf);
  return k * kLn2High + (k * kLn2Low + TwiceAtanh((m - 1) / (m + 1)));
}

double Log(double x) {
  if (x > 0 && x < kInfinity) return LogOfPositive(x);
  return x == 0 ? -kInfinity : x > 0 ? x : kNan;
}

double Log1p(double x) {
  if (x > -0.29 && x < 0.41) return x == 0 ? x : TwiceAtanh(x / (2 + x));
  return Log(1 + x);
}

double Relu(double x) { return x < 0 ? 0 : x; }

// Exact: two floats' product is a double.
double LeakyRelu(double x) { return x < 0 ? static_cast<double>(static_cast<float>(kernels::kLeakyReluSlope)) * x : x; }

template <double (*kFunction)(double)>
void Fill(const float* x, double* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = kFunction(static_cast<double>(x[i]));
}

template <Pair (*kFunction)(Pair)>
void FillPairs(const float* x, double* y, std::size_t n) {
  for (std::size_t i = 0; i < n; i += 2) {
    const std::size_t second = i + 1 < n ? i + 1 : i;
    const Pair in = {static_cast<double>(x[i]), static_cast<double>(x[second])};
    const Pair out = kFunction(in);
    y[i] = out[0];
    if (second != i) y[second] = out[1];
  }
}

}  // namespace

void ReferenceValues(Function function, const float* x, double* y, std::size_t n) {
  switch (function) {
    case Function::kExp:
      return FillPairs<Exp>(x, y, n);
    case Function::kLog:
      return Fill<Log>(x, y, n);
    case Function::kLog1p:
      return Fill<Log1p>(x, y, n);
    case Function::kSigmoid:
      return FillPairs<Sigmoid>(x, y, n);
    case Function::kTanh:
      return FillPairs<Tanh>(x, y, n);
    case Function::kRelu:
      return Fill<Relu>(x, y, n);
    case Function::kLeakyRelu:
      return Fill<LeakyRelu>(x, y, n);
  }
}

}  // namespace lanewise
