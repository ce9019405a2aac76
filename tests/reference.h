// SPDX-License-Identifier: Apache-2.0
//
// What every row of the table but GEMM's must give, in plain C++: long double and an error bound for the functions,
// the exact sequence of IEEE operations for everything else. A row is looked up by its name without the type; a row
// that is missing here fails functions_test.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>
#include <vector>

#include "bits.h"
#include "kernel_table.h"
#include "lanewise/accuracy.h"

namespace lanewise::test {

// ---- Functions ---------------------------------------------------------------------------------------------------

// An elementwise function, in more digits than any kernel has.
struct UnaryReference {
  Function function;
  long double (*exact)(long double x);
};

template <typename T>
const UnaryReference* FindUnary(std::string_view name) {
  static constexpr UnaryReference kReferences[] = {
      {Function::kExp, [](long double x) { return std::exp(x); }},
      {Function::kLog, [](long double x) { return std::log(x); }},
      {Function::kLog1p, [](long double x) { return std::log1p(x); }},
      {Function::kSigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); }},
      {Function::kTanh, [](long double x) { return std::tanh(x); }},
      {Function::kRelu, [](long double x) { return x < 0 ? 0 : x; }},
      {Function::kLeakyRelu, [](long double x) { return x < 0 ? static_cast<T>(0.01) * x : x; }},
  };
  const auto* found = std::find_if(std::begin(kReferences), std::end(kReferences),
                                   [name](const UnaryReference& r) { return Name(r.function) == name; });
  return found == std::end(kReferences) ? nullptr : found;
}

// |y - exact| in units of the last place that T has around exact (the smallest denormal at least). Infinite where y
// is not the NaN, infinity or signed zero that exact rounds to.
template <typename T>
double UlpError(T y, long double exact) {
  using Limits = std::numeric_limits<T>;
  const T rounded = static_cast<T>(exact);
  if (SameBits(y, rounded)) {
    if (!std::isfinite(rounded) || rounded == exact) return 0;
  } else if (!std::isfinite(rounded) || !std::isfinite(y) || exact == 0) {
    return std::numeric_limits<double>::infinity();
  }
  const int exponent = rounded == 0 ? Limits::min_exponent - 1 : std::ilogb(rounded);
  const int ulp = std::max(exponent, Limits::min_exponent - 1) - (Limits::digits - 1);
  return static_cast<double>(std::scalbn(std::fabs(static_cast<long double>(y) - exact), -ulp));
}

// ---- Derivatives, from the saved value and dy --------------------------------------------------------------------

template <typename T>
using GradientReference = T (*)(T saved, T dy);

template <typename T>
GradientReference<T> FindGradient(std::string_view name) {
  if (name == "exp_gradient") return [](T y, T dy) { return dy * y; };
  if (name == "log_gradient") return [](T x, T dy) { return dy / x; };
  if (name == "sigmoid_gradient") return [](T y, T dy) { return dy * (y * (1 - y)); };
  if (name == "tanh_gradient") return [](T y, T dy) { return dy * ((1 - y) * (1 + y)); };
  if (name == "relu_gradient") return [](T y, T dy) { return y <= 0 ? T{0} : dy; };
  if (name == "leaky_relu_gradient") return [](T y, T dy) { return y <= 0 ? static_cast<T>(0.01) * dy : dy; };
  return nullptr;
}

// ---- Reductions --------------------------------------------------------------------------------------------------

// Sum of next(lane, i) over i < n in 16 lanes, and then over a tree of neighbours.
template <typename T, class Next>
T SumInLanes(std::size_t n, Next next) {
  T lanes[16] = {};
  for (std::size_t i = 0; i < n; ++i) lanes[i % 16] = next(lanes[i % 16], i);
  for (int width = 8; width > 0; width /= 2) {
    for (int t = 0; t < width; ++t) lanes[t] = lanes[2 * t] + lanes[2 * t + 1];
  }
  return lanes[0];
}

template <typename T>
T ReferenceSum(const T* x, std::size_t n) {
  return SumInLanes<T>(n, [x](T lane, std::size_t i) { return lane + x[i]; });
}

template <typename T>
std::vector<T> ReferenceColumnSum(const T* x, std::ptrdiff_t row_stride, std::size_t rows, std::size_t cols) {
  std::vector<T> total(cols, T{0});
  for (std::size_t chunk = 0; chunk < rows; chunk += 256) {
    for (std::size_t j = 0; j < cols; ++j) {
      T sum = 0;
      for (std::size_t i = chunk; i < std::min(rows, chunk + 256); ++i) {
        sum += x[static_cast<std::ptrdiff_t>(i) * row_stride + static_cast<std::ptrdiff_t>(j)];
      }
      total[j] += sum;
    }
  }
  return total;
}

// ---- Rows --------------------------------------------------------------------------------------------------------

struct RowValue {
  long double exact;
  long double error;  // the largest that functions.h allows
};

// softmax: y_i = e_i / sum of e_j, log_softmax: y_i = (x_i - max) - log(sum of e_j), with e_i = exp(x_i - max).
template <typename T>
bool ReferenceRow(std::string_view name, const std::vector<T>& x, std::vector<RowValue>& y) {
  using Limits = std::numeric_limits<T>;
  const long double unit = Limits::epsilon() / 2;
  const auto n = static_cast<long double>(x.size());
  long double max = -std::numeric_limits<long double>::infinity();
  for (const T v : x) max = v > max ? v : max;
  std::vector<long double> e;
  long double sum = 0;
  long double lost = 0;  // of the sum's low bits, by Fast2Sum in its order-free form (Knuth)
  for (const T v : x) {
    const long double distance = v - max;
    // What the difference loses when it is rounded.
    const long double part = distance - v;
    const long double rest = (v - (distance - part)) - (max + part);
    e.push_back(std::exp(distance) * (1 + (std::isfinite(distance) ? rest : 0)));
    const long double next = sum + e.back();
    const long double e_part = next - sum;
    lost += (sum - (next - e_part)) + (e.back() - e_part);
    sum = next;
  }
  sum += lost;
  y.clear();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double distance = max - x[i];
    if (name == "softmax") {
      const long double exact = e[i] / sum;
      const long double by_length = n <= 256 ? 9 + n / 16 : 24 + n / 128;
      const long double relative = std::min(by_length, 8 + distance + n / 16);
      y.push_back({exact, relative * unit * exact + (exact < Limits::min() ? 1.5L * Limits::denorm_min() : 0)});
    } else if (name == "log_softmax") {
      const long double exact = -distance - std::log(sum);
      y.push_back({exact, (16 + 2 * std::fabs(exact) + n / 16) * unit});
    } else {
      return false;
    }
  }
  return true;
}

// Whether y is what ReferenceRow allows. An infinity, where only -inf has it, and a NaN must be themselves.
template <typename T>
bool IsWithin(T y, const RowValue& reference) {
  if (std::isnan(reference.exact)) return std::isnan(y);
  if (std::isinf(reference.exact)) return y == static_cast<T>(reference.exact);
  return std::fabs(static_cast<long double>(y) - reference.exact) <= reference.error;
}

// exp of a tier's own kernel, which is tested as a function.
template <typename T>
struct RowContext {
  NumericClass numeric_class;
  const kernels::UnaryKernel<T>& exp;

  T Exp(T x) const {
    T y;
    exp.run(&x, &y, 1);
    return y;
  }
};

// softmax: dx_i = y_i * (dy_i - sum of y_j dy_j);  log_softmax: dx_i = dy_i - exp(y_i) * sum of dy_j.
template <typename T>
bool ReferenceRowGradient(std::string_view name, const RowContext<T>& context, const std::vector<T>& y,
                          const std::vector<T>& dy, std::vector<T>& dx) {
  dx.clear();
  dx.reserve(y.size());
  if (name == "softmax_gradient") {
    const T dot = SumInLanes<T>(
        y.size(), [&](T lane, std::size_t i) { return MultiplyAdd(context.numeric_class, y[i], dy[i], lane); });
    for (std::size_t i = 0; i < y.size(); ++i) dx.push_back(y[i] * (dy[i] - dot));
    return true;
  }
  if (name == "log_softmax_gradient") {
    const T sum = ReferenceSum(dy.data(), dy.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      dx.push_back(MultiplyAdd(context.numeric_class, -context.Exp(y[i]), sum, dy[i]));
    }
    return true;
  }
  return false;
}

}  // namespace lanewise::test
