// SPDX-License-Identifier: Apache-2.0
//
// The table for people: one line per benchmark, at most 100 columns. Programs read Google Benchmark's JSON.

#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"

namespace lanewise::bench {

class TableReporter final : public benchmark::BenchmarkReporter {
 public:
  // Printed above the table, and what `footing` returns once all is done below it.
  TableReporter(std::string heading, std::function<std::string()> footing)
      : heading_(std::move(heading)), footing_(std::move(footing)) {}

  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;
  void Finalize() override;

 private:
  std::string heading_;
  std::function<std::string()> footing_;
  std::string kernel_;  // of the line above
};

}  // namespace lanewise::bench
