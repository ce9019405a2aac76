// SPDX-License-Identifier: Apache-2.0
//
// Assembles one table per compiled target from the rows that the kernel sources define.

#include "kernel_table.h"

#include "targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel_table.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

// No code here, so no target attributes: only the namespace of the target.
namespace lanewise::HWY_NAMESPACE {
using namespace kernels;  // the row types; NOLINT(google-build-using-namespace)

#define LANEWISE_ROW(name, ...) extern const __VA_ARGS__ name;
#include "kernel_rows.inc"
#undef LANEWISE_ROW

extern const KernelTable kTable;
constexpr KernelTable kTable = {
#define LANEWISE_ROW(name, ...) &name,
#include "kernel_rows.inc"
#undef LANEWISE_ROW
};

}  // namespace lanewise::HWY_NAMESPACE

#if HWY_ONCE
namespace lanewise {

#define LANEWISE_TIER(id, name, numeric_class, highway_target, highway_namespace, cpu_features) \
  namespace highway_namespace {                                                                 \
  extern const kernels::KernelTable kTable;                                                     \
  }
#include "lanewise/tiers.inc"
#undef LANEWISE_TIER

namespace kernels {
namespace {
constexpr const KernelTable* kTables[] = {
#define LANEWISE_TIER(id, name, numeric_class, highway_target, highway_namespace, cpu_features) \
  (HWY_TARGETS & (highway_target)) != 0 ? &highway_namespace::kTable : nullptr,
#include "lanewise/tiers.inc"
#undef LANEWISE_TIER
};
}  // namespace

const KernelTable* CompiledTable(Tier tier) { return kTables[static_cast<int>(tier)]; }

#define LANEWISE_STRING(x) #x
#define LANEWISE_VERSION_STRING(major, minor, patch) \
  LANEWISE_STRING(major) "." LANEWISE_STRING(minor) "." LANEWISE_STRING(patch)
const char* HighwayVersion() { return LANEWISE_VERSION_STRING(HWY_MAJOR, HWY_MINOR, HWY_PATCH); }

}  // namespace kernels
}  // namespace lanewise
#endif  // HWY_ONCE
