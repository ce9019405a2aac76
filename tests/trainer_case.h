// SPDX-License-Identifier: Apache-2.0
//
// Trainers and batches for the tests of training.

#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "doctest/doctest.h"
#include "lanewise/random.h"
#include "lanewise/trainer.h"
#include "network.h"

namespace lanewise::test {

template <typename T>
Trainer<T> MakeTrainer(const Mlp<T>& network, const TrainerOptions& options) {
  Result<Trainer<T>> trainer = Trainer<T>::Create(network, options);
  REQUIRE_MESSAGE(trainer.ok(), trainer.status().message());
  return *std::move(trainer);
}

// A batch for any loss: inputs, labels, and targets in [0, 1).
template <typename T>
struct Batch {
  Batch(std::ptrdiff_t rows_in, std::ptrdiff_t inputs_in, std::ptrdiff_t outputs_in, std::uint64_t seed)
      : rows(rows_in), inputs(inputs_in), outputs(outputs_in), x(RandomValues<T>(rows * inputs, seed)) {
    Random random(seed, Stream::kUser, 1);
    for (std::ptrdiff_t i = 0; i < rows; ++i) {
      labels.push_back(static_cast<std::int32_t>(random.Below(static_cast<std::uint64_t>(outputs))));
    }
    for (std::ptrdiff_t i = 0; i < rows * outputs; ++i) targets.push_back(static_cast<T>(random.UniformFloat()));
  }

  MatrixView<const T> X() const { return {x.data(), rows, inputs}; }
  MatrixView<const T> Targets() const { return {targets.data(), rows, outputs}; }

  Result<double> Step(Trainer<T>& trainer, Context& context) const {
    return trainer.options().loss == Loss::kSoftmaxCrossEntropy ? trainer.Step(context, X(), labels)
                                                                : trainer.Step(context, X(), Targets());
  }
  Result<std::span<const T>> Gradient(Trainer<T>& trainer, Context& context) const {
    return trainer.options().loss == Loss::kSoftmaxCrossEntropy ? trainer.Gradient(context, X(), labels)
                                                                : trainer.Gradient(context, X(), Targets());
  }

  std::ptrdiff_t rows, inputs, outputs;
  std::vector<T> x;
  std::vector<std::int32_t> labels;
  std::vector<T> targets;
};

}  // namespace lanewise::test
