// SPDX-License-Identifier: Apache-2.0
//
// What the machine allows at best, by the probe: printed above the comparison, which is measured against it.

#pragma once

#include <string>

namespace lanewise::peers {

// Multiply-adds of each tier of this CPU and the clock while they run, and how fast this thread reads from each cache
// and memory.
std::string Limits();

}  // namespace lanewise::peers
