// SPDX-License-Identifier: Apache-2.0
//
// Data for benchmarks: the same numbers in every run.

#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "lanewise/random.h"

namespace lanewise::bench {

// n numbers, uniform in [low, high); integers are any.
template <typename T>
std::vector<T> Uniform(std::size_t n, double low, double high, std::uint32_t seed) {
  Random random(seed, Stream::kUser);
  std::vector<T> values(n);
  for (T& v : values) {
    if constexpr (std::is_integral_v<T>) {
      v = static_cast<T>(random.Next64());
    } else {
      v = static_cast<T>(low + (high - low) * static_cast<double>(random.UniformFloat()));
    }
  }
  return values;
}

}  // namespace lanewise::bench
