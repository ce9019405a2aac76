// SPDX-License-Identifier: Apache-2.0
//
// lanewise-bench: every kernel on every tier that this CPU and the request allow, and the workloads. Each result is
// checked before it is timed. All flags of Google Benchmark work; --isa or LANEWISE_ISA restricts the tiers.
//
// Exit codes: 0; 1 a result was wrong; 2 wrong usage, or no benchmark matches the filter; 5 the request asks for what
// is not compiled or what the CPU cannot do.

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "fmt/format.h"
#include "lanewise/build_info.h"
#include "lanewise/cpu.h"
#include "lanewise/environment.h"
#include "lanewise/isa.h"
#include "reporter.h"
#include "suite.h"

namespace lanewise::bench {

namespace {

enum ExitCode : int { kOk = 0, kCheckFailed = 1, kUsage = 2, kNotAvailable = 5 };

void PrintHelp() {
  std::puts(
      "lanewise-bench [--isa=SPEC] [flags of Google Benchmark]\n\n"
      "  --isa=SPEC   instruction sets: avx2 (exactly), <=avx2 (at most), -avx512 (without), ...;\n"
      "               default: LANEWISE_ISA, else all that this CPU has\n\n"
      "example: lanewise-bench --isa=avx2 --benchmark_filter=gemm_f32/ --benchmark_repetitions=10\n");
  benchmark::PrintDefaultHelp();
}

// Takes --isa=SPEC or --isa SPEC out of the arguments.
std::string TakeRequest(std::vector<char*>& arguments) {
  std::string request = RequestFromEnvironment();
  for (auto it = arguments.begin() + 1; it != arguments.end();) {
    const std::string_view argument = *it;
    if (argument.starts_with("--isa=")) {
      request = argument.substr(6);
      it = arguments.erase(it);
    } else if (argument == "--isa" && it + 1 != arguments.end()) {
      request = it[1];
      it = arguments.erase(it, it + 2);
    } else {
      ++it;
    }
  }
  return request;
}

// What a figure depends on besides the kernel.
std::vector<std::pair<std::string, std::string>> Circumstances(const std::string& request) {
  const BuildInfo build = ThisBuild();
  return {{"lanewise", build.version},  {"build_type", build.build_type + (build.assertions ? " with assertions" : "")},
          {"compiler", build.compiler}, {"highway", build.highway},
          {"cpu", ThisCpu().brand},     {"request", request.empty() ? "none" : request}};
}

// How far the measurements of a peak lie apart.
std::string Spread(const PeakSamples& peak) {
  std::vector<double> sorted = peak.gflops;
  std::sort(sorted.begin(), sorted.end());
  return fmt::format("{:<9}{}  {:6.1f} GFLOP/s in the median, {:.1f} to {:.1f}, measured {}x\n", Name(peak.tier),
                     Name(peak.type), sorted[sorted.size() / 2], sorted.front(), sorted.back(), sorted.size());
}

int Main(int argc, char** argv) {
  std::vector<char*> arguments(argv, argv + argc);
  const std::string request = TakeRequest(arguments);
  // Enough for a stable figure of one kernel, and for all of them in a few minutes. Behind it, the user's own flag
  // wins.
  std::string min_time = "--benchmark_min_time=0.05";
  arguments.insert(arguments.begin() + 1, min_time.data());
  const bool own_format = std::any_of(arguments.begin(), arguments.end(), [](std::string_view argument) {
    return argument.starts_with("--benchmark_format");
  });
  constexpr std::string_view kOut = "--benchmark_out=";
  const auto out = std::find_if(arguments.rbegin(), arguments.rend(),
                                [=](std::string_view argument) { return argument.starts_with(kOut); });
  const std::string report = out == arguments.rend() ? "" : std::string(*out).substr(kOut.size());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data(), PrintHelp);
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return kUsage;

  Suite suite(ListKernels(request, ThisCpu()));
  if (const Status& error = suite.request_error(); !error.ok()) {
    std::fprintf(stderr, "error: %s\n", error.message().c_str());
    const bool unavailable = error.code() == StatusCode::kNotCompiled || error.code() == StatusCode::kNotSupported;
    return unavailable ? kNotAvailable : kUsage;
  }
  AddGemm(suite);
  AddKernels(suite);
  AddWorkloads(suite);
  AddContract(suite);
  suite.Register();

  std::string heading;
  const auto circumstance = [&heading](const std::string& key, const std::string& value) {
    benchmark::AddCustomContext(key, value);
    heading += fmt::format("{:<19} {}\n", key, value);
  };
  for (const auto& [key, value] : Circumstances(request)) circumstance(key, value);
  std::string tiers;
  for (const Tier tier : suite.Tiers()) tiers += fmt::format("{}{}", tiers.empty() ? "" : " ", Name(tier));
  circumstance("tiers", tiers);
  for (int i = 0; i < kTierCount; ++i) {
    const Tier tier = static_cast<Tier>(i);
    for (const ElementType type : {ElementType::kF32, ElementType::kF64}) {
      if (!suite.Allows(fmt::format("gemm_{}", Name(type)), tier)) continue;
      circumstance(fmt::format("peak_{}_{}", Name(type), Name(tier)),
                   fmt::format("{:.1f} GFLOP/s", suite.SamplePeak(tier, type)));
    }
  }

  TableReporter table(heading, [&] {
    std::string text = "peaks, measured once, then before and after each product:\n";
    for (const PeakSamples& peak : suite.peaks()) text += Spread(peak);
    if (!report.empty()) text += fmt::format("\nthe same for programs: {}\n", report);
    return text;
  });
  const std::size_t matching =
      own_format ? benchmark::RunSpecifiedBenchmarks() : benchmark::RunSpecifiedBenchmarks(&table);
  benchmark::Shutdown();
  if (matching == 0) return kUsage;
  if (suite.failed()) std::fputs("error: some results were wrong; see above\n", stderr);
  return suite.failed() ? kCheckFailed : kOk;
}

}  // namespace

}  // namespace lanewise::bench

int main(int argc, char** argv) { return lanewise::bench::Main(argc, argv); }
