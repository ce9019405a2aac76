// SPDX-License-Identifier: Apache-2.0
//
// `lanewise train` with checkpoints, seen from outside: interrupted, resumed, and the bytes compared with those of
// training that nobody stopped; what does not go on, and why.

#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "format.h"
#include "lanewise/isa.h"
#include "run_program.h"
#include "temporary_folder.h"
#include "tiers.h"

namespace lanewise::test {
namespace {

using nlohmann::json;

// Two columns that are classes, or numbers, of the third.
std::string Points() {
  std::string csv = "x,y,z\n";
  for (int i = 0; i < 120; ++i)
    csv += std::to_string(i * 7 % 10) + "," + std::to_string(i % 3) + "," + "012"[i % 3] + "\n";
  return csv;
}

void Train(const std::string& arguments) {
  const ProgramRun run = Lanewise("train " + arguments);
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
}

// Starts the command line, sends the signal when the first epoch is reported, and returns what it said and its exit
// code. (A shell starts background jobs deaf to SIGINT, so the program is not one.)
std::string Interrupt(const std::string& folder, const std::string& arguments, const std::string& signal) {
  return Shell("cd " + folder + "; { sh -c 'echo $$ >pid; exec \"$0\" " + arguments +
               "' \"$lanewise\"; echo \"exit code $?\" >&2; } 2>&1 | { read note; read epoch; kill -" + signal +
               " $(cat pid); cat; }")
      .out;
}

TEST_CASE("interrupted again and again, training goes on by the command it prints, to the same bytes") {
  const TemporaryFolder folder;
  // Steps of one sample, so that an epoch takes long enough to be interrupted.
  const std::string samples = LANEWISE_EMULATED ? "500" : "5000";
  const std::string options = "train --samples " + samples + " --layers 784,64,10 --batch 1 --epochs 12 --lr 0.001";
  REQUIRE(Shell("cd " + folder.path() + "; \"$lanewise\" " + options + " --out whole").exit_code == 0);

  std::string said = Interrupt(folder.path(), options + " --out model --checkpoint c", "INT");
  for (const char* signal : {"TERM", "INT"}) {
    CAPTURE(said);
    CHECK(Contains(said, "exit code 130\n"));
    CHECK(Contains(said, "error: interrupted in epoch "));
    CHECK(Contains(said, "; c holds what was done, and this goes on from it:\nlanewise train "));
    const std::size_t begin = said.find("\nlanewise train ") + 10;
    const std::string go_on = said.substr(begin, said.find('\n', begin) - begin);
    CHECK(go_on.ends_with("--resume c"));
    CHECK(Shell("test -e " + (folder / "model")).exit_code == 1);
    // The last time to the end, with another number of threads.
    said = *signal == 'T' ? Interrupt(folder.path(), go_on, signal)
                          : Shell("cd " + folder.path() + "; \"$lanewise\" " + go_on + " --threads 3").err;
  }
  CHECK(ReadBytes(folder / "model") == ReadBytes(folder / "whole"));
}

TEST_CASE("training of any kind goes on, on any tier of the class, and may get more epochs") {
  const TemporaryFolder folder;
  const std::string data = " --data " + folder.Write("points.csv", Points());
  const std::string kinds[] = {"",
                               " --type f64 --momentum 0.5 --batch 7 --seed 18446744073709551615",
                               " --loss sigmoid --layers 2,5,4,3 --activation tanh --input-scale 0.1",
                               " --loss squared --output-activation tanh --lr 0.003 --val-split 0.3",
                               " --class-names 2,1,0 --layers 2,3",
                               " --targets y,z --type f64 --layers 1,2"};
  for (const std::string& kind : kinds) {
    const std::string usual = " --schedule constant" + kind;
    CAPTURE(usual);
    // What the checkpoint cannot know.
    std::string again = data;
    if (Contains(usual, "--targets")) again += " --targets y,z";
    if (Contains(usual, "--class-names")) again += " --class-names 2,1,0";
    std::string whole[2];
    ForEachTier([&](Tier tier, const kernels::KernelTable&) {
      const std::string isa = std::string(" --isa ") + Name(tier);
      std::string& expected = whole[ClassOf(tier) == NumericClass::kFma];
      if (expected.empty()) {
        Train(Format("--epochs 3 --out {}{}{}{}", folder / "whole", data, usual, isa));
        expected = ReadBytes(folder / "whole");
      }
      Train(Format("--epochs 1 --out {} --checkpoint {}{}{}{} --threads 2", folder / "first", folder / "c", data, usual,
                   isa));
      ForEachTier([&](Tier other, const kernels::KernelTable&) {
        const ProgramRun run =
            Lanewise(Format("train --epochs 3 --resume {} --checkpoint {} --out {}{} --threads 1 --isa {}",
                            folder / "c", folder / "d", folder / "m", again, Name(other)));
        if (ClassOf(other) != ClassOf(tier)) {
          CHECK(run.exit_code == 2);
          CHECK_MESSAGE(Contains(run.err, "would train another model"), run.err);
        } else {
          REQUIRE_MESSAGE(run.exit_code == 0, run.err);
          CHECK(ReadBytes(folder / "m") == expected);
          // From the end of training nothing is left to do but to write the model.
          Train(Format("--resume {} --out {}{} --isa {}", folder / "d", folder / "n", again, Name(other)));
          CHECK(ReadBytes(folder / "n") == expected);
        }
      });
    });
  }
}

TEST_CASE("more epochs than a linear schedule began with are another training, and the recipe says so") {
  const TemporaryFolder folder;
  const std::string train = "--samples 200 --out " + (folder / "m");
  Train(train + " --epochs 2 --checkpoint " + (folder / "c"));
  Train(train + " --epochs 3 --resume " + (folder / "c"));
  Train(train + " --epochs 5 --json --resume " + (folder / "c"));
  const json recipe = ParseJson(Lanewise("inspect --json " + (folder / "m")).out)["recipe"];
  CHECK(recipe["epochs"] == "5");
  CHECK(recipe["epochs_raised"] == "from 2 after epoch 2, from 3 after epoch 3");
  const ProgramRun run = Lanewise("train --json " + train + " --epochs 6 --resume " + (folder / "c"));
  const json epochs = ParseJson(run.out)["epochs"];
  REQUIRE(epochs.size() == 2);
  CHECK(epochs[0]["epoch"] == 5);
  CHECK(epochs[0]["samples_per_second"] == 0);
  CHECK(epochs[1]["epoch"] == 6);
}

TEST_CASE("a checkpoint is a model to the other commands, and inspect says where it stands") {
  const TemporaryFolder folder;
  const std::string checkpoint = folder / "c";
  Train("--samples 200 --epochs 2 --out " + (folder / "m") + " --checkpoint " + checkpoint);
  const std::string evaluate = "evaluate --samples 50 --json ";
  CHECK(ParseJson(Lanewise(evaluate + checkpoint).out)["accuracy"] ==
        ParseJson(Lanewise(evaluate + (folder / "m")).out)["accuracy"]);
  CHECK(Lanewise("predict --limit 5 " + checkpoint).out == Lanewise("predict --limit 5 " + (folder / "m")).out);
  CHECK(Lanewise("verify " + checkpoint).exit_code == 3);  // it has no golden cases
  CHECK(Contains(Lanewise("inspect " + checkpoint).out, "in epoch 2, after 200 samples (lanewise train --resume"));
  CHECK(ParseJson(Lanewise("inspect --json " + checkpoint).out)["checkpoint"] == json{{"epoch", 2}, {"samples", 200}});
  CHECK(ParseJson(Lanewise("inspect --json " + (folder / "m")).out)["checkpoint"].is_null());
}

TEST_CASE("what contradicts a checkpoint, or is none, is refused, and files stay as they are") {
  const TemporaryFolder folder;
  const std::string data = folder.Write("points.csv", Points());
  const std::string old = folder.Write("old", "old");
  const std::string checkpoint = folder / "c";
  Train("--data " + data + " --layers 2,5,3 --epochs 4 --out " + (folder / "m") + " --checkpoint " + checkpoint);
  const std::string bytes = ReadBytes(checkpoint);
  const std::string cut = folder.Write("cut", bytes.substr(0, bytes.size() - 1));
  std::string changed_bytes = bytes;
  changed_bytes[bytes.size() - 2] ^= 1;
  const std::string changed = folder.Write("changed", changed_bytes);
  std::string other = Points();
  other[other.size() - 4] ^= 1;
  folder.Write("other.csv", other);
  const std::ptrdiff_t files = folder.CountFiles();

  const std::string resume = "--data " + data + " --out " + old + " --resume " + checkpoint;
  const struct {
    std::string arguments;
    int code;
    std::string message;
  } kCases[] = {
      {resume + " --layers 2,6,3", 2,
       "error: --resume: " + checkpoint + " was trained with --layers 2,5,3 (not 2,6,3)\n"},
      {resume + " --lr 0.1 --seed 2", 2, "was trained with --lr 0.03 (not 0.1), --seed 1 (not 2)\n"},
      {resume + " --batch 32", 2, "with --batch 64 (not 32)"},
      {resume + " --momentum 0", 2, "with --momentum 0.9 (not 0)"},
      {resume + " --schedule constant", 2, "with --schedule linear (not constant)"},
      {resume + " --epochs 3", 2, "with --epochs 4 (not 3)"},
      {resume + " --val-split 0.1", 2, "with --val-split 0 (not 0.1)"},
      {resume + " --type f64", 2, "with --type f32 (not f64)"},
      {resume + " --activation tanh", 2, "with --activation relu (not tanh)"},
      {resume + " --input-scale 2", 2, "with --input-scale 1 (not 2)"},
      {resume + " --loss squared", 2, "with --loss softmax-cross-entropy (not squared-error)"},
      {resume + " --loss softmax --epochs 3", 2, "was trained with --epochs 4 (not 3)\n"},
      {resume + " --class-names 0,2,1", 2, "these are not the samples that " + checkpoint + " was trained on"},
      {resume + " --label first", 2, "error: --layers: ends with 3; the data has 10 classes"},
      {"--out " + old + " --resume " + checkpoint, 2, "error: --layers: begins with 2; the data has 784 features"},
      {"--data " + (folder / "other.csv") + " --out " + old + " --resume " + checkpoint, 2,
       "error: --data: these are not the samples"},
      {"--data " + data + " --out " + old + " --resume " + cut, 4, cut + ": byte "},
      {"--data " + data + " --out " + old + " --resume " + changed, 4, "is not the hash of what the file holds"},
      {"--data " + data + " --out " + old + " --resume " + (folder / "m"), 4,
       "metadata lanewise.checkpoint is missing"},
      {"--data " + data + " --out " + old + " --resume " + (folder / "none"), 4, "No such file"},
      {"--data " + data + " --out " + old + " --resume -", 2, "a checkpoint is a file, not standard input"},
      {"--data " + data + " --out " + old + " --checkpoint " + old, 2, "error: --checkpoint: " + old + " is --out's"},
      {"--data " + data + " --out " + old + " --checkpoint " + folder.path() + "/./old", 2, "is --out's"},
      {"--data " + data + " --out " + old + " --checkpoint " + data, 2, "is read as --data"},
      {"--data " + data + " --out " + old + " --checkpoint " + (folder / "no/c"), 4,
       "error: --checkpoint: cannot write"},
      {"--data " + data + " --out " + old + " --checkpoint -", 2, "error: --checkpoint: a checkpoint is a file"},
  };
  for (const auto& c : kCases) {
    INFO(c.arguments);
    const ProgramRun run = Lanewise("train " + c.arguments);
    CHECK_MESSAGE(run.exit_code == c.code, run.err);
    CHECK_MESSAGE(Contains(run.err, c.message), run.err);
    CHECK(run.out.empty());
  }
  CHECK(ReadBytes(old) == "old");
  CHECK(ReadBytes(checkpoint) == bytes);
  CHECK(folder.CountFiles() == files);
}

}  // namespace
}  // namespace lanewise::test
