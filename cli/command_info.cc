// SPDX-License-Identifier: Apache-2.0
//
// lanewise info: the machine, the tiers, and the settings in force with their origin.

#include <string>
#include <vector>

#include "command.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "lanewise/build_info.h"
#include "lanewise/environment.h"
#include "lanewise/isa.h"
#include "options.h"

namespace lanewise::cli {
namespace {

// All that the command reports, gathered once for both forms of output.
struct Facts {
  const CpuFacts& cpu = ThisCpu();
  BuildInfo build = ThisBuild();
  std::string request;
  std::string origin;
  Result<Kernels> kernels;
  Result<Threads> threads;
  std::vector<std::string> settings = SettingsInEnvironment();
};

Json SizeOrNull(std::size_t bytes) { return bytes == 0 ? Json() : Json(bytes); }

Json MissingBits(Tier tier, const CpuFacts& cpu) {
  const CpuFeatures missing = Missing(tier, cpu);
  Json bits = Json::array();
  for (int i = 0; i < static_cast<int>(CpuFeature::kCount); ++i) {
    const auto feature = static_cast<CpuFeature>(i);
    if (missing.Has(feature)) bits.push_back(Name(feature));
  }
  return bits;
}

Json ErrorOrNull(const Status& status) { return status.ok() ? Json() : Json(status.message()); }

Json ToJson(const Facts& facts) {
  const CpuFacts& cpu = facts.cpu;
  Json tiers = Json::array();
  for (int i = 0; i < kTierCount; ++i) {
    const auto tier = static_cast<Tier>(i);
    tiers.push_back(Json{{"tier", Name(tier)},
                         {"class", Name(ClassOf(tier))},
                         {"compiled", IsCompiled(tier)},
                         {"supported", Missing(tier, cpu).empty()},
                         {"missing", MissingBits(tier, cpu)}});
  }
  Json settings = Json::array();
  for (const std::string& setting : facts.settings) settings.push_back(setting);
  const bool has_threads = facts.threads.ok();
  return Json{{"cpu", {{"brand", cpu.brand}, {"architecture", cpu.architecture}, {"features", ToString(cpu.features)}}},
              {"caches",
               {{"l1d", SizeOrNull(cpu.caches.l1d)},
                {"l2", SizeOrNull(cpu.caches.l2)},
                {"l3", SizeOrNull(cpu.caches.l3)},
                {"source", cpu.caches.source}}},
              {"tiers", std::move(tiers)},
              {"isa",
               {{"request", facts.request},
                {"origin", facts.origin.empty() ? Json() : Json(facts.origin)},
                {"chosen", facts.kernels.ok() ? Json(facts.kernels->TierName()) : Json()},
                {"error", ErrorOrNull(facts.kernels.status())}}},
              {"threads",
               {{"count", has_threads ? Json(facts.threads->count) : Json()},
                {"reason", has_threads ? Json(facts.threads->reason) : Json()},
                {"error", ErrorOrNull(facts.threads.status())}}},
              {"build",
               {{"version", facts.build.version},
                {"numerics_revision", kNumericsRevision},
                {"compiler", facts.build.compiler},
                {"build_type", facts.build.build_type},
                {"assertions", facts.build.assertions},
                {"highway", facts.build.highway}}},
              {"settings", std::move(settings)}};
}

std::string CacheText(const CacheSizes& caches) {
  const auto size = [](std::size_t bytes) { return bytes == 0 ? "unknown" : FormatBytes(bytes); };
  return fmt::format("L1d {}, L2 {}, L3 {} (from {})", size(caches.l1d), size(caches.l2), size(caches.l3),
                     caches.source);
}

std::string TierText(Tier tier, const Facts& facts) {
  const CpuFeatures missing = Missing(tier, facts.cpu);
  if (!IsCompiled(tier)) return "not compiled";
  if (!missing.empty()) return "cannot run here; missing: " + ToString(missing);
  return facts.kernels.ok() && facts.kernels->TierName() == Name(tier) ? "runs here; chosen" : "runs here";
}

std::string ToText(const Facts& facts) {
  const CpuFacts& cpu = facts.cpu;
  std::vector<std::vector<std::string>> rows = {
      {"lanewise", fmt::format("{}, numerics revision {}", facts.build.version, kNumericsRevision)},
      {"build", fmt::format("{}, {}{}, Highway {}", facts.build.compiler, facts.build.build_type,
                            facts.build.assertions ? " with assertions" : "", facts.build.highway)},
      {"cpu", fmt::format("{} ({})", cpu.brand.empty() ? "no name" : cpu.brand, cpu.architecture)},
      {"features", ToString(cpu.features)},
      {"caches", CacheText(cpu.caches)}};
  for (int i = 0; i < kTierCount; ++i) {
    const auto tier = static_cast<Tier>(i);
    rows.push_back({fmt::format("tier {}", Name(tier)), TierText(tier, facts)});
  }
  rows.push_back({"request", facts.request.empty() ? "none" : fmt::format("{} ({})", facts.request, facts.origin)});
  rows.push_back({"chosen", facts.kernels.ok() ? std::string(facts.kernels->TierName()) : "nothing: request refused"});
  rows.push_back({"threads", facts.threads.ok() ? fmt::format("{} ({})", facts.threads->count, facts.threads->reason)
                                                : "unknown: setting refused"});
  rows.push_back({"settings", facts.settings.empty() ? "none in the environment"
                                                     : fmt::format("{}", fmt::join(facts.settings, " "))});
  return FormatTable(rows);
}

ExitCode Run(const IsaOption& isa, const ThreadsOption& threads, bool json) {
  const Facts facts{.request = isa.Request(),
                    .origin = isa.Origin(),
                    .kernels = SelectKernels(isa.Request()),
                    .threads = threads.Get()};
  if (json) {
    PrintJson(ToJson(facts));
  } else {
    Print(ToText(facts));
  }
  ExitCode code = kOk;
  if (!facts.threads.ok()) code = Fail(facts.threads.status());
  if (!facts.kernels.ok()) code = Fail(facts.kernels.status(), facts.origin);
  return code;
}

}  // namespace

Command AddInfo(CLI::App& program) {
  CLI::App* command = program.add_subcommand("info", "Show the CPU, its tiers, and the settings in force");
  SetExample(*command, "LANEWISE_ISA='<=avx2' lanewise info --json");
  const IsaOption isa(*command);
  const ThreadsOption threads(*command);
  const JsonOption json(*command);
  return {command, [isa, threads, json] { return Run(isa, threads, static_cast<bool>(json)); }};
}

}  // namespace lanewise::cli
