// SPDX-License-Identifier: Apache-2.0
//
// The build's own description; the build system defines LANEWISE_VERSION and LANEWISE_BUILD_TYPE for this file alone.

#include "lanewise/build_info.h"

#include <utility>

#include "format.h"
#include "kernel_table.h"

namespace lanewise {
namespace {

#if !defined(__has_feature)  // GCC, which has macros instead
#define __has_feature(name) 0
#endif

std::string Sanitizers() {
  std::string names;
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
  names += " address";
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
  names += " thread";
#endif
#if __has_feature(memory_sanitizer)
  names += " memory";
#endif
#if __has_feature(undefined_behavior_sanitizer)
  names += " undefined";
#endif
  return names.empty() ? "" : names.substr(1);
}

}  // namespace

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
#if defined(__OPTIMIZE__)
  constexpr bool kOptimised = true;
#else
  constexpr bool kOptimised = false;
#endif
  return {.version = LANEWISE_VERSION,
          .compiler = std::move(compiler),
          .build_type = LANEWISE_BUILD_TYPE,
          .assertions = kAssertions,
          .highway = kernels::HighwayVersion(),
          .optimised = kOptimised,
          .sanitizers = Sanitizers()};
}

}  // namespace lanewise
