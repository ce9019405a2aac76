// SPDX-License-Identifier: Apache-2.0
//
// Checkpoints: training that goes on from one gives the bits of training that never stopped, and nothing else is taken
// for one.

#include "lanewise/checkpoint.h"

#include <algorithm>
#include <climits>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "format.h"
#include "safetensors.h"
#include "temporary_folder.h"
#include "tiers.h"
#include "trainer_case.h"

namespace lanewise::test {
namespace {

using enum Activation;

constexpr std::ptrdiff_t kSamples = 100;
constexpr std::uint32_t kEpochs = 3;
constexpr TrainerOptions kOptions = {.learning_rate = 0.1, .batch = 32, .seed = 7, .input_scale = 1.0 / 255};

// Images of 12 bytes, of which the labelled third is bright.
Dataset Stripes() {
  Random random(1, Stream::kUser);
  Dataset data{.samples = kSamples, .features = 12, .classes = 3};
  for (std::ptrdiff_t i = 0; i < kSamples; ++i) {
    data.labels.push_back(static_cast<std::int32_t>(random.Below(3)));
    for (std::int32_t j = 0; j < 12; ++j) {
      data.bytes.push_back(static_cast<std::uint8_t>(random.Below(128) + (j % 3 == data.labels.back() ? 100 : 0)));
    }
  }
  return data;
}

template <typename T>
Trainer<T> NewTrainer(Loss loss = Loss::kSoftmaxCrossEntropy) {
  TrainerOptions options = kOptions;
  options.loss = loss;
  const Activation last = loss == Loss::kSoftmaxCrossEntropy   ? kSoftmax
                          : loss == Loss::kSigmoidCrossEntropy ? kSigmoid
                                                               : kIdentity;
  return MakeTrainer(RandomNetwork<T>({{12, 20, kTanh}, {20, 7, kRelu}, {7, 3, last}}, 3), options);
}

// What training leaves: the bytes of its model's file, and what its epochs returned.
struct Outcome {
  std::string model;
  std::vector<double> results;
};

// Trains up to the end, or up to `stop` steps, where it saves a checkpoint to `path`. The learning rate falls.
template <typename T>
Outcome Train(Context& context, Trainer<T>& trainer, std::uint32_t epoch, EpochResult done, int stop = INT_MAX,
              const std::string& path = {}) {
  const Dataset data = Stripes();
  Outcome outcome;
  for (int steps = 0; epoch < kEpochs; ++epoch, done = {}) {
    if (done.samples == 0) REQUIRE(trainer.set_learning_rate(0.1 / (epoch + 1)).ok());
    const auto progress = [&](std::ptrdiff_t) { return ++steps < stop; };
    const Result<EpochResult> result = trainer.Epoch(context, data, epoch, progress, done);
    REQUIRE_MESSAGE(result.ok(), result.status().message());
    outcome.results.insert(outcome.results.end(), {result->loss, result->accuracy, result->loss_sum});
    if (steps < stop) continue;
    Result<Checkpoint<T>> checkpoint = MakeCheckpoint(context, trainer, epoch, *result);
    REQUIRE_MESSAGE(checkpoint.ok(), checkpoint.status().message());
    checkpoint->model.recipe = {{"seed", "7"}};
    checkpoint->data_hash = DatasetHash(data);
    const Status saved = SaveCheckpoint(path, *checkpoint);
    REQUIRE_MESSAGE(saved.ok(), saved.message());
    return outcome;
  }
  const Result<std::string> bytes = ModelBytes(Model<T>{.network = trainer.network(), .recipe = {{"seed", "7"}}});
  REQUIRE(bytes.ok());
  outcome.model = *bytes;
  return outcome;
}

template <typename T>
Checkpoint<T> Load(const std::string& path) {
  Result<Checkpoint<T>> checkpoint = LoadCheckpoint<T>(path);
  REQUIRE_MESSAGE(checkpoint.ok(), checkpoint.status().message());
  return *std::move(checkpoint);
}

TEST_CASE_TEMPLATE("training goes on from any step, on any tier of the class, as if it had not stopped", T, float,
                   double) {
  constexpr int kSteps = 4 * kEpochs;
  const TemporaryFolder folder;
  for (const Loss loss : {Loss::kSoftmaxCrossEntropy, Loss::kSigmoidCrossEntropy, Loss::kSquaredError}) {
    CAPTURE(std::string(Name(loss)));
    Outcome whole[2];                     // by class
    std::map<int, std::string> files[2];  // by class: the checkpoints of its first tier, by the step
    ForEachTier([&](Tier tier, const kernels::KernelTable&) {
      const bool fma = ClassOf(tier) == NumericClass::kFma;
      ThreadPool two(2);
      Context before = ContextOn(tier, two);
      const bool first = whole[fma].model.empty();
      if (first) {
        Trainer<T> trainer = NewTrainer<T>(loss);
        whole[fma] = Train(before, trainer, 0, {});
      }
      // Between any two steps; where only the loss is another, between some.
      for (int stop = 1; stop <= kSteps; stop += loss == Loss::kSoftmaxCrossEntropy ? 1 : 5) {
        CAPTURE(stop);
        const std::string path = folder / "c";
        Trainer<T> stopped = NewTrainer<T>(loss);
        Train(before, stopped, 0, {}, stop, path);
        if (first) files[fma][stop] = ReadBytes(path);
        CHECK(ReadBytes(path) == files[fma][stop]);
        const Checkpoint<T> checkpoint = Load<T>(path);
        ForEachTier([&](Tier other, const kernels::KernelTable&) {
          if (ClassOf(other) != ClassOf(tier)) return;
          ThreadPool three(3);
          Context after = ContextOn(other, three);
          Result<Trainer<T>> resumed = ResumeTrainer(after, checkpoint);
          REQUIRE_MESSAGE(resumed.ok(), resumed.status().message());
          const Outcome rest = Train(after, *resumed, checkpoint.epoch, checkpoint.done);
          CHECK(rest.model == whole[fma].model);
          CHECK(std::equal(rest.results.rbegin(), rest.results.rend(), whole[fma].results.rbegin()));
        });
      }
    });
  }
}

// A checkpoint in the middle of the second epoch.
template <typename T>
Checkpoint<T> SmallCheckpoint() {
  const TemporaryFolder folder;
  Context context = *Context::Make();
  Trainer<T> trainer = NewTrainer<T>();
  Train(context, trainer, 0, {}, 6, folder / "c");
  Checkpoint<T> checkpoint = Load<T>(folder / "c");
  checkpoint.model.class_names = {"left", "middle", "right"};
  return checkpoint;
}

TEST_CASE_TEMPLATE("a checkpoint comes back bit by bit, and is a model too", T, float, double) {
  const TemporaryFolder folder;
  const Checkpoint<T> written = SmallCheckpoint<T>();
  REQUIRE(SaveCheckpoint(folder / "a", written).ok());
  const Checkpoint<T> read = Load<T>(folder / "a");
  CHECK(SameBits<T>(read.model.network.parameters(), written.model.network.parameters()));
  CHECK(SameBits<T>(read.velocity, written.velocity));
  CHECK(std::ranges::any_of(read.velocity, [](T v) { return v != 0; }));
  CHECK(read.options == written.options);
  CHECK(read.options.learning_rate == 0.05);
  CHECK(read.options.input_scale == 1.0 / 255);
  CHECK(read.epoch == 1);
  CHECK(read.done.samples == 64);
  CHECK(read.done.correct == written.done.correct);
  CHECK(read.done.loss_sum == written.done.loss_sum);
  CHECK(read.done.loss == written.done.loss_sum / 64);
  CHECK(read.numeric_class == written.numeric_class);
  CHECK(read.data_hash == DatasetHash(Stripes()));
  REQUIRE(SaveCheckpoint(folder / "b", read).ok());
  CHECK(ReadBytes(folder / "a") == ReadBytes(folder / "b"));
  CHECK(folder.CountFiles() == 2);

  const Result<Model<T>> model = LoadModel<T>(folder / "a");
  REQUIRE_MESSAGE(model.ok(), model.status().message());
  CHECK(SameBits<T>(model->network.parameters(), written.model.network.parameters()));
  CHECK(model->class_names == written.model.class_names);
  CHECK(model->recipe == written.model.recipe);
  CHECK(model->input_scale == 1.0 / 255);
  REQUIRE(SaveModel(folder / "model", *model).ok());
  CHECK(ReadBytes(folder / "model").size() < ReadBytes(folder / "a").size() / 2 + 500);
}

// ---- Errors ------------------------------------------------------------------------------------------------------

void CheckFails(const Status& status, StatusCode code, const std::string& part) {
  CAPTURE(status.message());
  CHECK(status.code() == code);
  CHECK_MESSAGE(status.message().find(part) != std::string::npos, part);
}

TEST_CASE("a checkpoint with any byte changed, or cut off anywhere, is a bad file") {
  const TemporaryFolder folder;
  REQUIRE(SaveCheckpoint(folder / "c", SmallCheckpoint<float>()).ok());
  const std::string bytes = ReadBytes(folder / "c");
  const std::size_t step = bytes.size() / 600;  // of the elements; the header is changed everywhere
  const std::size_t header = bytes.size() - 2 * 4 * (12 * 20 + 20 + 20 * 7 + 7 + 7 * 3 + 3);
  for (std::size_t i = 0; i < bytes.size(); i += i < header ? 1 : step) {
    CAPTURE(i);
    // File systems that write a file to the disk when another takes its place are spared that.
    const auto check = [&](std::string_view damaged) {
      const std::string path = folder.Write("damaged", damaged);
      const Status status = LoadCheckpoint<float>(path).status();
      REQUIRE(status.code() == StatusCode::kBadFile);
      REQUIRE(status.message().starts_with(path));
      std::filesystem::remove(path);
    };
    check(bytes.substr(0, i));
    for (const int change : {0x01, 0x10, 0x80, 0xFF}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ change);
      check(changed);
    }
  }
  CheckFails(LoadCheckpoint<float>(folder.Write("longer", bytes + "x")).status(), StatusCode::kBadFile, "goes on");
  CheckFails(LoadCheckpoint<float>(folder / "none").status(), StatusCode::kIoError, "No such file");
}

TEST_CASE("LoadCheckpoint refuses what SaveCheckpoint does not write, and names the rule") {
  const TemporaryFolder folder;
  REQUIRE(SaveCheckpoint(folder / "c", SmallCheckpoint<float>()).ok());
  const SafetensorsFile good = *ReadSafetensors(folder / "c");
  SafetensorsFile file = good;
  const auto refuses = [&](const std::string& part) {
    REQUIRE(WriteSafetensors(folder / "bad", file).ok());
    const Status status = LoadCheckpoint<float>(folder / "bad").status();
    CheckFails(status, StatusCode::kBadFile, part);
    CheckFails(status, StatusCode::kBadFile, folder / "bad");
    CHECK(LoadCheckpoint<double>(folder / "bad").status().message() == status.message());
    file = good;
  };
  const auto refuses_metadata = [&](const char* key, const std::string& value, const std::string& part) {
    file.metadata[std::string("lanewise.") + key] = value;
    refuses(Format("metadata lanewise.{}: {}", key, part));
  };
  // One entry of the JSON object for another.
  const auto refuses_entry = [&](const std::string& name, const std::string& value, const std::string& part) {
    std::string& text = file.metadata["lanewise.checkpoint"];
    const std::size_t begin = text.find(Format("\"{}\":\"", name)) + name.size() + 4;
    text.replace(begin, text.find('"', begin) - begin, value);
    refuses("metadata lanewise.checkpoint: " + part);
  };

  for (const char* key : {"lanewise.checkpoint_hash", "lanewise.numerics_revision"}) {
    file.metadata.erase(key);
    refuses(Format("metadata {} is missing; a checkpoint to go on from has it", key));
  }
  file.metadata.erase("lanewise.checkpoint");
  refuses("has 12 tensors; 3 layers have 6");
  file.metadata.erase("lanewise.checkpoint");
  file.tensors.resize(6);
  refuses("metadata lanewise.checkpoint is missing; a checkpoint to go on from has it");
  file.tensors.pop_back();
  refuses("has 11 tensors; 3 layers have 12 in a checkpoint");
  file.tensors[6].name = "velocity";
  refuses("tensor momentum_buffer.layers.0.weight is missing");
  file.tensors[6] = {"momentum_buffer.layers.0.weight", {19, 12}, std::vector<float>(19 * 12)};
  refuses("momentum_buffer.layers.0.weight must be [outputs, inputs]");
  file.tensors[6] = {"momentum_buffer.layers.0.weight", {20, 11}, std::vector<float>(20 * 11)};
  refuses("the momentum_buffer.layers have other shapes than the layers");
  file.tensors[0] = {"layers.0.weight", {20, 11}, std::vector<float>(20 * 11)};
  refuses("the momentum_buffer.layers have other shapes than the layers");
  std::get<std::vector<float>>(file.tensors[9].values)[2] = std::numeric_limits<float>::infinity();
  refuses("tensor 'momentum_buffer.layers.2.bias' holds a value that is not finite");
  std::get<std::vector<float>>(file.tensors[9].values)[2] = 1;
  refuses("lanewise.checkpoint_hash: is not the hash of what the file holds: it was changed or damaged");

  refuses_metadata("numerics_revision", "2",
                   "training began by revision 2; this library computes by revision 1, with other bits");
  file.metadata["lanewise.activations"] = "tanh,relu,sigmoid";
  refuses("metadata lanewise.checkpoint: the loss softmax-cross-entropy needs softmax as the last");
  for (const char* text : {"", "[]", "{", R"({"a":1})"}) {
    refuses_metadata("checkpoint", text, "is not a JSON object of strings");
  }
  refuses_metadata("checkpoint", "{}", "has no loss");
  file.metadata["lanewise.checkpoint"].insert(1, R"("a":"b",)");
  refuses("metadata lanewise.checkpoint: has 12 entries; 11 are known");
  refuses_metadata("checkpoint_hash", "0123456789abcdef", "is not the hash of what the file holds");
  refuses_metadata("checkpoint_hash", "", "is not the hash of what the file holds");

  const std::string kNumber = "is not a finite number as C's %a prints it";
  refuses_entry("loss", "softmax", "loss 'softmax' is not softmax-cross-entropy, sigmoid-cross-entropy or");
  refuses_entry("loss", "sigmoid-cross-entropy", "the loss sigmoid-cross-entropy needs sigmoid as the last");
  refuses_entry("learning_rate", "0.1", "learning_rate '0.1' " + kNumber);
  refuses_entry("learning_rate", "0x0p+0", "learning rate 0 is not a positive number");
  refuses_entry("momentum", "nan", "momentum 'nan' " + kNumber);
  refuses_entry("momentum", "0x1p+0", "momentum 1 is not in [0, 1)");
  refuses_entry("batch", "0", "batch size 0 is not at least 1");
  refuses_entry("batch", "99999999999999999999", "batch '99999999999999999999' is not an integer in its range");
  refuses_entry("seed", "-1", "seed '-1' is not an integer in its range");
  refuses_entry("epoch", "4294967296", "epoch '4294967296' is not an integer in its range");
  refuses_entry("epoch", "1 ", "epoch '1 ' is not an integer in its range");
  refuses_entry("samples", "-1", "-1 samples with a sum of losses of");
  refuses_entry("samples", "0", "0 samples with a sum of losses of");
  refuses_entry("loss_sum", "inf", "loss_sum 'inf' " + kNumber);
  refuses_entry("correct", "65", "64 samples with a sum of losses of");
  refuses_entry("numeric_class", "exact", "numeric_class 'exact' is not fma, mul-add or mixed");
  refuses_entry("data_hash", "12", "data_hash '12' is not 16 hexadecimal digits");
}

TEST_CASE("a checkpoint is loaded as the type that was trained") {
  const TemporaryFolder folder;
  REQUIRE(SaveCheckpoint(folder / "f32", SmallCheckpoint<float>()).ok());
  REQUIRE(SaveCheckpoint(folder / "f64", SmallCheckpoint<double>()).ok());
  CheckFails(LoadCheckpoint<double>(folder / "f32").status(), StatusCode::kBadFile,
             "is F32; this checkpoint must be loaded as float");
  CheckFails(LoadCheckpoint<float>(folder / "f64").status(), StatusCode::kBadFile,
             "is F64; this model must be loaded as double");
  CHECK(LoadModel<double>(folder / "f32").ok());
}

TEST_CASE("a batch that no memory holds is found when training goes on, not when the file is read") {
  const TemporaryFolder folder;
  Checkpoint<float> checkpoint = SmallCheckpoint<float>();
  checkpoint.options.batch = PTRDIFF_MAX / 64;
  REQUIRE(SaveCheckpoint(folder / "c", checkpoint).ok());
  CHECK(ResumeTrainer(*Context::Make(), Load<float>(folder / "c")).status().code() == StatusCode::kOutOfMemory);
}

TEST_CASE("SaveCheckpoint and ResumeTrainer refuse what is no state of training, and the old file stays") {
  const TemporaryFolder folder;
  const std::string path = folder.Write("c", "before");
  Context context = *Context::Make();
  const Checkpoint<float> good = SmallCheckpoint<float>();
  Checkpoint<float> checkpoint = good;
  const auto refuses = [&](const std::string& part) {
    CheckFails(SaveCheckpoint(path, checkpoint), StatusCode::kInvalidArgument, part);
    CheckFails(ResumeTrainer(context, checkpoint).status(), StatusCode::kInvalidArgument, part);
    checkpoint = good;
  };
  checkpoint.velocity.pop_back();
  refuses("the velocity is not one finite number for each parameter");
  checkpoint.velocity[0] = std::numeric_limits<float>::quiet_NaN();
  refuses("the velocity is not one finite number for each parameter");
  checkpoint.model.input_scale = 1;
  refuses("the input scale 1 of the model is not the options' 0.00392");
  checkpoint.model.numerics_revision = 0;
  refuses("numerics revision 0 is not this library's 1");
  checkpoint.done.samples = -1;
  refuses("are no result of an epoch");
  checkpoint.options.momentum = 1;
  refuses("momentum 1");
  checkpoint.model.class_names = {"one"};
  CheckFails(SaveCheckpoint(path, checkpoint), StatusCode::kInvalidArgument, "1 class names for 3 outputs");
  CHECK(ReadBytes(path) == "before");
  CHECK(folder.CountFiles() == 1);
  CheckFails(SaveCheckpoint(folder / "none/c", good), StatusCode::kIoError, "No such file or directory");
}

TEST_CASE("training does not go on with kernels of another class") {
  const Checkpoint<float> checkpoint = SmallCheckpoint<float>();
  ForEachTier([&](Tier tier, const kernels::KernelTable&) {
    const Context context(KernelsOf(tier));
    const Result<Trainer<float>> trainer = ResumeTrainer(context, checkpoint);
    if (ClassOf(tier) == checkpoint.numeric_class) {
      CHECK(trainer.ok());
    } else {
      CheckFails(trainer.status(), StatusCode::kInvalidArgument, "would train another model");
    }
  });
}

TEST_CASE("Trainer refuses a velocity and an epoch's beginning that are none") {
  Context context = *Context::Make();
  Trainer<float> trainer = NewTrainer<float>();
  const std::vector<float> velocity(5);
  CheckFails(Trainer<float>::Create(trainer.network(), kOptions, velocity).status(), StatusCode::kInvalidArgument,
             "the velocity is not one finite number for each of the 431 parameters");
  const Dataset data = Stripes();
  for (const EpochResult& done : {EpochResult{.samples = -32}, EpochResult{.samples = 33}, EpochResult{.samples = 128},
                                  EpochResult{.samples = 32, .correct = 33}, EpochResult{.loss_sum = 1}}) {
    CheckFails(trainer.Epoch(context, data, 0, nullptr, done).status(), StatusCode::kInvalidArgument,
               "an epoch of 100 samples in batches of 32 does not stop after");
  }
  CHECK(trainer.Epoch(context, data, 0, nullptr, {.samples = 100, .loss_sum = 50, .correct = 10})->loss == 0.5);
}

}  // namespace
}  // namespace lanewise::test
