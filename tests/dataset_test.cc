// SPDX-License-Identifier: Apache-2.0
//
// The rules of a Dataset, and splitting one.

#include "lanewise/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "doctest/doctest.h"

namespace lanewise {
namespace {

Dataset Images() {
  Dataset data;
  data.samples = 3;
  data.features = 4;
  data.bytes = {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23};
  data.labels = {1, 0, 1};
  data.classes = 2;
  data.class_names = {"no", "yes"};
  data.image_rows = 2;
  data.image_cols = 2;
  return data;
}

Dataset Regression(std::ptrdiff_t samples) {
  Dataset data;
  data.samples = samples;
  data.features = 2;
  data.target_count = 1;
  for (std::ptrdiff_t i = 0; i < samples; ++i) {
    data.values.insert(data.values.end(), {static_cast<float>(i), static_cast<float>(-i)});
    data.targets.push_back(static_cast<float>(i));
  }
  return data;
}

TEST_CASE("valid data sets") {
  CHECK(Validate(Images()).ok());
  CHECK(Validate(Regression(5)).ok());
  Dataset inputs_only = Images();
  inputs_only.labels.clear();
  inputs_only.classes = 0;
  inputs_only.class_names.clear();
  CHECK(Validate(inputs_only).ok());
}

TEST_CASE("each rule is checked") {
  const auto refuse = [](Dataset data, void (*change)(Dataset&), std::string_view part) {
    change(data);
    const Status status = Validate(data);
    INFO(status.message());
    CHECK(status.code() == StatusCode::kInvalidArgument);
    CHECK(status.message().starts_with("data set: "));
    CHECK(status.message().find(part) != std::string::npos);
  };
  refuse(
      Images(), [](Dataset& d) { d.samples = 0; }, "0 samples of 4 features");
  refuse(
      Images(), [](Dataset& d) { d.samples = -3; }, "-3 samples");
  refuse(
      Images(), [](Dataset& d) { d.features = 0; }, "of 0 features");
  refuse(
      Images(), [](Dataset& d) { d.bytes.clear(); }, "exactly one");
  refuse(
      Images(), [](Dataset& d) { d.values.resize(12); }, "exactly one");
  refuse(
      Images(), [](Dataset& d) { d.bytes.pop_back(); }, "11 inputs for 3 samples");
  refuse(
      Images(), [](Dataset& d) { d.features = std::numeric_limits<std::ptrdiff_t>::max(); }, "12 inputs for");
  refuse(
      Images(), [](Dataset& d) { d.labels.pop_back(); }, "2 labels for 3 samples");
  refuse(
      Images(), [](Dataset& d) { d.labels.clear(); }, "2 classes with 0 labels");
  refuse(
      Images(), [](Dataset& d) { d.classes = 0; }, "0 classes with 3 labels");
  refuse(
      Images(), [](Dataset& d) { d.labels[1] = -1; }, "label -1 of sample 1");
  refuse(
      Images(), [](Dataset& d) { d.labels[2] = 2; }, "label 2 of sample 2");
  refuse(
      Images(), [](Dataset& d) { d.class_names.pop_back(); }, "1 class names for 2 classes");
  refuse(
      Images(), [](Dataset& d) { d.image_cols = 3; }, "images of 2 x 3 with 4 features");
  refuse(
      Images(), [](Dataset& d) { d.image_rows = 0; }, "images of 0 x 2");
  refuse(
      Images(), [](Dataset& d) { d.image_rows = d.image_cols = -2; }, "images of -2 x -2");
  refuse(
      Regression(3), [](Dataset& d) { d.values[3] = NAN; }, "feature 1 of sample 1 is not finite");
  refuse(
      Regression(3), [](Dataset& d) { d.targets[2] = -HUGE_VALF; }, "target 0 of sample 2 is not finite");
  refuse(
      Regression(3), [](Dataset& d) { d.targets.pop_back(); }, "2 targets for 3 samples");
  refuse(
      Regression(3), [](Dataset& d) { d.target_count = -1; }, "of -1 targets");
}

TEST_CASE("a split deals every sample to one part, in order, the same for the same seed") {
  const Dataset data = Regression(1000);
  const Result<TrainValidation> split = SplitDataset(data, 0.25, 7);
  REQUIRE(split.ok());
  CHECK(split->train.samples == 750);
  CHECK(split->validation.samples == 250);
  CHECK(Validate(split->train).ok());
  CHECK(Validate(split->validation).ok());
  CHECK(std::is_sorted(split->train.targets.begin(), split->train.targets.end()));
  CHECK(std::is_sorted(split->validation.targets.begin(), split->validation.targets.end()));
  std::vector<float> all = split->train.targets;
  all.insert(all.end(), split->validation.targets.begin(), split->validation.targets.end());
  std::sort(all.begin(), all.end());
  CHECK(all == data.targets);
  for (std::size_t i = 0; i < 250; ++i) {  // rows stay whole
    CHECK(split->validation.values[2 * i] == split->validation.targets[i]);
    CHECK(split->validation.values[2 * i + 1] == -split->validation.targets[i]);
  }
  // Drawn from everywhere, not cut off at an end.
  CHECK(split->validation.targets.front() < 100);
  CHECK(split->validation.targets.back() > 900);

  CHECK(SplitDataset(data, 0.25, 7)->validation.targets == split->validation.targets);
  CHECK(SplitDataset(data, 0.25, 8)->validation.targets != split->validation.targets);
}

TEST_CASE("a split keeps everything that a data set has") {
  const Result<TrainValidation> split = SplitDataset(Images(), 0.5, 1);
  REQUIRE(split.ok());
  CHECK(split->validation.samples == 1);
  for (const Dataset& part : {split->train, split->validation}) {
    CHECK(Validate(part).ok());
    CHECK(part.class_names == Images().class_names);
    CHECK(part.classes == 2);
    CHECK(part.image_rows == 2);
    for (std::ptrdiff_t i = 0; i < part.samples; ++i) {
      const std::size_t from = part.bytes[static_cast<std::size_t>(i * 4)] / 10;
      CHECK(part.labels[static_cast<std::size_t>(i)] == Images().labels[from]);
      CHECK(part.bytes[static_cast<std::size_t>(i * 4 + 3)] == 10 * from + 3);
    }
  }
}

TEST_CASE("the hash of a data set is that of its samples") {
  const std::uint64_t hash = DatasetHash(Images());
  Dataset data = Images();
  data.class_names.clear();
  data.image_rows = data.image_cols = 0;
  CHECK(DatasetHash(data) == hash);
  data.bytes[0] ^= 1;
  CHECK(DatasetHash(data) != hash);
  data = Images();
  ++data.classes;
  CHECK(DatasetHash(data) != hash);
  data = Images();
  std::swap(data.samples, data.features);
  CHECK(DatasetHash(data) != hash);
  data = Images();
  data.labels[0] ^= 1;
  CHECK(DatasetHash(data) != hash);
  data = Regression(10);
  data.targets[3] += 1;
  CHECK(DatasetHash(data) != DatasetHash(Regression(10)));
}

TEST_CASE("splits that make no sense") {
  for (const double fraction : {0.0, 1.0, -0.5, 2.0, std::nan("")}) {
    CHECK(SplitDataset(Regression(10), fraction, 1).status().code() == StatusCode::kInvalidArgument);
  }
  const Result<TrainValidation> none = SplitDataset(Regression(10), 0.05, 1);
  REQUIRE(!none.ok());
  CHECK(none.status().message().find("0.05 of 10 samples") != std::string::npos);
  CHECK(!SplitDataset(Regression(1), 0.9, 1).ok());
}

}  // namespace
}  // namespace lanewise
