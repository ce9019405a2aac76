// SPDX-License-Identifier: Apache-2.0
//
// What `train` was told, and what follows from that and from the data: sizes, loss, activations, recipe. Trains
// nothing.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "lanewise/dataset.h"
#include "lanewise/mlp.h"
#include "lanewise/status.h"
#include "lanewise/trainer.h"
#include "resume.h"

namespace lanewise::cli {

// As typed; empty strings and nullopts: not given.
struct TrainSettings {
  explicit TrainSettings(CLI::App& command);  // declares the options

  std::vector<std::ptrdiff_t> layers;
  std::string activation = "relu";
  std::string loss;
  std::string output_activation;
  double learning_rate = 0.03;
  std::string schedule = "linear";
  double momentum = 0.9;
  std::ptrdiff_t batch = 64;
  std::uint32_t epochs = 10;
  std::uint64_t seed = 1;
  double val_split = 0;
  std::optional<double> input_scale;
  std::string type = "f32";
  std::vector<std::string> class_names;
  std::string out;
  std::string checkpoint;
  std::string resume;
};

struct Plan {
  std::vector<LayerShape> layers;
  std::vector<std::ptrdiff_t> sizes;
  TrainerOptions trainer;
  std::vector<std::string> class_names;
  Recipe recipe;
  // With a checkpoint: DatasetHash of what is trained on, and the command that goes on from it.
  std::uint64_t data_hash = 0;
  std::string go_on;
};

// kInvalidArgument, naming the option, where the settings fit neither each other nor the data.
Result<Plan> MakePlan(const TrainSettings& settings, const Dataset& data);

// What the model's file says of how it was trained; `data_kind` is DataOptions::Kind.
Recipe MakeRecipe(const TrainSettings& settings, const Plan& plan, const std::string& data_kind);

// Whether the plan, with its recipe and the data's hash, is that of the training that began so; then it becomes the
// plan to go on by. kInvalidArgument, kBadFile.
Status GoOn(const AnyCheckpoint& begun, const TrainSettings& settings, Plan& plan);

}  // namespace lanewise::cli
