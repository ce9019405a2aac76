// SPDX-License-Identifier: Apache-2.0
//
// What writing and reading a model file must agree on (lanewise/model_file.h describes it). Knows no bytes.

#pragma once

#include <cstddef>

#include "lanewise/model_file.h"

namespace lanewise::internal {

constexpr const char* kActivations = "lanewise.activations";
constexpr const char* kInputScale = "lanewise.input_scale";
constexpr const char* kClassNames = "lanewise.class_names";
constexpr const char* kRecipe = "lanewise.recipe";
constexpr const char* kRevision = "lanewise.numerics_revision";
constexpr const char* kGoldenClass = "lanewise.golden_class";
constexpr const char* kGoldenInputs = "lanewise.golden_inputs";
constexpr const char* kGoldenOutputs = "lanewise.golden_outputs";
constexpr const char* kWeightsHash = "lanewise.weights_hash";

// Entries of a recipe, at most: it is for people. Read, each may take 30 times its bytes.
constexpr std::size_t kMostRecipeEntries = 1000;

// The number of class names, if there are any: one per output; a single output tells two classes apart.
constexpr std::size_t ClassNameCount(std::ptrdiff_t outputs) {
  return outputs == 1 ? 2 : static_cast<std::size_t>(outputs);
}

// The number of nn.Sequential's module that holds the next layer's parameters.
constexpr std::size_t NextModule(std::size_t module, Activation activation) {
  return module + (activation == Activation::kIdentity ? 1 : 2);
}

// Cases of the network's sizes, at least one. More than a few would only be a way to keep `verify` busy.
constexpr std::size_t kMostGoldenCases = 64;
template <typename T>
bool CasesFit(const GoldenCases<T>& golden, const Mlp<T>& network) {
  const auto inputs = static_cast<std::size_t>(network.inputs());
  const auto outputs = static_cast<std::size_t>(network.outputs());
  const std::size_t cases = golden.inputs.size() / inputs;
  return cases > 0 && cases <= kMostGoldenCases && golden.inputs.size() == cases * inputs &&
         golden.outputs.size() / outputs == cases && golden.outputs.size() % outputs == 0;
}

}  // namespace lanewise::internal
