// SPDX-License-Identifier: Apache-2.0
//
// What accuracy.h promises of each function, for the two measurements behind it.

#pragma once

#include <string_view>

#include "lanewise/accuracy.h"

namespace lanewise::internal {

struct FunctionFacts {
  std::string_view name;
  float low;  // the function's range
  float high;
  double f32_fma;  // the largest errors
  double f32_mul_add;
  double f64_fma;
  double f64_mul_add;
};

const FunctionFacts& FactsOf(Function function);

// An error, in units in the last place, above which a result is not the nearest: the references are good to 2^-20.
inline constexpr double kNearest = 0.5 + 0x1p-20;

}  // namespace lanewise::internal
