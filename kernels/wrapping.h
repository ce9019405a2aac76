// SPDX-License-Identifier: Apache-2.0
//
// Arithmetic on one number, as GEMM does it on vectors: floating-point numbers as they are, integers modulo 2^32 or
// 2^64, by way of their unsigned counterparts, whose overflow is defined.

#pragma once

#include <type_traits>

namespace lanewise::kernels {

template <typename T>
constexpr T Plus(T x, T y) {
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(x) + static_cast<U>(y));
  } else {
    return x + y;
  }
}

template <typename T>
constexpr T Times(T x, T y) {
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(x) * static_cast<U>(y));
  } else {
    return x * y;
  }
}

}  // namespace lanewise::kernels
