// SPDX-License-Identifier: Apache-2.0
//
// The columns of the table; declared in reporter.h.

#include "reporter.h"

#include <ostream>
#include <string_view>

#include "fmt/format.h"
#include "suite.h"

namespace lanewise::bench {

namespace {

using Run = benchmark::BenchmarkReporter::Run;

constexpr const char* kLine = "{:<25}{:<9}{:<22}{:>10}{:>21}{:>12}\n";

std::string FormatSeconds(double seconds) {
  if (seconds < 1e-6) return fmt::format("{:.4g} ns", seconds * 1e9);
  if (seconds < 1e-3) return fmt::format("{:.4g} us", seconds * 1e6);
  return seconds < 1 ? fmt::format("{:.4g} ms", seconds * 1e3) : fmt::format("{:.4g} s", seconds);
}

// The first of the counters that the run has, with its unit.
std::string FormatCounter(const Run& run, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto counter = run.counters.find(name);
    if (counter == run.counters.end()) continue;
    const std::string_view unit = name;
    if (unit == kPeakShare) return fmt::format("{:.1f} %", counter->second.value);
    if (unit == kDearer) return fmt::format("{:+.1f} %", counter->second.value);
    if (unit == kCycles) return fmt::format("{:.0f} cycles", counter->second.value);
    return fmt::format("{:.4g} {}", counter->second.value, unit);
  }
  return "";
}

}  // namespace

bool TableReporter::ReportContext(const Context& /*context*/) {
  GetOutputStream() << heading_ << '\n' << fmt::format(kLine, "kernel", "tier", "size", "time", "rate", "of peak");
  return true;
}

void TableReporter::ReportRuns(const std::vector<Run>& runs) {
  std::ostream& out = GetOutputStream();
  for (const Run& run : runs) {
    // kernel/tier/size; a workload's first part has a slash too
    const std::string& name = run.run_name.function_name;
    const std::size_t size = name.rfind('/');
    const std::size_t tier = name.rfind('/', size - 1);
    const std::string kernel = name.substr(0, tier);
    if (kernel != kernel_) out << '\n';
    kernel_ = kernel;
    const std::string label = name.substr(size + 1) + (run.aggregate_name.empty() ? "" : " " + run.aggregate_name);
    const auto line = [&](const std::string& time, const std::string& rate, const std::string& peak) {
      out << fmt::format(kLine, kernel, name.substr(tier + 1, size - tier - 1), label, time, rate, peak);
    };
    if (run.error_occurred) {
      out << fmt::format("{:<25}{:<9}{} WRONG: {}\n", kernel, name.substr(tier + 1, size - tier - 1), label,
                         run.error_message);
    } else if (run.aggregate_unit == benchmark::kPercentage) {
      line(fmt::format("{:.2f} %", 100 * run.cpu_accumulated_time), "", "");
    } else {
      line(FormatSeconds(run.GetAdjustedCPUTime() / benchmark::GetTimeUnitMultiplier(run.time_unit)),
           FormatCounter(run, {kCycles, kGflops, kSamples, kElements}),
           FormatCounter(run, {kDearer, kPeakShare, kBytes}));
    }
  }
  out.flush();
}

void TableReporter::Finalize() { GetOutputStream() << '\n' << footing_() << std::flush; }

}  // namespace lanewise::bench
