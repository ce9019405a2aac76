// SPDX-License-Identifier: Apache-2.0
//
// The program `lanewise`, seen from outside: exit codes, what goes to stdout and what to stderr, valid JSON, help.

#include <algorithm>
#include <sstream>
#include <string>

#include "doctest/doctest.h"
#include "format.h"
#include "lanewise/isa.h"
#include "nlohmann/json.hpp"
#include "run_program.h"
#include "tiers.h"

namespace lanewise::test {
namespace {

using nlohmann::json;

bool FitsIn80Columns(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.size() > 80) return false;
  }
  return true;
}

// A tier that this library does not have.
const char* TierNotCompiled() { return IsCompiled(Tier::kNeon) ? "avx2" : "neon"; }

TEST_CASE("every command has a help text with an example") {
  for (const std::string command : {"accuracy", "bench", "doctor", "evaluate", "explain", "help", "info", "inspect",
                                    "kernels", "predict", "repro", "train", "verify", "version"}) {
    INFO(command);
    const ProgramRun help = Lanewise(command + " --help");
    CHECK(help.exit_code == 0);
    CHECK(Contains(help.out, "Example:\n"));
    CHECK(Contains(help.out.substr(help.out.find("Example:\n")), "lanewise " + command));
    CHECK_MESSAGE(FitsIn80Columns(help.out), help.out);
    CHECK(help.err.empty());
    CHECK(Lanewise("help " + command).out == help.out);
  }
  const ProgramRun help = Lanewise("help");
  CHECK(help.exit_code == 0);
  CHECK(help.out == Lanewise("--help").out);
  CHECK_MESSAGE(FitsIn80Columns(help.out), help.out);
  for (const char* option : {"--isa", "--benchmark_filter", "--benchmark_list_tests", "lanewise-bench --help"}) {
    CHECK(Contains(Lanewise("bench --help").out, option));
  }
}

TEST_CASE("info, kernels and version print a table or JSON") {
  for (const std::string command : {"info", "kernels", "version"}) {
    INFO(command);
    const ProgramRun text = Lanewise(command);
    CHECK(text.exit_code == 0);
    CHECK(text.err.empty());
    CHECK_MESSAGE(FitsIn80Columns(text.out), text.out);

    const ProgramRun document = Lanewise(command + " --json");
    CHECK(document.exit_code == 0);
    CHECK(document.err.empty());
    CHECK(!ParseJson(document.out).empty());
  }
  const ProgramRun help = Lanewise("--help");
  CHECK(help.exit_code == 0);
  CHECK(Contains(help.out, "kernels"));
  CHECK(Lanewise("--version").exit_code == 0);
}

TEST_CASE("wrong usage is exit code 2 and names the way out") {
  const struct {
    const char* arguments;
    const char* message;
  } kCases[] = {
      {"", "A subcommand is required (see lanewise --help)"},
      {"kernel", "unknown command 'kernel'; valid: info kernels"},
      {"kernel", "(did you mean 'kernels'?)"},
      {"kernel --help", "(did you mean 'kernels'?)"},
      {"help kernel", "(did you mean 'kernels'?)"},
      {"help info more", "more (see lanewise help --help)"},
      {"''", "subcommand"},
      {"--jsn", "A subcommand is required"},
      {"info --jsn", "--jsn (see lanewise info --help)"},
      {"info more", "more (see lanewise info --help)"},
      {"info --isa", "--isa"},
      {"info --isa avx2 --isa sse4", "--isa"},
      {"info --isa avx5", "--isa: unknown tier 'avx5'; valid: portable sse4 avx2 avx512 neon (did you mean"},
      {"kernels --isa portable,sse4", "--isa: 'sse4' is one tier too many"},
      {"kernels --isa=gemm_f32=avx3", "--isa: unknown tier 'avx3'"},
      {"info --threads 0", "--threads: '0' is not a number of threads; give 1 to"},
      {"info --threads -1", "--threads: '-1'"},
      {"train --out m --layers 2,a", "--layers: 'a' is not a whole number from 1 to 9223372036854775807 (see"},
      {"train --out m --batch 99999999999999999999", "--batch: '99999999999999999999' is not a whole number"},
      {"train --out m --batch 1.5", "--batch: '1.5'"},
      {"train --out m --epochs 0", "--epochs: '0' is not a whole number from 1 to 4294967295"},
      {"train --out m --epochs 4294967296", "--epochs: '4294967296'"},
      {"train --out m --seed -1", "--seed: '-1' is not a whole number from 0 to 18446744073709551615"},
      {"train --out m --samples 0", "--samples: '0'"},
      {"predict m --skip -1", "--skip: '-1' is not a whole number from 0"},
      {"predict m --limit 1e3", "--limit: '1e3'"},
      {"explain m.x --batch 0", "--batch: '0' is not a whole number from 1 to 16777216"},
      {"repro --threads 1,0", "--threads: '0' is not a whole number from 1 to 1024"},
  };
  for (const auto& c : kCases) {
    INFO(std::string(c.arguments));
    const ProgramRun run = Lanewise(c.arguments);
    CHECK(run.exit_code == 2);
    CHECK(run.err.starts_with("error: "));
    CHECK_MESSAGE(Contains(run.err, c.message), run.err);
    CHECK(std::count(run.err.begin(), run.err.end(), '\n') == 1);
  }
}

TEST_CASE("a refused request: info and kernels print all they know, then exit 2 or 5") {
  const std::string not_compiled = TierNotCompiled();
  const struct {
    std::string request;
    int exit_code;
  } kCases[] = {{"avx5", 2}, {not_compiled, 5}};
  for (const auto& c : kCases) {
    for (const std::string command : {"info", "kernels"}) {
      INFO(command, " with ", c.request);
      const ProgramRun text = Shell(Format("LANEWISE_ISA={} \"$lanewise\" {}", c.request, command));
      CHECK(text.exit_code == c.exit_code);
      CHECK(Contains(text.err, "error: LANEWISE_ISA: "));
      CHECK(Contains(text.out, c.request + " (LANEWISE_ISA)"));
      CHECK(Contains(text.out, "portable"));
      const ProgramRun document = Lanewise(Format("{} --json --isa {}", command, c.request));
      CHECK(document.exit_code == c.exit_code);
      CHECK(Contains(document.err, "error: --isa: "));
      CHECK(!ParseJson(document.out).empty());
    }
  }
  const json kernels = ParseJson(Lanewise("kernels --json --isa " + not_compiled).out);
  CHECK(kernels["isa"]["request"] == not_compiled);
  CHECK(kernels["isa"]["origin"] == "--isa");
  CHECK(Contains(std::string(kernels["isa"]["error"]), "not compiled"));
  for (const json& kernel : kernels["kernels"]) {
    CHECK(kernel["chosen"].is_null());
    CHECK(kernel["class"].is_null());
    CHECK(kernel["tile"].is_null());
  }
  const json info = ParseJson(Lanewise("info --json --isa " + not_compiled).out);
  CHECK(info["isa"]["chosen"].is_null());
  CHECK(Contains(std::string(info["isa"]["error"]), "not compiled"));
}

TEST_CASE("kernels --json lists what the library would choose") {
  ForEachTier([](Tier tier, const kernels::KernelTable& /*table*/) {
    const json whole = ParseJson(Lanewise("kernels --json --isa " + std::string(Name(tier))).out);
    CHECK(whole["isa"]["error"].is_null());
    const json& document = whole["kernels"];
    const Listing listing = ListKernels(Name(tier), ThisCpu());
    REQUIRE(document.is_array());
    REQUIRE(document.size() == listing.kernels.size());
    for (std::size_t i = 0; i < listing.kernels.size(); ++i) {
      const json& row = document[i];
      const KernelListing& kernel = listing.kernels[i];
      CHECK(row["kernel"] == kernel.kernel);
      CHECK(row["type"] == kernel.type);
      CHECK(row["kind"] == kernel.kind);
      CHECK(row["chosen"] == Name(tier));
      CHECK(row["class"] == (kernel.type.starts_with("i") ? "exact" : Name(ClassOf(tier))));
      REQUIRE(row["tiers"].size() == kTierCount);
      for (std::size_t t = 0; t < kTierCount; ++t) {
        const json& standing = row["tiers"][t];
        CHECK(standing["tier"] == Name(static_cast<Tier>(t)));
        CHECK(standing["compiled"] == kernel.tiers[t].compiled);
        CHECK(standing["supported"] == kernel.tiers[t].supported);
        CHECK(standing["allowed"] == kernel.tiers[t].allowed);
        CHECK(standing["reason"] == kernel.tiers[t].reason);
        if (standing["reason"] == "chosen") CHECK(standing["tile"] == row["tile"]);
      }
      CHECK(row["tile"].is_string() == (kernel.kind == "gemm"));
    }
  });
}

TEST_CASE("the text of kernels names every kernel and every tier") {
  const ProgramRun run = Lanewise("kernels --isa portable,gemm_f64=portable");
  CHECK(run.exit_code == 0);
  for (const KernelListing& kernel : ListKernels("", ThisCpu()).kernels) CHECK(Contains(run.out, kernel.kernel));
  for (int i = 0; i < kTierCount; ++i) CHECK(Contains(run.out, std::string("\n") + Name(static_cast<Tier>(i)) + " "));
  CHECK(Contains(run.out, "portable,gemm_f64=portable (--isa)"));
}

TEST_CASE("a flag beats its variable, and info says which is in force") {
  const auto isa = [](const char* line) { return ParseJson(Shell(line).out)["isa"]; };
  json setting = isa("\"$lanewise\" info --json");
  CHECK(setting["request"] == "");
  CHECK(setting["origin"].is_null());
  CHECK(setting["chosen"].is_string());
  setting = isa("LANEWISE_ISA=portable \"$lanewise\" info --json");
  CHECK(setting["request"] == "portable");
  CHECK(setting["origin"] == "LANEWISE_ISA");
  CHECK(setting["chosen"] == "portable");
  setting = isa("LANEWISE_ISA=avx5 \"$lanewise\" info --json --isa '<=portable'");
  CHECK(setting["request"] == "<=portable");
  CHECK(setting["origin"] == "--isa");
  CHECK(setting["chosen"] == "portable");
  CHECK(setting["error"].is_null());
  CHECK(isa("\"$lanewise\" info --json --isa -neon")["request"] == "-neon");

  const auto threads = [](const char* line) { return ParseJson(Shell(line).out)["threads"]; };
  CHECK(threads("\"$lanewise\" info --json")["count"] >= 1);
  CHECK(threads("LANEWISE_THREADS=3 OMP_NUM_THREADS=5 \"$lanewise\" info --json")["count"] == 3);
  CHECK(threads("OMP_NUM_THREADS=5 \"$lanewise\" info --json")["reason"] == "OMP_NUM_THREADS");
  CHECK(threads("LANEWISE_THREADS=3 \"$lanewise\" info --json --threads 2")["reason"] == "--threads");
  CHECK(threads("LANEWISE_THREADS=x \"$lanewise\" info --json")["count"].is_null());
  const json document = ParseJson(Shell("LANEWISE_THREADS=3 \"$lanewise\" info --json").out);
  CHECK(document["settings"] == json{"LANEWISE_THREADS=3"});
  CHECK(Shell("LANEWISE_THREADS=x \"$lanewise\" info").exit_code == 2);
}

TEST_CASE("info --json has the CPU's facts") {
  const json info = ParseJson(Lanewise("info --json").out);
  CHECK(info["cpu"]["brand"] == ThisCpu().brand);
  CHECK(info["caches"]["l1d"] == ThisCpu().caches.l1d);
  CHECK(info["caches"]["source"] == ThisCpu().caches.source);
  REQUIRE(info["tiers"].size() == kTierCount);
  for (std::size_t i = 0; i < kTierCount; ++i) {
    const auto tier = static_cast<Tier>(i);
    CHECK(info["tiers"][i]["tier"] == Name(tier));
    CHECK(info["tiers"][i]["compiled"] == IsCompiled(tier));
    CHECK(info["tiers"][i]["missing"].empty() == Missing(tier, ThisCpu()).empty());
  }
  for (const char* key : {"version", "compiler", "build_type", "highway"}) CHECK(info["build"][key].is_string());
}

TEST_CASE("an unknown LANEWISE_ variable is warned of, on stderr alone") {
  const ProgramRun run = Shell("LANEWISE_ISO=avx2 \"$lanewise\" info --json");
  CHECK(run.exit_code == 0);
  CHECK(Contains(run.err, "warning: unknown environment variable 'LANEWISE_ISO'; valid: "));
  CHECK(Contains(run.err, "(did you mean 'LANEWISE_ISA'?)"));
  CHECK(!ParseJson(run.out).empty());
}

TEST_CASE("variables of the tests are known") {
  CHECK(Shell("LANEWISE_TEST_REQUIRE=avx2 LANEWISE_TEST_TIERS=avx2 \"$lanewise\" version").err.empty());
}

TEST_CASE("accuracy takes all tiers, or those that are asked for") {
  const auto tiers = [](const char* line) { return ParseJson(Shell(line).out)["results"].size(); };
  const std::size_t all = tiers("\"$lanewise\" accuracy relu --json");
  CHECK(tiers("LANEWISE_ISA=portable \"$lanewise\" accuracy relu --json --isa all") == all);
  CHECK(tiers("\"$lanewise\" accuracy relu --json --isa portable") == 1);
  CHECK(Contains(Lanewise("accuracy relu --isa avx5").err, "error: --isa: unknown tier 'avx5'"));
  CHECK(Contains(Lanewise("accuracy --help").out, "else all: one tier after the other"));
}

TEST_CASE("with --json an error is a document too") {
  const struct {
    std::string arguments;
    int exit_code;
    std::string message;
  } kCases[] = {
      {"inspect no/such --json", 4, "cannot open 'no/such'"},
      {Format("explain gemm 1x2x3 --isa {} --json", TierNotCompiled()), 5, "not compiled"},
      {"info --json more", 2, "more (see"},
      {"kernel --json", 2, "(did you mean 'kernels'?)"},
  };
  for (const auto& c : kCases) {
    INFO(c.arguments);
    const ProgramRun run = Lanewise(c.arguments);
    CHECK(run.exit_code == c.exit_code);
    const json error = ParseJson(run.out)["error"];
    CHECK(error["code"] == c.exit_code);
    CHECK(Contains(std::string(error["message"]), c.message));
    CHECK(run.err == Format("error: {}\n", std::string(error["message"])));
  }
}

TEST_CASE("bytes that are not UTF-8 do not break JSON") {
  const ProgramRun run = Shell("LANEWISE_ISA=$(printf 'avx\\377') \"$lanewise\" info --json");
  CHECK(run.exit_code == 2);
  CHECK(ParseJson(run.out)["isa"]["request"] == "avx\xEF\xBF\xBD");
}

TEST_CASE("a reader that goes away is no error, a full disk is") {
  const ProgramRun gone = Shell("{ sleep 0.2; \"$lanewise\" kernels --json; echo \"exit code $?\" >&2; } | true");
  CHECK(gone.err == "exit code 0\n");
  const ProgramRun full = Lanewise("kernels > /dev/full");
  CHECK(full.exit_code == 4);
  CHECK(Contains(full.err, "error: stdout: cannot write: "));
}

}  // namespace
}  // namespace lanewise::test
