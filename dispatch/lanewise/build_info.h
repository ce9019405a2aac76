// SPDX-License-Identifier: Apache-2.0
//
// What this library was built from and how.

#pragma once

#include <string>

namespace lanewise {

// The revision of the numerics contract. Equal revisions give equal bits within a numeric class (lanewise/tier.h); a
// change of any bit raises it. It stands in model files.
inline constexpr int kNumericsRevision = 1;

struct BuildInfo {
  std::string version;     // "0.1.0"
  std::string compiler;    // "GCC 12.2.0"
  std::string build_type;  // CMake's: "Release", "Debug" ...
  bool assertions;         // whether assert() is active in the library
  std::string highway;     // the version of Highway that the kernels are written on, "1.0.3"
  bool optimised;          // whether the compiler optimised the library
  // The sanitizers that the library was built with, "address undefined"; "" if none. (GCC does not tell of undefined.)
  std::string sanitizers;
};

BuildInfo ThisBuild();

}  // namespace lanewise
