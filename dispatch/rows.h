// SPDX-License-Identifier: Apache-2.0
//
// The rows of the kernel table as a list: what kernels there are and how to take one from a tier's table. Internal;
// knows neither CPUs nor requests.

#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "kernel_table.h"

namespace lanewise {

struct Row {
  std::string_view name;  // "gemm_f32"
  std::string_view type;  // "f32"
  std::string_view kind;  // "gemm"
  bool is_exact;          // of integers
  // Makes this row of `to` that of `from`.
  void (*copy)(const kernels::KernelTable& from, kernels::KernelTable& to);
  // "14x32" for a GEMM kernel (rows by columns of the tile for wide results), "" for others.
  std::string (*tile)(const kernels::KernelTable& table);
};

// In the order of kernel_rows.inc.
std::span<const Row> Rows();

// The table of each tier, null where it is not compiled.
using Tables = std::array<const kernels::KernelTable*, kTierCount>;

// What this library contains.
Tables CompiledTables();

}  // namespace lanewise
