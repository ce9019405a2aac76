// SPDX-License-Identifier: Apache-2.0
//
// lanewise-function-peers: exp, log, log1p, sigmoid, tanh and the softmaxes beside other libraries, on one thread.

#include <cstdio>
#include <exception>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "fmt/format.h"
#include "functions_grid.h"
#include "lanewise/cpu.h"
#include "nlohmann/json.hpp"
#include "pin.h"

namespace lanewise::peers {

namespace {

int Run(const std::string& filter_text, const std::string& json) {
  const std::regex filter(filter_text);
  const bool pinned = Pin(1);
  fmt::print("{}; floats/ns on one thread{}, and the largest error of a quick sweep in ULP\n", ThisCpu().brand,
             pinned ? "" : " (not pinned)");
#ifndef __x86_64__
  fmt::print("Skipped: SLEEF, libmvec, Highway and Eigen, which are compared on x86 alone\n");
#endif
  std::vector<FunctionTable> functions;
  for (const Function function : kFunctions) {
    // Those that are their own definition have no accuracy to compare.
    if (IsCorrectlyRounded(function)) continue;
    if (!std::regex_search(std::string(Name(function)), filter)) continue;
    functions.push_back(CompareFunction(function));
    fmt::print("{}", ToText(functions.back()));
    std::fflush(stdout);
  }
  std::vector<RowTable> rows;
  for (const char* function : {"softmax", "log_softmax"}) {
    if (!std::regex_search(function, filter)) continue;
    rows.push_back(CompareRows(function));
    fmt::print("{}", ToText(rows.back()));
    std::fflush(stdout);
  }
  fmt::print("\n");
  for (const std::string& line : Summary(functions, rows)) fmt::print("{}\n", line);
  if (json.empty()) return 0;
  nlohmann::ordered_json document = ToJson(functions, rows);
  document["cpu"] = ThisCpu().brand;
  std::ofstream file(json);
  file << document.dump(2) << '\n';
  if (!file.flush()) {
    fmt::print(stderr, "error: cannot write {}\n", json);
    return 2;
  }
  fmt::print("\nthe same for programs: {}\n", json);
  return 0;
}

int Main(int argc, char** argv) {
  std::string filter = ".";
  std::string json;
  CLI::App app("lanewise-function-peers: Lanewise's functions beside other libraries'");
  app.add_option("--filter", filter, "Only functions whose name this regular expression matches")->type_name("REGEX");
  app.add_option("--json", json, "Also write all figures to a file")->type_name("FILE");
  app.footer("Example:\n  lanewise-function-peers --filter '^(exp|softmax)$'");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return Run(filter, json);
  } catch (const std::regex_error& error) {
    fmt::print(stderr, "error: --filter: {}\n", error.what());
    return 2;
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
