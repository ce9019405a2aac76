// SPDX-License-Identifier: Apache-2.0
//
// The commands of `lanewise` that train and use models, seen from outside: the whole flow, exit codes, and that equal
// training gives equal files.

#include <signal.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "doctest/doctest.h"
#include "format.h"
#include "hash.h"
#include "lanewise/gemm.h"
#include "lanewise/isa.h"
#include "nlohmann/json.hpp"
#include "run_program.h"
#include "temporary_folder.h"
#include "tiers.h"

namespace lanewise::test {
namespace {

using nlohmann::json;

std::ptrdiff_t CountLines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

// Points of the plane in three well separated clouds; the last column is the cloud's name.
std::string Clouds() {
  std::ostringstream csv;
  csv << "x,y,cloud\n";
  for (int i = 0; i < 300; ++i) {
    const int cloud = i % 3;
    csv << 4.0 * (cloud == 1) + 0.001 * (i * 7 % 100) << ',' << 4.0 * (cloud == 2) - 0.001 * (i * 11 % 100) << ','
        << "abc"[cloud] << '\n';
  }
  return csv.str();
}

TEST_CASE("train, evaluate, predict, inspect: the whole way on a CSV file") {
  const TemporaryFolder folder;
  const std::string data = folder.Write("clouds.csv", Clouds());
  const std::string model = folder / "clouds.safetensors";

  ProgramRun run =
      Lanewise("train --data " + data + " --layers 2,8,3 --epochs 20 --val-split 0.1 --json --out " + model);
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  CHECK(CountLines(run.err) == 20);
  CHECK(!Contains(run.err, "\r"));  // no bar: stderr is no terminal
  const json training = ParseJson(run.out);
  REQUIRE(training["epochs"].size() == 20);
  CHECK(training["parameters"] == 2 * 8 + 8 + 8 * 3 + 3);
  CHECK(training["out"] == model);
  CHECK(training["samples_per_second"] > 0);
  CHECK(training["epochs"][19]["loss"] < training["epochs"][0]["loss"]);
  CHECK(training["epochs"][19]["accuracy"] == 1.0);
  CHECK(training["epochs"][19]["validation_accuracy"] == 1.0);

  run = Lanewise("evaluate " + model + " --data " + data + " --json --min-accuracy 1");
  CHECK_MESSAGE(run.exit_code == 0, run.err);
  const json evaluation = ParseJson(run.out);
  CHECK(evaluation["accuracy"] == 1.0);
  CHECK(evaluation["samples"] == 300);
  CHECK(evaluation["classes"] == json{"a", "b", "c"});
  CHECK(evaluation["confusion"] == json{{100, 0, 0}, {0, 100, 0}, {0, 0, 100}});
  CHECK(Contains(Lanewise("evaluate " + model + " --data " + data + " --confusion").out, "100.00 % (300 correct)"));

  run = Lanewise("predict " + model + " --input " + data + " --label cloud --limit 3");
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  CHECK(run.out.starts_with("class,probability\na,0."));
  CHECK(Contains(run.out, "\nb,0."));
  CHECK(Contains(run.out, "\nc,0."));
  CHECK(CountLines(run.out) == 4);
  // The same through a pipe, and a reader that wants no more than a line.
  CHECK(Shell("cut -d, -f1,2 " + data + " | head -4 | \"$lanewise\" predict " + model + " --input -").out == run.out);
  const ProgramRun head = Shell("{ \"$lanewise\" predict " + model + " --input " + data +
                                " --label last; echo \"exit code $?\" >&2; } | head -1");
  CHECK(head.out == "class,probability\n");
  CHECK(head.err == "exit code 0\n");
  // And to a file.
  const std::string csv = folder / "out.csv";
  CHECK(Lanewise("predict " + model + " --input " + data + " --label cloud --limit 3 --output " + csv).out.empty());
  CHECK(ReadBytes(csv) == run.out);

  run = Lanewise("predict " + model + " --input " + data +
                 " --label cloud --skip 298 --limit 9223372036854775807 --proba");
  CHECK(run.out.starts_with("a,b,c\n"));
  CHECK(CountLines(run.out) == 3);
  const json predictions =
      ParseJson(Lanewise("predict " + model + " --input " + data + " --label cloud --skip 299 --json").out);
  REQUIRE(predictions.size() == 1);
  CHECK(predictions[0]["class"] == "c");
  CHECK(predictions[0]["probability"] > 0.5);

  const json inspection = ParseJson(Lanewise("inspect " + model + " --json").out);
  CHECK(inspection["classes"] == json{"a", "b", "c"});
  CHECK(inspection["recipe"]["layers"] == "2,8,3");
  CHECK(inspection["recipe"]["data"] == "file");
  CHECK(inspection["numerics_revision"] == 1);
  REQUIRE(inspection["layers"].size() == 2);
  CHECK(inspection["layers"][0]["activation"] == "relu");
  CHECK(inspection["layers"][1]["activation"] == "softmax");
  CHECK(inspection["layers"][1]["bytes"] == (8 * 3 + 3) * 4);
  CHECK(Contains(Lanewise("inspect " + model).out, "2-8-3 (51 parameters, f32)"));
}

TEST_CASE("regression, in double, from standard input") {
  const TemporaryFolder folder;
  std::string csv = "in,out\n";
  for (int i = 0; i < 64; ++i) csv += std::to_string(i / 64.0) + "," + std::to_string(1 - i / 32.0) + "\n";
  const std::string data = folder.Write("line.csv", csv);
  const std::string model = folder / "line";
  ProgramRun run = Shell("\"$lanewise\" train --data - --targets out --layers 1,1 --type f64 --epochs 200 --lr 0.1 " +
                         ("--out " + model) + " <" + data);
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  run = Lanewise("evaluate " + model + " --data " + data + " --json");
  CHECK(ParseJson(run.out)["squared_error"] < 1e-6);
  CHECK(!ParseJson(run.out).contains("accuracy"));
  CHECK(Lanewise("evaluate " + model + " --data " + data + " --min-accuracy 0.5").exit_code == 2);
  run = Lanewise("predict " + model + " --input " + data + " --targets last --limit 1");
  CHECK(run.out.starts_with("y0\n"));
  CHECK(std::stod(run.out.substr(3)) == doctest::Approx(1).epsilon(0.01));
  CHECK(ParseJson(Lanewise("inspect " + model + " --json").out)["type"] == "f64");
}

TEST_CASE("the built-in digits: announced, learnt, drawn") {
  const TemporaryFolder folder;
  const std::string model = folder / "digits";
  ProgramRun run = Lanewise("train --samples 3000 --epochs 5 --out " + model);
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  CHECK(Contains(run.err, "note: data: 3000 built-in drawn digits"));
  CHECK(CountLines(run.err) == 6);
  CHECK(Contains(run.out, "784-128-10 (101770 parameters, f32)"));
  run = Lanewise("evaluate " + model + " --samples 500 --json --min-accuracy 0.8");
  CHECK_MESSAGE(run.exit_code == 0, run.err);
  CHECK(ParseJson(run.out)["samples"] == 500);

  run = Shell("LC_ALL=C \"$lanewise\" predict " + model + " --limit 2 --show");
  CHECK(run.exit_code == 0);
  CHECK(CountLines(run.out) == 2 * 15);
  CHECK(Contains(run.out, "sample 1"));
  CHECK(Contains(run.out, "label: "));
  CHECK(run.out.find_first_of("#%@") != std::string::npos);
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 80);
  CHECK(Contains(Shell("LC_ALL=C.UTF-8 \"$lanewise\" predict " + model + " --limit 1 --show").out, "█"));
}

// XXH3 of the file that this training writes, by class: on every machine, built by any compiler. A change of any bit,
// of the file's text too, changes it; the failing check shows the new one.
constexpr std::string_view kTrain = "train --samples 640 --epochs 2 --layers 784,30,10 --out ";
constexpr std::string_view kFileHashes[] = {"8a15577bfdc77095", "cd81f2c08bc3d69e"};

TEST_CASE("equal training gives equal files, on every machine and tier of a class, for any number of threads") {
  const TemporaryFolder folder;
  const std::string train = std::string(kTrain) + (folder / "m");
  const auto hash = [&] {
    const std::string bytes = ReadBytes(folder / "m");
    return HashText(Hash(bytes.data(), bytes.size()));
  };
  ForEachTier([&](Tier tier, const kernels::KernelTable& /*table*/) {
    for (const char* threads : {"1", "2", "3", "8"}) {
      const ProgramRun run = Lanewise(train + " --isa " + Name(tier) + " --threads " + threads);
      REQUIRE_MESSAGE(run.exit_code == 0, run.err);
      CHECK_MESSAGE(hash() == kFileHashes[static_cast<std::size_t>(ClassOf(tier))], "threads ", threads);
    }
  });
  // They can differ.
  REQUIRE(Lanewise(train + " --seed 2").exit_code == 0);
  CHECK(hash() != kFileHashes[0]);
  CHECK(hash() != kFileHashes[1]);
}

TEST_CASE("what is wrong is said, with the right exit code, and leaves the old file") {
  const TemporaryFolder folder;
  const std::string old = folder.Write("old", "old");
  const std::string csv = folder.Write("clouds.csv", Clouds());
  const std::string features = folder.Write("features.csv", "x,y\n1,2\n");
  const std::string one_class = folder.Write("one.csv", "x,class\n1,a\n2,a\n");
  const std::string latin1 = folder.Write("latin1.csv",
                                          "x,class\n1,gr\xFC"
                                          "n\n2,rot\n");
  const std::string model = folder / "model";
  REQUIRE(Lanewise("train --epochs 1 --data " + csv + " --out " + model).exit_code == 0);
  const std::string bytes = ReadBytes(model);
  const std::string truncated = folder.Write("truncated", bytes.substr(0, bytes.size() - 1));
  const std::ptrdiff_t files = folder.CountFiles();

  const struct {
    std::string arguments;
    int code;
    const char* message;
  } kCases[] = {
      {"train", 2, "--out is required"},
      {"train --speed 9 --out " + old, 2, "--speed"},
      {"train --out " + folder / "no/m", 4, "--out: cannot write '"},
      {"train --out " + folder.path(), 4, "not a regular file"},
      {"train --data " + (folder / "none") + " --out " + old, 4, "none"},
      {"train --data " + folder.path() + " --out " + old, 4, "train-images-idx3-ubyte"},
      {"train --data " + csv + " --label nowhere --out " + old, 4, "nowhere"},
      {"train --data " + csv + " --samples 5 --out " + old, 2, "--samples"},
      {"train --data " + csv + " --layers 5,3 --out " + old, 2, "--layers: begins with 5; the data has 2 features"},
      {"train --data " + csv + " --layers 2,4 --out " + old, 2, "--layers: ends with 4; the data has 3 classes"},
      {"train --data " + csv + " --layers 2 --out " + old, 2, "--layers: give at least two sizes"},
      {"train --data " + csv + " --layers 2,x,3 --out " + old, 2, "--layers"},
      {"train --data " + csv + " --layers 2,-1,3 --out " + old, 2, "--layers"},
      {"train --data " + csv + " --activation rely --out " + old, 2, "(did you mean 'relu'?)"},
      {"train --data " + csv + " --loss softmx --out " + old, 2, "(did you mean 'softmax'?)"},
      {"train --data " + csv + " --schedule step --out " + old, 2, "unknown --schedule 'step'"},
      {"train --data " + csv + " --type f16 --out " + old, 2, "unknown --type 'f16'"},
      {"train --data " + csv + " --output-activation tanh --out " + old, 2, "--output-activation: the loss"},
      {"train --data " + csv + " --class-names a,b --out " + old, 4, "'c' is none of the 2 classes"},
      {"train --samples 10 --class-names a,b --out " + old, 2, "--class-names: 2 names for 10 classes"},
      {"train --data " + features + " --targets y --loss softmax --out " + old, 2,
       "--loss: softmax-cross-entropy needs"},
      {"train --data " + one_class + " --out " + old, 2, "--data: all samples are of one class"},
      {"train --data " + latin1 + " --out " + old, 2, "is not UTF-8"},
      {"train --data " + csv + " --lr 0 --out " + old, 2, "learning rate 0"},
      {"train --data " + csv + " --momentum 1 --out " + old, 2, "momentum 1"},
      {"train --data " + csv + " --batch 0 --out " + old, 2, "--batch"},
      {"train --data " + csv + " --val-split 1 --out " + old, 2, "--val-split: "},
      {"train --data " + csv + " --threads 0 --out " + old, 2, "--threads: '0'"},
      {"train --data " + csv + " --isa avx9 --out " + old, 2, "--isa: unknown tier 'avx9'"},
      {"train --data " + csv + " --lr 1e30 --momentum 0.99 --epochs 50 --out " + old, 6, "diverged"},
      {"evaluate " + (folder / "none"), 4, "none"},
      {"evaluate " + old, 4, "old"},
      {"evaluate " + truncated, 4, "truncated"},
      {"inspect " + truncated, 4, "truncated"},
      {"predict " + truncated, 4, "truncated"},
      {"evaluate " + model, 2, "784 features"},
      {"evaluate " + model + " --data " + csv + " --min-accuracy 2", 2, "--min-accuracy"},
      {"predict " + model + " --input " + csv, 4, "clouds.csv"},
      {"predict " + model + " --input " + csv + " --targets y,cloud", 4, "clouds.csv"},
      {"predict " + model + " --input " + csv + " --label cloud --show", 2, "--show: the input has no images"},
      {"predict " + model + " --input " + csv + " --label cloud --skip 300", 2, "--skip: 300"},
      {"predict " + model + " --limit 1", 2, "--input: samples have 784 features"},
      {"predict " + model + " --input " + features + " --output " + folder / "no/o", 4, "--output: cannot write"},
      {"explain gemm 3x4", 2, "give MxNxK"},
      {"explain gemm", 2, "which shape"},
      {"explain gemmm", 2, "did you mean 'gemm'"},
      {"explain sigmoid 3x4x5", 2, "only gemm takes a shape"},
      {"explain sigmoid --type f16", 2, "unknown --type 'f16'"},
      {"explain sigmoid --type i64", 2, "there is no sigmoid of type i64; of integers there is gemm alone"},
      {"explain relu_i32", 2, "there is no relu of type i32"},
      {"explain no/such.safetensors", 4, "cannot open 'no/such.safetensors'"},
      {"explain gemm 3x4x99999999999999999999", 2, "give MxNxK"},
      {"explain gemm 3x4x5 --batch 3", 2, "--batch: only for a model; the rows of a product are its M"},
      {"explain gemm 3x4x5 --alpha 0", 2, "--alpha: with 0 there is no product"},
      {"explain gemm 3x4x5 --packed --transpose-b", 2, "--packed excludes --transpose-b"},
      {"explain sigmoid --packed", 2, "--packed: only for gemm"},
      {"explain sigmoid --batch 3", 2, "--batch: only for a model"},
      {"explain sigmoid_f32 --type f64", 2, "--type: sigmoid_f32 is of type f32, not f64"},
      {"explain " + model + " --type f64", 2, "--type: not for a model, which has its own type"},
      {"explain " + model + " --packed", 2, "--packed: only for gemm; a model's weights are packed"},
      {"explain " + model + " --transpose-a", 2, "--transpose-a: only for gemm"},
      {"explain " + model + " --alpha 1", 2, "--alpha: only for gemm"},
      {"explain model --batch 3", 2, "unknown kernel (a file has a . or / in its name)"},
  };
  for (const auto& c : kCases) {
    INFO(c.arguments);
    const ProgramRun run = Lanewise(c.arguments);
    CHECK_MESSAGE(run.exit_code == c.code, run.err);
    CHECK_MESSAGE(Contains(run.err, c.message), run.err);
    CHECK(Contains(run.err, "error: "));
    CHECK(run.out.empty());
  }
  ProgramRun run = Shell("LANEWISE_ISA=avx9 \"$lanewise\" evaluate " + model + " --data " + csv);
  CHECK(run.exit_code == 2);
  CHECK(Contains(run.err, "error: LANEWISE_ISA: unknown tier 'avx9'"));
  // A network that has learnt nothing.
  REQUIRE(Lanewise("train --epochs 1 --lr 1e-9 --data " + csv + " --out " + model).exit_code == 0);
  run = Lanewise("evaluate " + model + " --data " + csv + " --min-accuracy 0.999");
  CHECK(run.exit_code == 1);
  CHECK(Contains(run.err, "error: the accuracy 0."));
  CHECK(Contains(run.out, "accuracy"));

  CHECK(ReadBytes(old) == "old");
  CHECK(folder.CountFiles() == files);
}

TEST_CASE("a log that cannot be written and a batch beyond the data do not end training") {
  const TemporaryFolder folder;
  const std::string train = "train --samples 100 --epochs 1 --out " + (folder / "m") + " --batch ";
  CHECK(Lanewise(train + "100 2>/dev/full").exit_code == 0);
  const std::string bytes = ReadBytes(folder / "m");
  CHECK(Lanewise(train + "9000000000000000000").exit_code == 0);
  CHECK(ReadBytes(folder / "m").size() >= bytes.size());
}

TEST_CASE("an interrupt ends training with 130 and leaves the old file") {
  const TemporaryFolder folder;
  const std::string old = folder.Write("old", "old");
  // As soon as the first epoch is reported, training is under way. (A shell starts background jobs deaf to SIGINT, so
  // the program is not one.)
  const ProgramRun run = Shell("cd " + folder.path() +
                               "; { sh -c 'echo $$ >pid; exec \"$0\" train --samples 500 --epochs 1000000 --out old' "
                               "\"$lanewise\"; echo \"exit code $?\" >&2; } 2>&1 | { read note; read epoch; "
                               "kill -INT $(cat pid); cat; }");
  CHECK_MESSAGE(Contains(run.out, "\nexit code 130\n"), run.out.substr(0, 1000));
  CHECK(Contains(run.out, "error: interrupted in epoch "));
  CHECK(Contains(run.out, "old was not written (with --checkpoint FILE training could go on)"));
  CHECK(ReadBytes(old) == "old");
  CHECK(folder.CountFiles() == 2);  // and the file with the process id
}

TEST_CASE("explain prints the plan and each tier's standing") {
  ForEachTier([](Tier tier, const kernels::KernelTable& /*table*/) {
    for (const std::string type : {"f32", "f64", "i32", "i64"}) {
      const std::string arguments =
          "explain gemm 64x128x784 --packed --type " + type + " --isa " + std::string(Name(tier));
      const ProgramRun text = Lanewise(arguments);
      CHECK(text.exit_code == 0);
      CHECK(Contains(text.out, "M=64 N=128 K=784"));
      CHECK(Contains(text.out, "not allowed by the request"));
      const json document = ParseJson(Lanewise(arguments + " --json").out);
      CHECK(document["kernel"] == "gemm_" + type);
      CHECK(document["class"] == (type[0] == 'i' ? "exact" : Name(ClassOf(tier))));
      CHECK(document["tier"] == Name(tier));
      CHECK(document["tiers"].size() == kTierCount);
      CHECK(Contains(text.out, std::string(document["explanation"])));
    }
  });
}

TEST_CASE("explain takes the products of gradients and a factor") {
  const auto explanation = [](const std::string& arguments) {
    const ProgramRun run = Lanewise("explain gemm --isa portable --threads 1 " + arguments);
    CHECK_MESSAGE(run.exit_code == 0, run.err);
    return run.out;
  };
  // Strides and a factor decide what is copied, as the plans of the calls themselves do.
  const Kernels portable = SelectKernels("portable").value();
  const auto plan = [&](GemmShape shape) { return Explain(PlanGemm(shape, portable, Machine::From(ThisCpu()), 1)); };
  const GemmShape weight_gradient = {.m = 512, .n = 512, .k = 256, .a_row_stride = 1, .a_k_stride = 512};
  CHECK(explanation("512x512x256 --transpose-a").starts_with(plan(weight_gradient)));
  const GemmShape input_gradient = {.m = 64, .n = 300, .k = 200, .b_k_stride = 1, .b_column_stride = 200};
  CHECK(explanation("64x300x200 --transpose-b").starts_with(plan(input_gradient)));
  const GemmShape scaled = {.m = 64, .n = 300, .k = 200, .scaled = true};
  CHECK(explanation("64x300x200 --alpha 2").starts_with(plan(scaled)));
  CHECK(explanation("64x300x200 --alpha 2") != explanation("64x300x200"));
  CHECK(explanation("64x300x200 --alpha 1") == explanation("64x300x200"));
  CHECK(explanation("16x64x64 --transpose-b") != explanation("16x64x64"));
  const json document = ParseJson(Lanewise("explain gemm 5x6x7 --transpose-a --alpha 0.5 --json").out);
  CHECK(document["transpose_a"] == true);
  CHECK(document["transpose_b"] == false);
  CHECK(document["alpha"] == 0.5);
}

TEST_CASE("explain tells which kernel a function gets, and what happens in each layer of a model") {
  const TemporaryFolder folder;
  const std::string data = folder.Write("clouds.csv", Clouds());
  REQUIRE(Shell("cd " + folder.path() +
                " && \"$lanewise\" train --data clouds.csv --layers 2,8,5,3 --activation tanh "
                "--epochs 1 --out model.safetensors")
              .exit_code == 0);
  const std::string model = folder / "model.safetensors";
  ForEachTier([&](Tier tier, const kernels::KernelTable& /*table*/) {
    const std::string isa = " --isa " + std::string(Name(tier));
    for (const std::string function : {"sigmoid", "sigmoid_f32", "softmax_f64", "exp --type f64"}) {
      const std::string arguments = function + isa;
      const ProgramRun text = Lanewise("explain " + arguments);
      CHECK_MESSAGE(text.exit_code == 0, text.err);
      CHECK(Contains(text.out, Format("kernel   {}\n", Name(tier))));
      CHECK(ParseJson(Lanewise("explain --json " + arguments).out)["tier"] == Name(tier));
    }
    const ProgramRun text = Lanewise("explain --batch 32 " + model + isa);
    CHECK_MESSAGE(text.exit_code == 0, text.err);
    CHECK(Contains(text.out, "layer    1: 8 -> 5 tanh\n"));
    CHECK(Contains(text.out, "M=32 N=5 K=8\n"));
    CHECK(Contains(text.out, Format("then     softmax_f32, {}\n", Name(tier))));
    const json document = ParseJson(Lanewise("explain --json --batch 32 " + model + isa).out);
    REQUIRE(document["layers"].size() == 3);
    for (const json& layer : document["layers"]) {
      CHECK(layer["tier"] == Name(tier));
      CHECK(layer["m"] == 32);
      CHECK(layer["packed"] == true);
    }
    CHECK(document["layers"][0]["activation"] == "tanh");
  });
  // As Predict cuts it.
  const json large = ParseJson(Lanewise("explain --json --threads 1 --batch 100000 " + model).out);
  CHECK(large["block"] < 100000);
  CHECK(large["layers"][1]["m"] == large["block"]);
}

#if !LANEWISE_EMULATED  // the copy would need the emulator, and would not find it
TEST_CASE("bench hands its arguments to lanewise-bench") {
  const TemporaryFolder folder;
  // A copy of the program alone, so that only what the test puts beside it is found.
  REQUIRE(Shell("cp \"$lanewise\" " + folder.path()).exit_code == 0);
  const std::string bench = "PATH=/nowhere '" + folder.path() + "/lanewise' bench ";
  ProgramRun run = Shell(bench);
  CHECK(run.exit_code == 2);
  CHECK(Contains(run.err, "error: lanewise-bench was found neither beside this program nor in PATH"));
  folder.Write("lanewise-bench", "#!/bin/sh\nprintf '<%s>' \"$@\"\nexit 3\n");
  REQUIRE(Shell("chmod +x " + folder.path() + "/lanewise-bench").exit_code == 0);
  run = Shell(bench + "--benchmark_filter='gemm .*' --other two");
  CHECK(run.exit_code == 3);
  CHECK(run.out == "<--benchmark_filter=gemm .*><--other><two>");
}
#endif

}  // namespace
}  // namespace lanewise::test
