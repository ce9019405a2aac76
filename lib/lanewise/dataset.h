// SPDX-License-Identifier: Apache-2.0
//
// Dataset: samples to train or evaluate on, as plain data. Where they come from (IDX, CSV, generated digits) is
// lanewise/data/'s business; you can fill one yourself just as well.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lanewise/status.h"

namespace lanewise {

// Which part of a data set that comes in two: the one to train on, or the one that training never sees.
enum class Split : std::uint8_t { kTrain, kTest };

// A plain value; immutable use may be shared between threads.
struct Dataset {
  std::ptrdiff_t samples = 0;
  std::ptrdiff_t features = 0;

  // The inputs, samples x features, row-major. Exactly one of the two is filled: images stay bytes (0..255), anything
  // else is finite floats.
  std::vector<std::uint8_t> bytes = {};
  std::vector<float> values = {};

  // Classification: one class per sample, 0 <= label < classes; empty (and classes 0) where there are none.
  std::vector<std::int32_t> labels = {};
  std::int32_t classes = 0;
  std::vector<std::string> class_names = {};  // one per class, or empty

  // Regression: samples x target_count, row-major, finite; empty (and target_count 0) where there are none.
  std::vector<float> targets = {};
  std::ptrdiff_t target_count = 0;

  // rows x cols = features where a sample is an image, else both 0.
  std::ptrdiff_t image_rows = 0;
  std::ptrdiff_t image_cols = 0;
};

// Everything stated above, and at least one sample and one feature. The message names the first rule that is broken
// (kInvalidArgument). What Lanewise's readers return is valid; call it on what you filled yourself.
Status Validate(const Dataset& data);

// XXH3's 64 bits of the samples, for whoever must know whether two data sets hold the same: of the inputs, labels and
// targets, their numbers and that of the classes. Names and the sizes of images take no part.
std::uint64_t DatasetHash(const Dataset& data);

struct TrainValidation {
  Dataset train;
  Dataset validation;
};

// Sets floor(fraction * samples) samples, drawn without replacement by the seed (Stream::kSplit), aside for validation.
// Both parts keep the samples in their order. `data` must be valid. kInvalidArgument unless
// 0 < fraction < 1 and both parts get a sample; kOutOfMemory.
Result<TrainValidation> SplitDataset(const Dataset& data, double fraction, std::uint64_t seed);

}  // namespace lanewise
