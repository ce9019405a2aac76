// SPDX-License-Identifier: Apache-2.0
//
// The tiers: the instruction-set levels that every kernel is compiled for, as users see and name them, and the
// numeric classes they fall into. This file knows neither CPUs nor kernels.

#pragma once

#include <cstdint>

namespace lanewise {

// Which bits a tier produces. All tiers of a class give identical results; the first two differ by rounding.
enum class NumericClass : std::uint8_t {
  kFma,     // a * b + c is rounded once: avx2, avx512, neon
  kMulAdd,  // a * b + c is rounded twice, float functions are evaluated in double: portable, sse4
  kExact,   // integers, modulo 2^32 or 2^64: every tier, whatever its class for floating-point numbers
};

// "fma", "mul-add" or "exact".
constexpr const char* Name(NumericClass numeric_class) {
  constexpr const char* kNames[] = {"fma", "mul-add", "exact"};
  return kNames[static_cast<int>(numeric_class)];
}

// One value per line of kernels/tiers.inc, in ascending order of preference within an architecture.
enum class Tier : std::uint8_t {
#define LANEWISE_TIER(id, name, numeric_class, highway_target, highway_namespace, cpu_features) id,
#include "lanewise/tiers.inc"
#undef LANEWISE_TIER
};

inline constexpr int kTierCount = 0
#define LANEWISE_TIER(id, name, numeric_class, highway_target, highway_namespace, cpu_features) +1
#include "lanewise/tiers.inc"
#undef LANEWISE_TIER
    ;

// The name that users type: "portable", "sse4", "avx2", "avx512", "neon".
constexpr const char* Name(Tier tier) {
  constexpr const char* kNames[] = {
#define LANEWISE_TIER(id, name, numeric_class, highway_target, highway_namespace, cpu_features) name,
#include "lanewise/tiers.inc"
#undef LANEWISE_TIER
  };
  return kNames[static_cast<int>(tier)];
}

// The class of a tier's floating-point kernels.
constexpr NumericClass ClassOf(Tier tier) {
  constexpr NumericClass kClasses[] = {
#define LANEWISE_TIER(id, name, numeric_class, highway_target, highway_namespace, cpu_features) \
  NumericClass::numeric_class,
#include "lanewise/tiers.inc"
#undef LANEWISE_TIER
  };
  return kClasses[static_cast<int>(tier)];
}

}  // namespace lanewise
