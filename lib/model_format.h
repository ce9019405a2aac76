// SPDX-License-Identifier: Apache-2.0
//
// What writing and reading model files and checkpoints must agree on (lanewise/model_file.h and lanewise/checkpoint.h
// describe them), and the parts of both. Knows no bytes.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lanewise/model_file.h"
#include "safetensors.h"

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
constexpr const char* kCheckpoint = "lanewise.checkpoint";
constexpr const char* kCheckpointHash = "lanewise.checkpoint_hash";

// What stands before a parameter's name in the name of its velocity: PyTorch's word for it.
constexpr const char* kMomentumBuffer = "momentum_buffer.";

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

// ---- Writing -----------------------------------------------------------------------------------------------------

// A number as C's %a prints it, "-0x1.8p-3"; not by printf, which takes the point from the locale.
std::string FormatHex(double x);

// Appends the tensors of a network's layers, with `prefix` before their names.
template <typename T>
void AppendTensors(const std::string& prefix, const Mlp<T>& network, std::vector<Tensor>& tensors);

// The file of a model, with SaveModel's errors but kIoError; `path` is for messages.
template <typename T>
Result<SafetensorsFile> ModelToFile(const std::string& path, const Model<T>& model);

// ---- Reading -----------------------------------------------------------------------------------------------------

// A file that was read, and what is wrong with it.
struct Source {
  const std::string& path;
  const SafetensorsFile& file;

  // The file as a whole.
  Status Bad(const std::string& rule) const;
  // Something at a place.
  Status Bad(std::uint64_t at, const std::string& rule) const;
  // A metadata string.
  Status BadMetadata(const char* key, const std::string& rule) const;
  // Null if there is none.
  const std::string* Metadata(const char* key) const;
};

// What FormatHex writes, or nothing.
std::optional<double> ParseHex(std::string_view text);

// The strings of a JSON object, of which there are at most `most`; the metadata `key` exists.
Result<std::map<std::string, std::string>> ReadObject(const Source& source, const char* key, std::size_t most);

// The model in a file, as LoadModel returns it. May throw std::bad_alloc.
template <typename T>
Result<Model<T>> ModelFromFile(const Source& source);

// The network that AppendTensors wrote, with all its values finite. May throw std::bad_alloc.
template <typename T>
Result<Mlp<T>> NetworkFromFile(const Source& source, const std::string& prefix,
                               const std::vector<Activation>& activations);

}  // namespace lanewise::internal
