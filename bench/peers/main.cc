// SPDX-License-Identifier: Apache-2.0
//
// lanewise-peers: Lanewise beside other libraries, product by product.
//
// Exit codes: 0; 1 a result was wrong; 2 wrong usage, or no cell matches the filter; 5 the request asks for what is not
// compiled or what the CPU cannot do.

#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "fmt/format.h"
#include "grid.h"
#include "lanewise/build_info.h"
#include "lanewise/cpu.h"
#include "lanewise/environment.h"
#include "lanewise/isa.h"
#include "lanewise_peer.h"
#include "load.h"
#include "machine_limits.h"
#include "measure.h"
#include "pin.h"
#include "report.h"

namespace lanewise::peers {

namespace {

enum ExitCode : int { kOk = 0, kCheckFailed = 1, kUsage = 2, kNotAvailable = 5 };

struct Options {
  std::string filter = ".";
  std::string isa = RequestFromEnvironment();
  std::string json;
  int threads = 1;
  bool quick = false;
};

int Fail(ExitCode code, const std::string& message) {
  fmt::print(stderr, "error: {}\n", message);
  return code;
}

int Run(const Options& options) {
  Result<Kernels> kernels = SelectKernels(options.isa);
  if (!kernels.ok()) {
    const StatusCode code = kernels.status().code();
    const bool unavailable = code == StatusCode::kNotCompiled || code == StatusCode::kNotSupported;
    return Fail(unavailable ? kNotAvailable : kUsage, kernels.status().message());
  }
  std::vector<Cell> cells;
  const std::regex filter(options.filter);
  for (const Cell& cell : Grid(options.quick)) {
    if (std::regex_search(cell.Name(), filter)) cells.push_back(cell);
  }
  if (cells.empty()) return Fail(kUsage, fmt::format("--filter: no cell matches '{}'", options.filter));
  if (!Pin(options.threads)) {
    return Fail(kUsage, fmt::format("--threads: this process may not use {} CPUs", options.threads));
  }

  auto ours = std::make_unique<LanewisePeer>(*std::move(kernels), options.threads);
  const Tier tier = ours->tier();
  std::vector<std::unique_ptr<Peer>> libraries = LoadPeers(options.threads);
  libraries.insert(libraries.begin(), std::move(ours));

  std::vector<std::pair<std::string, std::string>> about = {
      {"cpu", ThisCpu().brand}, {"compiler", ThisBuild().compiler}, {"threads", std::to_string(options.threads)}};
  std::vector<std::string> names;
  for (const auto& library : libraries) {
    names.push_back(library->Name());
    about.emplace_back(library->Name(), library->Version());
  }
  for (const auto& [key, value] : about) fmt::print("{:<10}{}\n", key, value);
  fmt::print("\n{}\n", Limits());
  fmt::print("GFLOP/s; the ratio is the best peer's time over ours, the median of rounds\n\n{}", Heading(names));

  const Pace pace = options.quick ? Pace{.rounds = 10, .seconds = 3e-4} : Pace{.rounds = 15, .seconds = 2e-3};
  std::vector<Measurement> measurements;
  bool wrong = false;
  for (const Cell& cell : cells) {
    measurements.push_back(Measure(cell, libraries, tier, options.threads, pace));
    wrong |= !measurements.back().wrong.empty();
    fmt::print("{}", Line(measurements.back(), names));
    std::fflush(stdout);
  }
  fmt::print("\n{}", Summary(measurements));
  if (!options.json.empty()) {
    std::ofstream file(options.json);
    file << Json(about, measurements);
    if (!file.flush()) return Fail(kUsage, fmt::format("cannot write {}", options.json));
    fmt::print("\nthe same for programs: {}\n", options.json);
  }
  return wrong ? Fail(kCheckFailed, "some results were wrong; see above") : kOk;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("lanewise-peers: Lanewise beside other libraries, product by product");
  app.add_option("--filter", options.filter, "Only cells whose name this regular expression matches")
      ->type_name("REGEX");
  app.add_flag("--quick", options.quick, "Fewer cells, shorter turns");
  app.add_option("--threads", options.threads, "Threads of every library; default 1")->check(CLI::Range(1, 1024));
  app.add_option("--isa", options.isa, "Instruction sets of Lanewise, as in lanewise kernels")->type_name("SPEC");
  app.add_option("--json", options.json, "Also write all figures to a file")
      ->type_name("FILE")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.footer("Example:\n  lanewise-peers --quick --filter 'dense/f32/8x'");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  try {
    return Run(options);
  } catch (const std::regex_error& error) {
    return Fail(kUsage, fmt::format("--filter: {}", error.what()));
  }
}

}  // namespace

}  // namespace lanewise::peers

int main(int argc, char** argv) {
  try {
    return lanewise::peers::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
