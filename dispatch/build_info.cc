// SPDX-License-Identifier: Apache-2.0
//
// The build's own description; the build system defines LANEWISE_VERSION and LANEWISE_BUILD_TYPE for this file alone.

#include "lanewise/build_info.h"

#include <utility>

#include "format.h"
#include "kernel_table.h"

namespace lanewise {

BuildInfo ThisBuild() {
#if defined(__clang__)
  std::string compiler = Format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  std::string compiler = Format("GCC {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
#if defined(NDEBUG)
  constexpr bool kAssertions = false;
#else
  constexpr bool kAssertions = true;
#endif
  return {.version = LANEWISE_VERSION,
          .compiler = std::move(compiler),
          .build_type = LANEWISE_BUILD_TYPE,
          .assertions = kAssertions,
          .highway = kernels::HighwayVersion()};
}

}  // namespace lanewise
