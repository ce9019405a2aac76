// SPDX-License-Identifier: Apache-2.0
//
// Which tiers a test covers. Tests go over the tiers with ForEachTier; what was covered is printed when the program
// ends, and a tier that LANEWISE_TEST_REQUIRE names and no test covered makes the program fail (main.cc). With
// LANEWISE_TEST_TIERS only those that it names are covered, and must be: emulated CPUs are slow.

#pragma once

#include <functional>

#include "kernel_table.h"
#include "lanewise/isa.h"

namespace lanewise::test {

// Calls `body` for every tier that is compiled and that this CPU can run, of those asked for, inside a doctest
// subcase-free scope whose failure messages name the tier, and records it as covered.
void ForEachTier(const std::function<void(Tier tier, const kernels::KernelTable& table)>& body);

// The kernels of exactly one tier, which must be runnable here.
Kernels KernelsOf(Tier tier);

}  // namespace lanewise::test
