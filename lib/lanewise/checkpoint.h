// SPDX-License-Identifier: Apache-2.0
//
// Checkpoints: training that stopped, as a file from which it goes on as if it had not.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lanewise/context.h"
#include "lanewise/model_file.h"
#include "lanewise/status.h"
#include "lanewise/tier.h"
#include "lanewise/trainer.h"

namespace lanewise {

// All that decides how training goes on, but for the data set. A value type. The generator has no state of its own: the
// order of an epoch's samples is drawn anew from options.seed and the epoch's number.
template <typename T>
struct Checkpoint {
  Model<T> model;                // the network as it stands, and what its file is to say of it
  TrainerOptions options = {};   // input_scale is the model's
  std::vector<T> velocity = {};  // as Trainer::velocity
  // The epoch that is under way, and what Trainer::Epoch takes as `done` to go on with it; its samples may be all.
  std::uint32_t epoch = 0;
  EpochResult done = {};
  // Of the kernels that trained; none if they were of both classes.
  std::optional<NumericClass> numeric_class = NumericClass::kFma;
  std::uint64_t data_hash = 0;  // DatasetHash of the data set, for whoever goes on to compare; 0: not stated
};

// The state of a trainer that has done this much of an epoch. Class names, recipe and data_hash are the caller's to
// add. kOutOfMemory.
template <typename T>
Result<Checkpoint<T>> MakeCheckpoint(const Context& context, const Trainer<T>& trainer, std::uint32_t epoch,
                                     const EpochResult& done);

// A trainer in that state. The epochs that it goes on with give the same bits as without the interruption, on every
// tier of the class and for any number of threads. kInvalidArgument if the context's kernels are of another class, or
// the checkpoint is none that SaveCheckpoint takes; kOutOfMemory.
template <typename T>
Result<Trainer<T>> ResumeTrainer(const Context& context, const Checkpoint<T>& checkpoint);

// A checkpoint is a model file (lanewise/model_file.h), and LoadModel takes it for one, with more in it: for each
// tensor a `momentum_buffer.` tensor of the same shape with the velocities (momentum_buffer.layers.0.weight ...), and
// metadata
//   lanewise.checkpoint       a JSON object of strings: loss, learning_rate, momentum, batch, seed, epoch, samples,
//                             loss_sum, correct, numeric_class (fma, mul-add or mixed), data_hash (16 hexadecimal
//                             digits); numbers that are not integers as C's %a prints them
//   lanewise.checkpoint_hash  16 hexadecimal digits: XXH3's 64 bits of everything else, so that no flipped bit is
//                             trained on
//
// Writes the file wholly or not at all. Equal states give equal bytes, on every tier of a class. Errors: SaveModel's;
// kInvalidArgument if options are out of range, the velocity is not one finite number per parameter, input scales
// differ, the numerics revision is not this library's, or `done` is no result of an epoch.
template <typename T>
Status SaveCheckpoint(const std::string& path, const Checkpoint<T>& checkpoint);

// Reads a checkpoint of a Trainer<T>; one of floats is not loaded as double. kBadFile, naming the file, the place and
// the rule, for anything that SaveCheckpoint does not write, and for another numerics revision, whose bits would
// differ; kIoError; kOutOfMemory. Memory in use is a small multiple of the file's size, whatever it says.
template <typename T>
Result<Checkpoint<T>> LoadCheckpoint(const std::string& path);

}  // namespace lanewise
