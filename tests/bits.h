// SPDX-License-Identifier: Apache-2.0
//
// Comparing results bit by bit, and rounding like a tier's numeric class.

#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "lanewise/tier.h"

namespace lanewise::test {

template <typename T>
using BitsOf = std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;

// The bits of x, every NaN mapped to one value: sign and payload of a NaN are not promised.
template <typename T>
BitsOf<T> CanonicalBits(T x) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(x)) return static_cast<BitsOf<T>>(-1);
  }
  return std::bit_cast<BitsOf<T>>(x);
}

template <typename T>
bool SameBits(T x, T y) {
  return CanonicalBits(x) == CanonicalBits(y);
}

// a * b + c with the roundings of the class.
template <typename T>
T MultiplyAdd(NumericClass numeric_class, T a, T b, T c) {
  if (numeric_class == NumericClass::kFma) return std::fma(a, b, c);
  const T product = a * b;
  return product + c;
}

}  // namespace lanewise::test
