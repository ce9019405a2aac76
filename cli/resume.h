// SPDX-License-Identifier: Apache-2.0
//
// How `train` goes on from a checkpoint: options that are not typed are those that the training began with, and one
// that contradicts them is refused. Trains nothing.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "CLI/CLI.hpp"
#include "lanewise/checkpoint.h"
#include "lanewise/status.h"

namespace lanewise::cli {

using AnyCheckpoint = std::variant<Checkpoint<float>, Checkpoint<double>>;

// Of the type that was trained.
Result<AnyCheckpoint> LoadAnyCheckpoint(const std::string& path);

using Recipe = std::map<std::string, std::string>;

// The options that decide the bits of a model, as one types them: {"--lr", "0.03"}, ...
using TypedOptions = std::map<std::string, std::string>;
TypedOptions OptionsOf(const Recipe& recipe, const std::vector<LayerShape>& layers, double input_scale,
                       const std::string& type);
TypedOptions OptionsOf(const AnyCheckpoint& checkpoint);

// Gives the command's options that were not typed the values that the checkpoint's training had. kBadFile, naming the
// file, where one is no such value.
Status TakeOptions(const std::string& path, const TypedOptions& theirs, CLI::App& command);

// kInvalidArgument, with each option that differs from the checkpoint's and both values; only --epochs may be more.
Status CheckOptions(const std::string& path, const TypedOptions& theirs, const TypedOptions& ours);

// The recipe of a training that CheckOptions let go on to `epochs`, when so many have begun. If it states fewer, and
// the learning rates of those that have begun depend on that, the entry epochs_raised says so: else equal recipes would
// not mean equal models.
Recipe ContinuedRecipe(Recipe recipe, std::uint32_t epochs, std::uint32_t epochs_begun);

// kInvalidArgument if a checkpoint at this path would replace the model of --out, or is standard output.
Status CheckCheckpointPath(const std::string& path, const std::string& out);

// The command line as it was typed, but with --resume PATH.
std::string CommandToGoOn(const std::string& path, const CLI::App& command);

}  // namespace lanewise::cli
