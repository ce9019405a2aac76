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

inline const UnaryReference* FindUnary(std::string_view name) {
  static constexpr UnaryReference kReferences[] = {
      {Function::kExp, [](long double x) { return std::exp(x); }},
      {Function::kLog, [](long double x) { return std::log(x); }},
      {Function::kLog1p, [](long double x) { return std::log1p(x); }},
      {Function::kSigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); }},
      {Function::kTanh, [](long double x) { return std::tanh(x); }},
      {Function::kRelu, [](long double x) { return x < 0 ? 0 : x; }},
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
// The operations around exp and log are exact; exp and log themselves are the tier's own kernels, which are tested as
// functions.

template <typename T>
struct RowContext {
  NumericClass numeric_class;
  const kernels::UnaryKernel<T>& exp;
  const kernels::UnaryKernel<T>& log;

  T Exp(T x) const { return Apply(exp, x); }
  T Log(T x) const { return Apply(log, x); }

 private:
  static T Apply(const kernels::UnaryKernel<T>& kernel, T x) {
    T y;
    kernel.run(&x, &y, 1);
    return y;
  }
};

// softmax: y_i = e_i * (1 / sum of e_j), log_softmax: y_i = (x_i - max) - log(sum of e_j), with e_i = exp(x_i - max).
template <typename T>
bool ReferenceRow(std::string_view name, const RowContext<T>& context, const std::vector<T>& x, std::vector<T>& y) {
  T max = -std::numeric_limits<T>::infinity();
  for (T v : x) max = v > max ? v : max;
  std::vector<T> e;
  e.reserve(x.size());
  for (T v : x) e.push_back(context.Exp(v - max));
  const T sum = ReferenceSum(e.data(), e.size());
  y.clear();
  y.reserve(x.size());
  if (name == "softmax") {
    for (T v : e) y.push_back(v * (1 / sum));
    return true;
  }
  if (name == "log_softmax") {
    const T log_sum = context.Log(sum);
    for (T v : x) y.push_back((v - max) - log_sum);
    return true;
  }
  return false;
}

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
