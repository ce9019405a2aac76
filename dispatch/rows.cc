// SPDX-License-Identifier: Apache-2.0
//
// Expands kernel_rows.inc into the list of rows.

#include "rows.h"

#include <type_traits>

namespace lanewise {
namespace {

template <typename T>
constexpr std::string_view kTypeName = std::is_integral_v<T> ? (sizeof(T) == 8 ? "i64" : "i32")
                                                             : (sizeof(T) == 8 ? "f64" : "f32");

template <typename Kernel>
std::string TileOf(const Kernel& /*kernel*/) {
  return "";
}

template <typename T>
std::string TileOf(const kernels::GemmKernel<T>& kernel) {
  return std::to_string(kernel.chains1.mr) + "x" + std::to_string(kernel.chains1.nr);
}

template <typename Kernel>
constexpr Row MakeRow(std::string_view name, void (*copy)(const kernels::KernelTable&, kernels::KernelTable&),
                      std::string (*tile)(const kernels::KernelTable&)) {
  using T = typename Kernel::Scalar;
  return {name, kTypeName<T>, Kernel::kKind, std::is_integral_v<T>, copy, tile};
}

}  // namespace

std::span<const Row> Rows() {
  using namespace kernels;  // NOLINT(google-build-using-namespace): the row types, as in kernel_table.h
  static constexpr Row kRows[] = {
#define LANEWISE_ROW(name, ...)                                                     \
  MakeRow<__VA_ARGS__>(                                                             \
      #name, [](const KernelTable& from, KernelTable& to) { to.name = from.name; }, \
      [](const KernelTable& table) { return TileOf(*table.name); }),
#include "kernel_rows.inc"
#undef LANEWISE_ROW
  };
  return kRows;
}

Tables CompiledTables() {
  Tables tables;
  for (std::size_t i = 0; i < tables.size(); ++i) tables[i] = kernels::CompiledTable(static_cast<Tier>(i));
  return tables;
}

}  // namespace lanewise
