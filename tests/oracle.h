// SPDX-License-Identifier: Apache-2.0
//
// The numerics contract in plain C++: what every GEMM kernel must give, bit by bit. Independent of the library's code.

#pragma once

#include <type_traits>
#include <vector>

#include "bits.h"
#include "lanewise/matrix_view.h"
#include "lanewise/tier.h"

namespace lanewise::test {

// C = alpha * A * B + beta * C + bias (bias may be null), each element in the contract's order.
template <typename T>
requires std::is_floating_point_v<T>
void OracleGemm(NumericClass numeric_class, T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta,
                const T* bias, MatrixView<T> c) {
  const std::ptrdiff_t k_total = alpha == T{0} ? 0 : a.cols;
  const int chains = c.cols == 1 ? 16 : c.cols <= 16 ? 4 : 1;
  for (std::ptrdiff_t i = 0; i < c.rows; ++i) {
    for (std::ptrdiff_t j = 0; j < c.cols; ++j) {
      T s = bias == nullptr ? T{0} : bias[j];
      if (beta != T{0}) s = MultiplyAdd(numeric_class, beta, c(i, j), s);
      for (std::ptrdiff_t chunk = 0; chunk < k_total; chunk += 256) {
        T p[16] = {};
        if (chunk == 0) p[0] = s;
        for (std::ptrdiff_t k = chunk; k < k_total && k < chunk + 256; ++k) {
          T& chain = p[k % chains];
          chain = MultiplyAdd(numeric_class, alpha * a(i, k), b(k, j), chain);
        }
        for (int width = chains / 2; width > 0; width /= 2) {
          for (int t = 0; t < width; ++t) p[t] = p[2 * t] + p[2 * t + 1];
        }
        s = chunk == 0 ? p[0] : s + p[0];
      }
      c(i, j) = s;
    }
  }
}

// Integers: exact modulo 2^32 or 2^64, as unsigned numbers are in C++; in whatever order.
template <typename T>
requires std::is_integral_v<T>
void OracleGemm(NumericClass /*numeric_class*/, T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta,
                const T* bias, MatrixView<T> c) {
  using U = std::make_unsigned_t<T>;
  for (std::ptrdiff_t i = 0; i < c.rows; ++i) {
    for (std::ptrdiff_t j = 0; j < c.cols; ++j) {
      U sum = 0;
      if (alpha != 0) {
        for (std::ptrdiff_t k = 0; k < a.cols; ++k) sum += static_cast<U>(a(i, k)) * static_cast<U>(b(k, j));
      }
      sum *= static_cast<U>(alpha);
      if (beta != 0) sum += static_cast<U>(beta) * static_cast<U>(c(i, j));
      if (bias != nullptr) sum += static_cast<U>(bias[j]);
      c(i, j) = static_cast<T>(sum);
    }
  }
}

}  // namespace lanewise::test
