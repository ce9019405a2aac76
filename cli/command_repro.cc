// SPDX-License-Identifier: Apache-2.0
//
// lanewise repro: whether every tier and number of threads gives the same bits, here and as recorded elsewhere.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "command.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "lanewise/environment.h"
#include "lanewise/isa.h"
#include "lanewise/repro.h"
#include "options.h"
#include "output.h"
#include "progress.h"

namespace lanewise::cli {
namespace {

struct ReproSettings {
  std::vector<int> threads = {1, 2, 4};
  std::string expect;
};

std::vector<Tier> TiersHere() {
  std::vector<Tier> tiers;
  for (int t = 0; t < kTierCount; ++t) {
    const Tier tier = static_cast<Tier>(t);
    if (SelectKernels(Name(tier)).ok()) tiers.push_back(tier);
  }
  return tiers;
}

std::string Table(const ReproReport& report) {
  std::vector<std::vector<std::string>> table = {{"class", "topic", "operations", "hash", "tiers"}};
  for (const ReproResult& result : report.results) {
    std::vector<std::string_view> tiers;
    for (const Tier tier : result.tiers) tiers.emplace_back(Name(tier));
    table.push_back({Name(result.numeric_class), result.topic, std::to_string(result.operations.size()),
                     fmt::format("{:016x}", result.hash), fmt::format("{}", fmt::join(tiers, " "))});
  }
  return FormatTable(table);
}

std::string Describe(const ReproDifference& d) {
  return fmt::format("{}: {} is {} on {}; {} on {}", d.operation, d.element, d.value[0], d.way[0], d.value[1],
                     d.way[1]);
}

// Says which of a file's hashes cannot be compared here.
void NoteOtherClasses(const ReproReport& report) {
  for (const NumericClass numeric_class : {NumericClass::kFma, NumericClass::kMulAdd}) {
    if (std::ranges::find(report.results, numeric_class, &ReproResult::numeric_class) != report.results.end()) continue;
    Note(fmt::format("no tier here is of class {}: its hashes were not compared", Name(numeric_class)));
  }
}

ExitCode Run(const ReproSettings& settings, bool json) {
  if (!settings.expect.empty()) {
    if (const Status status = CheckReproFile(settings.expect); !status.ok()) return Fail(status);
  }
  CatchInterrupt();
  ProgressBar bar;
  ReproOptions options{.threads = settings.threads};
  options.progress = [&bar](double done) {
    bar.Draw("repro", done, "");
    return !Interrupted();
  };
  const Result<ReproReport> report = RunRepro(TiersHere(), options);
  bar.Clear();
  if (Interrupted()) return Fail(kInterrupted, "interrupted");
  if (!report.ok()) return Fail(report.status());
  std::string changed;
  if (!settings.expect.empty()) {
    Result<std::string> compared = CompareWithFile(*report, settings.expect);
    if (!compared.ok()) return Fail(compared.status());
    changed = *std::move(compared);
    NoteOtherClasses(*report);
  }
  if (json) {
    const Result<std::string> document = ToJson(*report);
    if (!document.ok()) return Fail(document.status());
    Print(*document);
  } else {
    Print(Table(*report));
  }
  if (!report->differences.empty()) {
    const std::size_t count = report->differences.size();
    return Fail(kCheckFailed, fmt::format("{} operation{} differ{}; the first: {}", count, count == 1 ? "" : "s",
                                          count == 1 ? "s" : "", Describe(report->differences[0])));
  }
  if (!changed.empty()) return Fail(kCheckFailed, changed);
  return kOk;
}

}  // namespace

Command AddRepro(CLI::App& program) {
  CLI::App* command = program.add_subcommand("repro", "Check that tiers and threads give the same bits");
  const auto settings = std::make_shared<ReproSettings>();
  command->add_option("--threads", settings->threads, "Numbers of threads to try. Default: 1,2,4")
      ->type_name("N,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(WholeNumber(1, kMaxThreads));
  command
      ->add_option("--expect", settings->expect,
                   "A document of --json, from here or elsewhere,\nwhose hashes must come out")
      ->type_name("FILE");
  const JsonOption json(*command);
  SetExample(*command, "lanewise repro --expect tests/golden/repro.json");
  return {command, [settings, json] { return Run(*settings, static_cast<bool>(json)); }};
}

}  // namespace lanewise::cli
