// SPDX-License-Identifier: Apache-2.0
//
// The bits of the fixed work: the same on all tiers of a class, whatever the threads and batches, and those of
// tests/golden/repro.json, which all machines and compilers share.

#include "lanewise/repro.h"

#include <cfenv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "temporary_folder.h"
#include "tiers.h"

namespace lanewise::test {
namespace {

constexpr const char* kGolden = LANEWISE_GOLDEN "/repro.json";

std::vector<Tier> TiersHere() {
  std::vector<Tier> tiers;
  ForEachTier([&](Tier tier, const kernels::KernelTable& /*table*/) { tiers.push_back(tier); });
  return tiers;
}

std::string Golden() {
  std::ifstream file(kGolden);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  const std::size_t place = text.find(what);
  REQUIRE(place != std::string::npos);
  return text.replace(place, what.size(), by);
}

TEST_CASE("the work gives the golden bits on every tier, with any number of threads, in any batches") {
  // Threads take turns under emulation, the slower of which (bochs.sh) is asked for certain tiers.
  const std::vector<int> threads = std::getenv("LANEWISE_TEST_TIERS") != nullptr ? std::vector<int>{1}
                                   : LANEWISE_EMULATED                           ? std::vector<int>{1, 3}
                                                                                 : std::vector<int>{1, 2, 4};
  const Result<ReproReport> report = RunRepro(TiersHere(), {.threads = threads});
  REQUIRE_MESSAGE(report.ok(), report.status().message());
  for (const ReproDifference& d : report->differences) {
    FAIL_CHECK(d.operation << ", " << d.element << ": " << d.value[0] << " on " << d.way[0] << ", " << d.value[1]
                           << " on " << d.way[1]);
  }
  const Result<std::string> compared = CompareWithFile(*report, kGolden);
  REQUIRE_MESSAGE(compared.ok(), compared.status().message());
  CHECK(*compared == "");  // NOLINT(readability-container-size-empty): the message is what one wants to see

  // What else is written and read.
  const TemporaryFolder folder;
  CHECK(CompareWithFile(*report, folder.Write("own", *ToJson(*report))).ok());
  const std::string golden = Golden();
  CHECK(CheckReproFile(kGolden).ok());
  // `beforehand`: what a look at the file alone finds.
  const auto fails = [&](const std::string& text, const std::string& rule, bool beforehand = true) {
    const std::string path = folder.Write("bad", text);
    const Status status = CompareWithFile(*report, path).status();
    CHECK(CheckReproFile(path).message() == (beforehand ? status.message() : ""));
    CAPTURE(status.message());
    CHECK(status.code() == StatusCode::kBadFile);
    CHECK(status.message().find(path) != std::string::npos);
    CHECK(status.message().find(rule) != std::string::npos);
  };
  for (const std::string& text : {std::string(), std::string("[]"), std::string("{}"), std::string(100'000, '['),
                                  std::string(100'000, '{'), Replaced(golden, "numerics_revision", "x"),
                                  Replaced(golden, "\"results\": [", "\"results\": [1,"), golden.substr(0, 5000)}) {
    fails(text, "is not a");
  }
  fails(Replaced(golden, "revision\": 1", "revision\": 2"), "holds the bits of numerics revision 2; this library has");
  fails(R"({"numerics_revision": 1, "results": [], "differences": []})", "has no hashes of a class", false);
  // Another set of work, or a run that failed, attests nothing.
  fails(Replaced(golden, "\"differences\": []", "\"differences\": [1]"), "of a run in which results differed");
  fails(Replaced(golden, "gemm i64", "gemm i16"), "has no 'gemm i64' of class exact", false);
  fails(Replaced(golden, "gemm i32", "gemm i64"), "has 'exact gemm i64' twice");
  fails(Replaced(golden, "\"results\": [", R"("results": [{"class": "exact", "topic": "gemm i16"},)"),
        "has 'exact gemm i16', which is not computed here", false);
  CHECK(CompareWithFile(*report, folder / "missing").status().code() == StatusCode::kIoError);
  CHECK(CheckReproFile(folder / "missing").code() == StatusCode::kIoError);

  // One bit of one operation.
  ReproReport changed = *report;
  changed.results[0].operations[3] ^= 1;
  changed.results[0].hash ^= 1;
  const Result<std::string> named = CompareWithFile(changed, kGolden);
  REQUIRE(named.ok());
  CAPTURE(*named);
  CHECK(named->find("gemm f32 on ") != std::string::npos);
  CHECK(named->find("operation 3: M = ") != std::string::npos);
}

TEST_CASE("other roundings are found, and the run can be ended") {
  const std::vector<Tier> tiers = TiersHere();
  int operations = 0;
  ReproOptions options{.threads = {1}, .progress = [&](double) { return ++operations < 20; }};
  CHECK(RunRepro({tiers[0]}, options).status().code() == StatusCode::kInvalidArgument);
  CHECK(operations == 20);

  options.progress = nullptr;
  std::fesetround(FE_UPWARD);
  const Result<ReproReport> report = RunRepro({tiers[0]}, options);
  std::fesetround(FE_TONEAREST);
  REQUIRE_MESSAGE(report.ok(), report.status().message());
  const Result<std::string> compared = CompareWithFile(*report, kGolden);
  REQUIRE_MESSAGE(compared.ok(), compared.status().message());
  CHECK(compared->find("gemm f32 on ") != std::string::npos);
}

TEST_CASE("what cannot be run is refused") {
  CHECK(RunRepro({}).status().code() == StatusCode::kInvalidArgument);
  CHECK(RunRepro({Tier::kPortable}, {.threads = {}}).status().code() == StatusCode::kInvalidArgument);
  CHECK(RunRepro({Tier::kPortable}, {.threads = {1, 0}}).status().code() == StatusCode::kInvalidArgument);
  const Tier foreign = IsCompiled(Tier::kNeon) ? Tier::kAvx2 : Tier::kNeon;
  CHECK(RunRepro({foreign}).status().code() == StatusCode::kNotCompiled);
}

}  // namespace
}  // namespace lanewise::test
