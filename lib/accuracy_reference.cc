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

struct Parts {
  double s;      // e^r - 1
  double power;  // 2^n
};

// x = n ln 2 + r, |r| <= ln 2 / 2, for |x| <= 200.
Parts ExpParts(double x) {
  constexpr double kShifter = 0x1.8p52;
  const double shifted = x * 0x1.71547652b82fep0 + kShifter;
  const double n = shifted - kShifter;
  const double r = (x - n * kLn2High) - n * kLn2Low;
  // sum of r^k / k!, k = 1..14; the next term is below 2^-63 r
  double q = 1.0 / 87178291200.0;
  q = q * r + 1.0 / 6227020800.0;
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
  return {r + r * r * q, std::bit_cast<double>((std::bit_cast<std::uint64_t>(shifted) << 52) + 0x3FF0000000000000)};
}

// Beyond 200 e^x is far outside the floats on either side.
double Clamped(double x, double limit) { return x > limit ? limit : x < -limit ? -limit : x; }

double Exp(double x) {
  const Parts parts = ExpParts(Clamped(x, 200));
  return parts.power + parts.power * parts.s;
}

double Sigmoid(double x) {
  const double e = Exp(x < 0 ? x : -x);
  return (x < 0 ? e : 1) / (1 + e);
}

double Tanh(double x) {
  if (x == 0) return x;
  const Parts parts = ExpParts(Clamped(2 * x, 100));
  const double m = parts.power * parts.s + (parts.power - 1);  // e^2x - 1
  return m / (m + 2);
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

}  // namespace

void ReferenceValues(Function function, const float* x, double* y, std::size_t n) {
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
