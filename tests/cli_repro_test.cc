// SPDX-License-Identifier: Apache-2.0
//
// `lanewise repro` and `lanewise verify` as users type them.

#include <algorithm>
#include <string>

#include "doctest/doctest.h"
#include "lanewise/model_file.h"
#include "nlohmann/json.hpp"
#include "run_program.h"
#include "temporary_folder.h"
#include "tiers.h"

namespace lanewise::test {
namespace {

using nlohmann::json;

const std::string kGolden = LANEWISE_GOLDEN "/repro.json";

int TierCountHere() {
  int count = 0;
  ForEachTier([&](Tier /*tier*/, const kernels::KernelTable& /*table*/) { ++count; });
  return count;
}

TEST_CASE("repro prints each class's hashes with the tiers that have them, and compares them with a file's") {
  // Under emulation each number of threads takes a minute; repro_test has more of them.
  const std::string threads_here = LANEWISE_EMULATED ? "1" : "1,3";
  const ProgramRun run = Lanewise("repro --threads " + threads_here + " --json --expect '" + kGolden + "'");
  CHECK_MESSAGE(run.exit_code == 0, run.err);
  const json document = ParseJson(run.out);
  CHECK(document["differences"].empty());
  int tiers = 0;
  for (const json& result : document["results"]) {
    if (result["topic"] == "gemm f32") tiers += static_cast<int>(result["tiers"].size());
  }
  CHECK(tiers == TierCountHere());

  const TemporaryFolder folder;
  std::string golden = ReadBytes(kGolden);
  for (const json& result : document["results"]) {
    const std::string hash = result["hash"];
    if (result["topic"] != "losses f64") continue;
    golden.replace(golden.find(hash), 16, "0123456789abcdef");
    const std::string line = result["operations"][0];
    golden.replace(golden.find(line) + 8, 8, "00000000");
  }
  const ProgramRun other = Lanewise("repro --threads 1 --expect " + folder.Write("other", golden));
  CHECK(other.exit_code == 1);
  CHECK_MESSAGE(Contains(other.err, "': losses f64 on "), other.err);
  CHECK_MESSAGE(Contains(other.err, ", operation 1: sigmoid-cross-entropy of sigmoid"), other.err);
  CHECK(Contains(other.out, "gemm f32"));

  CHECK(Lanewise("repro --expect " + folder.Write("bad", "{}")).exit_code == 4);
  CHECK(Lanewise("repro --threads 1 --expect " + (folder / "missing")).exit_code == 4);
  for (const char* threads : {"0", "-1", "x", "1,0", "1000000"}) {
    CHECK(Lanewise(std::string("repro --threads ") + threads).exit_code == 2);
  }
}

TEST_CASE("verify computes a trained model's golden cases on every tier") {
  const TemporaryFolder folder;
  const std::string path = folder / "m";
  REQUIRE(Lanewise("train --samples 320 --epochs 1 --layers 784,20,10 --out " + path).exit_code == 0);
  const ProgramRun run = Lanewise("verify " + path + " --json");
  CHECK_MESSAGE(run.exit_code == 0, run.err);
  const json document = ParseJson(run.out);
  CHECK(static_cast<int>(document["results"].size()) == TierCountHere());
  for (const json& result : document["results"]) {
    CHECK(result["cases"] == 4);
    CHECK(result["ok"] == true);
    CHECK((result["expected"] == "the same bits") == (result["class"] == document["class"]));
  }
  CHECK(ParseJson(Shell("LANEWISE_ISA=portable \"$lanewise\" verify --isa all --json " + path).out)["results"] ==
        document["results"]);
  CHECK(Contains(Lanewise("verify --isa portable " + path).out, "portable"));
  CHECK(Lanewise("verify --isa nonesuch " + path).exit_code == 2);
  CHECK(ParseJson(Lanewise("inspect --json " + path).out)["golden_cases"] == 4);

  // Damaged cases are refused, by whatever loads the model, and not read as those of a model in double.
  std::string bytes = ReadBytes(path);
  const std::size_t at = bytes.find("0x", bytes.find("golden_outputs"));
  REQUIRE(at < bytes.size());
  bytes[at] = 'x';
  for (const char* command : {"verify ", "inspect ", "evaluate ", "predict --limit 1 ", "explain "}) {
    const ProgramRun damaged = Lanewise(command + folder.Write("damaged.safetensors", bytes));
    CHECK(damaged.exit_code == 4);
    CHECK_MESSAGE(Contains(damaged.err, "metadata lanewise.golden_outputs: is not a list of finite floats"),
                  damaged.err);
  }

  Result<Model<float>> model = LoadModel<float>(path);
  REQUIRE(model.ok());
  REQUIRE(model->golden.has_value());
  model->golden->outputs[13] *= 1.5F;
  REQUIRE(SaveModel(path, *model).ok());
  const ProgramRun wrong = Lanewise("verify " + path);
  CHECK(wrong.exit_code == 1);
  CHECK_MESSAGE(Contains(wrong.err, "case 1, output 3 is 0x"), wrong.err);

  model->golden.reset();
  REQUIRE(SaveModel(path, *model).ok());
  const ProgramRun none = Lanewise("verify " + path);
  CHECK(none.exit_code == 3);
  CHECK_MESSAGE(Contains(none.err, "has no golden cases"), none.err);
  CHECK(Lanewise("verify " + folder.Write("bad", "no model")).exit_code == 4);
  CHECK(Lanewise("verify").exit_code == 2);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !LANEWISE_EMULATED
TEST_CASE("without the memory for a check, repro and verify say that they cannot tell") {
  const TemporaryFolder folder;
  const std::string path = folder / "m";
  REQUIRE(Lanewise("train --samples 100 --epochs 1 --layers 784,2000,10 --out " + path).exit_code == 0);
  for (const std::string& command : {"verify --threads 1 " + path, std::string("repro --threads 1")}) {
    int out_of_memory = 0;
    // From too little to start at all to enough.
    for (int kib = 10'000; kib < 40'000; kib += 5'000) {
      const ProgramRun run = Shell("ulimit -v " + std::to_string(kib) + "; \"$lanewise\" " + command);
      CAPTURE(run.err);
      if (run.exit_code == 127) continue;
      CHECK((run.exit_code == 0 || run.exit_code == 3));
      if (run.exit_code != 3) continue;
      CHECK(Contains(run.err, "memory"));
      ++out_of_memory;
    }
    CHECK(out_of_memory > 0);
  }
}
#endif

}  // namespace
}  // namespace lanewise::test
