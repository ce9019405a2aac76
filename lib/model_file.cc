// SPDX-License-Identifier: Apache-2.0
//
// The meaning of a model's safetensors file: tensor names and metadata.

#include "lanewise/model_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <new>
#include <utility>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "safetensors.h"

namespace lanewise {

namespace {

using nlohmann::json;

constexpr const char* kActivations = "lanewise.activations";
constexpr const char* kInputScale = "lanewise.input_scale";
constexpr const char* kClassNames = "lanewise.class_names";
constexpr const char* kRecipe = "lanewise.recipe";
constexpr const char* kRevision = "lanewise.numerics_revision";

Status Bad(const std::string& path, const std::string& rule) {
  return Status(StatusCode::kBadFile, fmt::format("{}: {}", path, rule));
}

// One name per output; a single output tells two classes apart.
bool NamesFit(std::size_t names, std::ptrdiff_t outputs) {
  return names == 0 || static_cast<std::ptrdiff_t>(names) == (outputs == 1 ? 2 : outputs);
}

// The number of nn.Sequential's module that holds the next layer's parameters.
std::size_t NextModule(std::size_t module, Activation activation) {
  return module + (activation == Activation::kIdentity ? 1 : 2);
}

Result<std::vector<Activation>> ParseActivations(const std::string& path, std::string_view text) {
  std::vector<Activation> activations;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::optional<Activation> activation = ActivationFromName(text.substr(0, comma));
    if (!activation) {
      return Bad(path, fmt::format("metadata {}: unknown activation {}; valid: identity relu sigmoid tanh softmax "
                                   "log-softmax",
                                   kActivations, Quote(text.substr(0, comma))));
    }
    activations.push_back(*activation);
    if (comma == text.size()) return activations;
    text.remove_prefix(comma + 1);
  }
}

// Strings of an object or array, or false.
template <typename Container, typename Insert>
bool ReadStrings(const std::string& text, json::value_t type, Container& out, Insert insert) {
  // Nested values are refused as they come: parsed, a long enough run of brackets would take any amount of memory.
  bool nested = false;
  const auto watch = [&nested](int depth, json::parse_event_t event, const json&) {
    nested |= depth > 0 && (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start);
    return !nested;
  };
  const json value = json::parse(text, watch, false);
  if (nested || value.type() != type) return false;
  for (const auto& item : value.items()) {
    if (!item.value().is_string()) return false;
    insert(out, item.key(), item.value().template get<std::string>());
  }
  return true;
}

// A number as C's %a prints it, "-0x1.8p-3"; not by printf, which takes the point from the locale.
std::string FormatHex(double x) {
  char digits[32];  // 13 of them, and an exponent
  const auto end = std::to_chars(digits, std::end(digits), std::fabs(x), std::chars_format::hex).ptr;
  return fmt::format("{}0x{}", std::signbit(x) ? "-" : "", std::string_view(digits, end));
}

std::optional<double> ParseHex(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (!text.starts_with("0x")) return std::nullopt;
  text.remove_prefix(2);
  if (text.starts_with('-')) return std::nullopt;  // from_chars would take it
  double x = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), x, std::chars_format::hex);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || !std::isfinite(x)) return std::nullopt;
  return negative ? -x : x;
}

template <typename T>
Status ReadMetadata(const std::string& path, const std::map<std::string, std::string>& metadata, Model<T>& model) {
  if (const auto it = metadata.find(kInputScale); it != metadata.end()) {
    const std::optional<double> scale = ParseHex(it->second);
    if (!scale) {
      return Bad(path, fmt::format("metadata {}: {} is not a finite number as C's %a prints it, such as 0x1.8p-3",
                                   kInputScale, Quote(it->second)));
    }
    model.input_scale = *scale;
  }
  if (const auto it = metadata.find(kClassNames); it != metadata.end()) {
    const auto insert = [](auto& out, const std::string&, const std::string& value) { out.push_back(value); };
    if (!ReadStrings(it->second, json::value_t::array, model.class_names, insert)) {
      return Bad(path, fmt::format("metadata {}: is not a JSON array of strings", kClassNames));
    }
    if (!NamesFit(model.class_names.size(), model.network.outputs())) {
      return Bad(path, fmt::format("metadata {}: has {} names for {} outputs", kClassNames, model.class_names.size(),
                                   model.network.outputs()));
    }
  }
  model.numerics_revision = 0;
  if (const auto it = metadata.find(kRevision); it != metadata.end()) {
    const char* end = it->second.data() + it->second.size();
    const auto parsed = std::from_chars(it->second.data(), end, model.numerics_revision);
    if (parsed.ec != std::errc() || parsed.ptr != end || model.numerics_revision < 1) {
      return Bad(path, fmt::format("metadata {}: {} is not a revision, a number from 1", kRevision, Quote(it->second)));
    }
  }
  if (const auto it = metadata.find(kRecipe); it != metadata.end()) {
    const auto insert = [](auto& out, const std::string& key, const std::string& value) { out[key] = value; };
    if (!ReadStrings(it->second, json::value_t::object, model.recipe, insert)) {
      return Bad(path, fmt::format("metadata {}: is not a JSON object of strings", kRecipe));
    }
  }
  return Status();
}

// Element i as T; double to float is refused before.
template <typename T>
T Element(const Tensor& tensor, std::size_t i) {
  return std::visit([i](const auto& values) { return static_cast<T>(values[i]); }, tensor.values);
}

template <typename T>
Result<Model<T>> FromFile(const std::string& path, const SafetensorsFile& file) {
  const auto activations_text = file.metadata.find(kActivations);
  if (activations_text == file.metadata.end()) {
    return Bad(path, fmt::format("metadata {} is missing; add it, one name per layer, such as \"relu,softmax\"",
                                 kActivations));
  }
  const Result<std::vector<Activation>> activations = ParseActivations(path, activations_text->second);
  if (!activations.ok()) return activations.status();

  std::map<std::string_view, const Tensor*> tensors;
  for (const Tensor& tensor : file.tensors) tensors[tensor.name] = &tensor;
  const auto find = [&tensors](const std::string& name) {
    const auto it = tensors.find(name);
    return it == tensors.end() ? nullptr : it->second;
  };

  std::vector<LayerShape> layers;
  std::vector<const Tensor*> weights;
  std::vector<const Tensor*> biases;
  std::size_t module = 0;
  for (const Activation activation : *activations) {
    const std::string prefix = fmt::format("layers.{}.", module);
    const Tensor* weight = find(prefix + "weight");
    const Tensor* bias = find(prefix + "bias");
    if (weight == nullptr || bias == nullptr) {
      return Bad(path, fmt::format("tensor {}{} is missing; {} names {} layers", prefix,
                                   weight == nullptr ? "weight" : "bias", kActivations, activations->size()));
    }
    if (weight->shape.size() != 2 || bias->shape.size() != 1 || bias->shape[0] != weight->shape[0]) {
      return Bad(path, fmt::format("{}weight must be [outputs, inputs] and {}bias [outputs]", prefix, prefix));
    }
    if (std::is_same_v<T, float> && (weight->values.index() != 0 || bias->values.index() != 0)) {
      return Bad(path, fmt::format("{}weight or bias is F64; this model must be loaded as double", prefix));
    }
    layers.push_back({weight->shape[1], weight->shape[0], activation});
    weights.push_back(weight);
    biases.push_back(bias);
    module = NextModule(module, activation);
  }
  if (file.tensors.size() != 2 * layers.size()) {
    return Bad(path,
               fmt::format("has {} tensors; {} layers have {}", file.tensors.size(), layers.size(), 2 * layers.size()));
  }
  Result<Mlp<T>> network = Mlp<T>::Create(layers);
  if (!network.ok()) {
    const bool no_memory = network.status().code() == StatusCode::kOutOfMemory;
    return no_memory ? network.status() : Bad(path, network.status().message());
  }
  Model<T> model{.network = *std::move(network)};
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const MatrixView<T> w = model.network.weights(l);
    for (std::ptrdiff_t out = 0; out < w.cols; ++out) {
      for (std::ptrdiff_t in = 0; in < w.rows; ++in) {
        w(in, out) = Element<T>(*weights[l], static_cast<std::size_t>(out * w.rows + in));
      }
      model.network.bias(l)[static_cast<std::size_t>(out)] = Element<T>(*biases[l], static_cast<std::size_t>(out));
    }
    if (!model.network.IsFinite(l)) {
      return Bad(path, fmt::format("tensor {} or {} holds a value that is not finite", Quote(weights[l]->name),
                                   Quote(biases[l]->name)));
    }
  }
  Status status = ReadMetadata(path, file.metadata, model);
  if (!status.ok()) return status;
  return model;
}

template <typename T>
SafetensorsFile ToFile(const Model<T>& model) {
  SafetensorsFile file;
  std::string activations;
  std::size_t module = 0;
  for (std::size_t l = 0; l < model.network.layers().size(); ++l) {
    const LayerShape& layer = model.network.layers()[l];
    activations += fmt::format("{}{}", l == 0 ? "" : ",", Name(layer.activation));
    const MatrixView<const T> w = model.network.weights(l).Transposed();
    std::vector<T> values;
    values.reserve(static_cast<std::size_t>(w.rows * w.cols));
    for (std::ptrdiff_t out = 0; out < w.rows; ++out) {
      for (std::ptrdiff_t in = 0; in < w.cols; ++in) values.push_back(w(out, in));
    }
    file.tensors.push_back({fmt::format("layers.{}.weight", module), {w.rows, w.cols}, std::move(values)});
    const std::span<const T> bias = model.network.bias(l);
    file.tensors.push_back({fmt::format("layers.{}.bias", module), {w.rows}, std::vector<T>(bias.begin(), bias.end())});
    module = NextModule(module, layer.activation);
  }
  file.metadata[kActivations] = activations;
  file.metadata[kInputScale] = FormatHex(model.input_scale);
  if (model.numerics_revision > 0) file.metadata[kRevision] = std::to_string(model.numerics_revision);
  if (!model.class_names.empty()) file.metadata[kClassNames] = json(model.class_names).dump();
  if (!model.recipe.empty()) file.metadata[kRecipe] = json(model.recipe).dump();
  return file;
}

Status NoMemory(const std::string& path) {
  return Status(StatusCode::kOutOfMemory, fmt::format("{}: no memory for the model", path));
}

}  // namespace

template <typename T>
Status SaveModel(const std::string& path, const Model<T>& model) {
  if (!NamesFit(model.class_names.size(), model.network.outputs())) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("{} class names for {} outputs", model.class_names.size(), model.network.outputs()));
  }
  if (!std::isfinite(model.input_scale)) {
    return Status(StatusCode::kInvalidArgument, fmt::format("the input scale {} is not finite", model.input_scale));
  }
  for (std::size_t l = 0; l < model.network.layers().size(); ++l) {
    if (!model.network.IsFinite(l)) {
      return Status(StatusCode::kInvalidArgument, fmt::format("a parameter of layer {} is not finite", l));
    }
  }
  try {
    return WriteSafetensors(path, ToFile(model));
  } catch (const std::bad_alloc&) {
    return NoMemory(path);
  } catch (const json::exception&) {
    return Status(StatusCode::kInvalidArgument, "a class name or a recipe entry is not UTF-8");
  }
}

template <typename T>
Result<Model<T>> LoadModel(const std::string& path) {
  const Result<SafetensorsFile> file = ReadSafetensors(path);
  if (!file.ok()) return file.status();
  try {
    return FromFile<T>(path, *file);
  } catch (const std::bad_alloc&) {
    return NoMemory(path);
  }
}

template Status SaveModel(const std::string&, const Model<float>&);
template Status SaveModel(const std::string&, const Model<double>&);
template Result<Model<float>> LoadModel(const std::string&);
template Result<Model<double>> LoadModel(const std::string&);

}  // namespace lanewise
