// SPDX-License-Identifier: Apache-2.0
//
// Runs doctest, then reports which tiers were covered.

#define DOCTEST_CONFIG_IMPLEMENT
#include "doctest/doctest.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tiers.h"

namespace lanewise::test {
namespace {

bool g_covered[kTierCount];

std::string CoveredNames() {
  std::string names;
  for (int i = 0; i < kTierCount; ++i) {
    if (g_covered[i]) names += (names.empty() ? "" : ",") + std::string(Name(static_cast<Tier>(i)));
  }
  return names;
}

// The first tier that LANEWISE_TEST_REQUIRE names and that was not covered, or "".
std::string FirstMissing(const std::string& required, const std::string& covered) {
  for (std::size_t begin = 0; begin < required.size();) {
    const std::size_t comma = std::min(required.find(',', begin), required.size());
    std::string name = required.substr(begin, comma - begin);
    if (("," + covered + ",").find("," + name + ",") == std::string::npos) return name;
    begin = comma + 1;
  }
  return "";
}

}  // namespace

void ForEachTier(const std::function<void(Tier tier, const kernels::KernelTable& table)>& body) {
  for (int i = 0; i < kTierCount; ++i) {
    const Tier tier = static_cast<Tier>(i);
    const kernels::KernelTable* table = kernels::CompiledTable(tier);
    if (table == nullptr || !Missing(tier, ThisCpu()).empty()) continue;
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
  const std::string covered = lanewise::test::CoveredNames();
  if (covered.empty()) return failed;  // a test of something that has no tiers
  std::printf("tiers covered: %s\n", covered.c_str());
  const char* required = std::getenv("LANEWISE_TEST_REQUIRE");
  const std::string missing = lanewise::test::FirstMissing(required == nullptr ? "" : required, covered);
  if (missing.empty()) return failed;
  std::printf("FAILED: LANEWISE_TEST_REQUIRE names tier '%s', which was not covered\n", missing.c_str());
  return 1;
}
