// SPDX-License-Identifier: Apache-2.0
//
// The environment variables that programs built on Lanewise read. The library itself takes its settings from its
// callers; nothing but these functions looks at the environment, and each looks anew at every call.
//
//   LANEWISE_ISA           the request for SelectKernels (lanewise/isa.h)
//   LANEWISE_THREADS       a number of threads from 1 to kMaxThreads, or "auto"
//   OMP_NUM_THREADS        the same if LANEWISE_THREADS is unset; of a list, the first number
//
// LANEWISE_TEST_REQUIRE, tiers that the tests must cover, and LANEWISE_TEST_TIERS, those that they cover alone, are
// known but read by the test programs alone.

#pragma once

#include <string>
#include <vector>

#include "lanewise/status.h"

namespace lanewise {

inline constexpr int kMaxThreads = 1024;

// A number of threads and the variable that it came from.
struct ThreadSetting {
  int threads = 0;     // 0: as many as are useful, nothing or "auto" was said
  std::string origin;  // "LANEWISE_THREADS", "OMP_NUM_THREADS" or ""
};

// The value of LANEWISE_ISA, "" if it is unset.
std::string RequestFromEnvironment();

// kInvalidArgument if the variable in force is not a number of threads.
Result<ThreadSetting> ThreadsFromEnvironment();

// Parses a number of threads as the variables above have it: 1 to kMaxThreads, or 0 for "auto".
Result<int> ParseThreads(const std::string& text);

// The value of COLUMNS, by which shells tell how wide the terminal is; 0 if it is not a number above 0.
int ColumnsFromEnvironment();

// The settings above that are set, as "NAME=value", in their order.
std::vector<std::string> SettingsInEnvironment();

// A message for each variable that begins with LANEWISE_ and is none of the above: likely a typing error.
std::vector<std::string> UnknownInEnvironment();

}  // namespace lanewise
