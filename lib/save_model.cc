// SPDX-License-Identifier: Apache-2.0
//
// A model as a safetensors file, if it is one that LoadModel would take.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <new>
#include <utility>

#include "format.h"
#include "hash.h"
#include "lanewise/model_file.h"
#include "model_format.h"
#include "nlohmann/json.hpp"
#include "safetensors.h"

namespace lanewise {
namespace internal {

using nlohmann::json;

std::string FormatHex(double x) {
  char digits[32];  // 13 of them, and an exponent
  const auto end = std::to_chars(digits, std::end(digits), std::fabs(x), std::chars_format::hex).ptr;
  return Format("{}0x{}", std::signbit(x) ? "-" : "", std::string_view(digits, end));
}

namespace {

template <typename T>
std::string FormatNumbers(const std::vector<T>& values) {
  std::string text;
  for (const T x : values) {
    if (!text.empty()) text += ' ';
    text += FormatHex(static_cast<double>(x));
  }
  return text;
}

// A layer's weights as the file has them, [outputs, inputs].
template <typename T>
void AppendWeights(const Mlp<T>& network, std::size_t layer, std::vector<T>& values) {
  const MatrixView<const T> w = network.weights(layer).Transposed();
  values.reserve(values.size() + static_cast<std::size_t>(w.rows * w.cols));
  for (std::ptrdiff_t out = 0; out < w.rows; ++out) {
    for (std::ptrdiff_t in = 0; in < w.cols; ++in) values.push_back(w(out, in));
  }
}

}  // namespace

template <typename T>
void AppendTensors(const std::string& prefix, const Mlp<T>& network, std::vector<Tensor>& tensors) {
  std::size_t module = 0;
  for (std::size_t l = 0; l < network.layers().size(); ++l) {
    const LayerShape& layer = network.layers()[l];
    const std::string name = Format("{}layers.{}.", prefix, module);
    std::vector<T> values;
    AppendWeights(network, l, values);
    tensors.push_back({name + "weight", {layer.outputs, layer.inputs}, std::move(values)});
    const std::span<const T> bias = network.bias(l);
    tensors.push_back({name + "bias", {layer.outputs}, std::vector<T>(bias.begin(), bias.end())});
    module = NextModule(module, layer.activation);
  }
}

namespace {

template <typename T>
SafetensorsFile ToFile(const Model<T>& model) {
  SafetensorsFile file;
  AppendTensors("", model.network, file.tensors);
  std::vector<std::string_view> activations;
  for (const LayerShape& layer : model.network.layers()) activations.push_back(Name(layer.activation));
  file.metadata[kActivations] = Join(activations, ",");
  file.metadata[kInputScale] = FormatHex(model.input_scale);
  if (model.numerics_revision > 0) file.metadata[kRevision] = std::to_string(model.numerics_revision);
  if (!model.class_names.empty()) file.metadata[kClassNames] = json(model.class_names).dump();
  if (!model.recipe.empty()) file.metadata[kRecipe] = json(model.recipe).dump();
  if (model.golden) {
    file.metadata[kGoldenClass] = Name(model.golden->numeric_class);
    file.metadata[kGoldenInputs] = FormatNumbers(model.golden->inputs);
    file.metadata[kGoldenOutputs] = FormatNumbers(model.golden->outputs);
    file.metadata[kWeightsHash] = HashText(model.golden->weights_hash);
  }
  return file;
}

}  // namespace

template <typename T>
Result<SafetensorsFile> ModelToFile(const std::string& path, const Model<T>& model) {
  if (!model.class_names.empty() && model.class_names.size() != ClassNameCount(model.network.outputs())) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{} class names for {} outputs", model.class_names.size(), model.network.outputs()));
  }
  if (model.recipe.size() > kMostRecipeEntries) {
    return Status(StatusCode::kInvalidArgument,
                  Format("the recipe has {} entries; at most {} are allowed", model.recipe.size(), kMostRecipeEntries));
  }
  if (!std::isfinite(model.input_scale)) {
    return Status(StatusCode::kInvalidArgument, Format("the input scale {} is not finite", model.input_scale));
  }
  for (std::size_t l = 0; l < model.network.layers().size(); ++l) {
    if (!model.network.IsFinite(l)) {
      return Status(StatusCode::kInvalidArgument, Format("a parameter of layer {} is not finite", l));
    }
  }
  if (model.golden) {
    const Result<std::uint64_t> hash = WeightsHash(model.network);
    if (!hash.ok()) return hash.status();
    const auto finite = [](const std::vector<T>& values) {
      return std::ranges::all_of(values, [](T x) { return std::isfinite(x); });
    };
    if (model.numerics_revision < 1 || model.golden->numeric_class == NumericClass::kExact) {
      return Status(StatusCode::kInvalidArgument, "golden cases need a numerics revision and the class fma or mul-add");
    }
    if (*hash != model.golden->weights_hash || !CasesFit(*model.golden, model.network) ||
        !finite(model.golden->inputs) || !finite(model.golden->outputs)) {
      return Status(StatusCode::kInvalidArgument,
                    "the golden cases are not those of these parameters; AddGoldenCases makes new ones");
    }
  }
  try {
    return ToFile(model);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, Format("{}: no memory for the model", path));
  } catch (const json::exception&) {
    return Status(StatusCode::kInvalidArgument, "a class name or a recipe entry is not UTF-8");
  }
}

#define LANEWISE_INSTANTIATE(T)                                                         \
  template void AppendTensors(const std::string&, const Mlp<T>&, std::vector<Tensor>&); \
  template Result<SafetensorsFile> ModelToFile(const std::string&, const Model<T>&);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
#undef LANEWISE_INSTANTIATE

}  // namespace internal

template <typename T>
Result<std::uint64_t> WeightsHash(const Mlp<T>& network) {
  try {
    std::vector<T> values;
    values.reserve(network.parameters().size());
    for (std::size_t l = 0; l < network.layers().size(); ++l) {
      internal::AppendWeights(network, l, values);
      values.insert(values.end(), network.bias(l).begin(), network.bias(l).end());
    }
    return Hash(values.data(), values.size() * sizeof(T));
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "no memory to hash the weights");
  }
}

template <typename T>
Status SaveModel(const std::string& path, const Model<T>& model) {
  const Result<SafetensorsFile> file = internal::ModelToFile(path, model);
  return file.ok() ? WriteSafetensors(path, *file) : file.status();
}

template <typename T>
Result<std::string> ModelBytes(const Model<T>& model) {
  const std::string name = "the model";
  const Result<SafetensorsFile> file = internal::ModelToFile(name, model);
  if (!file.ok()) return file.status();
  return SafetensorsBytes(name, *file);
}

template Status SaveModel(const std::string&, const Model<float>&);
template Status SaveModel(const std::string&, const Model<double>&);
template Result<std::string> ModelBytes(const Model<float>&);
template Result<std::string> ModelBytes(const Model<double>&);
template Result<std::uint64_t> WeightsHash(const Mlp<float>&);
template Result<std::uint64_t> WeightsHash(const Mlp<double>&);

}  // namespace lanewise
