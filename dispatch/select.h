// SPDX-License-Identifier: Apache-2.0
//
// Selection as a pure function of request, CPU and tables: what SelectKernels and ListKernels both rest on, and what a
// test calls with any CPU and any set of compiled tiers. Internal.

#pragma once

#include <string_view>
#include <vector>

#include "lanewise/isa.h"
#include "request.h"
#include "rows.h"

namespace lanewise {

struct Selection {
  kernels::KernelTable table;  // composed row by row
  Tier rest;                   // chosen for every kernel that the request does not name
  std::vector<Tier> tiers;     // of each row
};

// kNotCompiled or kNotSupported, as lanewise/isa.h says.
Result<Selection> Select(const Request& request, const CpuFacts& cpu, const Tables& tables);

// The chosen kernels as callers hold them. (Benchmarks choose some that no request names.)
Kernels MakeKernels(Selection selection);

// ListKernels for a given set of tables.
Listing ListKernels(std::string_view request, const CpuFacts& cpu, const Tables& tables);

}  // namespace lanewise
