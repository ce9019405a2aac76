// SPDX-License-Identifier: Apache-2.0
//
// Runs doctest, then reports which tiers were covered.

#define DOCTEST_CONFIG_IMPLEMENT
#include "doctest/doctest.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tiers.h"

namespace lanewise::test {
namespace {

bool g_covered[kTierCount];

// The names in an environment variable's list; none if it is not set.
std::vector<std::string> NamesIn(const char* variable) {
  const char* value = std::getenv(variable);
  std::vector<std::string> names;
  if (value == nullptr) return names;
  std::istringstream list(value);
  for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  return names;
}

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> CoveredNames() {
  std::vector<std::string> names;
  for (int i = 0; i < kTierCount; ++i) {
    if (g_covered[i]) names.emplace_back(Name(static_cast<Tier>(i)));
  }
  return names;
}

// The first name in an environment variable's list that is no covered tier, or "".
std::string FirstMissing(const char* variable, const std::vector<std::string>& covered) {
  for (const std::string& name : NamesIn(variable)) {
    if (!Contains(covered, name)) return name;
  }
  return "";
}

}  // namespace

void ForEachTier(const std::function<void(Tier tier, const kernels::KernelTable& table)>& body) {
  const std::vector<std::string> only = NamesIn("LANEWISE_TEST_TIERS");
  for (int i = 0; i < kTierCount; ++i) {
    const Tier tier = static_cast<Tier>(i);
    const kernels::KernelTable* table = kernels::CompiledTable(tier);
    if (table == nullptr || !Missing(tier, ThisCpu()).empty()) continue;
    if (!only.empty() && !Contains(only, Name(tier))) continue;
    g_covered[i] = true;
    INFO("tier ", std::string(Name(tier)));  // doctest logs a const char* as an address
    body(tier, *table);
  }
}

Kernels KernelsOf(Tier tier) {
  Result<Kernels> kernels = SelectKernels(Name(tier));
  REQUIRE_MESSAGE(kernels.ok(), kernels.status().message());
  return *kernels;
}

}  // namespace lanewise::test

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  const int failed = context.run();
  if (context.shouldExit()) return failed;
  const std::vector<std::string> covered = lanewise::test::CoveredNames();
  if (covered.empty()) return failed;  // a test of something that has no tiers
  std::printf("tiers covered:");
  for (const std::string& name : covered) std::printf(" %s", name.c_str());
  std::printf("\n");
  for (const char* variable : {"LANEWISE_TEST_REQUIRE", "LANEWISE_TEST_TIERS"}) {
    const std::string missing = lanewise::test::FirstMissing(variable, covered);
    if (missing.empty()) continue;
    std::printf("FAILED: %s names tier '%s', which was not covered\n", variable, missing.c_str());
    return 1;
  }
  return failed;
}
