// SPDX-License-Identifier: Apache-2.0
//
// The numeric class of a choice of kernels.

#pragma once

#include <initializer_list>
#include <optional>

#include "format.h"
#include "lanewise/isa.h"
#include "lanewise/tier.h"

namespace lanewise::internal {

// The class of these kernels for T, named without their type, if they are of one.
template <typename T>
std::optional<NumericClass> CommonClass(const Kernels& kernels, std::initializer_list<const char*> names) {
  std::optional<NumericClass> common;
  for (const char* name : names) {
    const Result<Tier> tier = kernels.TierOf(Format("{}_{}", name, sizeof(T) == sizeof(float) ? "f32" : "f64"));
    if (!tier.ok() || (common && *common != ClassOf(*tier))) return std::nullopt;
    common = ClassOf(*tier);
  }
  return common;
}

}  // namespace lanewise::internal
