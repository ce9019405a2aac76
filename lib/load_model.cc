// SPDX-License-Identifier: Apache-2.0
//
// A model out of a safetensors file, where nothing is taken on trust.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <new>
#include <utility>

#include "file_io.h"
#include "format.h"
#include "hash.h"
#include "lanewise/model_file.h"
#include "model_format.h"
#include "nlohmann/json.hpp"
#include "safetensors.h"

namespace lanewise {
namespace internal {

using nlohmann::json;

Status Source::Bad(const std::string& rule) const { return Status(StatusCode::kBadFile, Format("{}: {}", path, rule)); }

Status Source::Bad(std::uint64_t at, const std::string& rule) const { return BadFile(path, at, rule); }

Status Source::BadMetadata(const char* key, const std::string& rule) const {
  return BadFile(path, file.metadata_at.at(key), Format("metadata {}: {}", key, rule));
}

const std::string* Source::Metadata(const char* key) const {
  const auto it = file.metadata.find(key);
  return it == file.metadata.end() ? nullptr : &it->second;
}

namespace {

Result<std::vector<Activation>> ParseActivations(const Source& source, std::string_view text) {
  std::vector<Activation> activations;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::optional<Activation> activation = ActivationFromName(text.substr(0, comma));
    if (!activation) {
      return source.BadMetadata(
          kActivations,
          Format("unknown activation {}; valid: identity relu leaky-relu sigmoid tanh softmax log-softmax",
                 Quote(text.substr(0, comma))));
    }
    activations.push_back(*activation);
    if (comma == text.size()) return activations;
    text.remove_prefix(comma + 1);
  }
}

// Calls insert(key, string) for each of the strings of an object or array, of which there are at most `most`.
template <typename Insert>
Status ReadStrings(const Source& source, const char* key, json::value_t type, std::size_t most, Insert insert) {
  // What nests and what is too many is dropped as it comes: parsed, it could take any amount of memory.
  bool nested = false;
  std::size_t count = 0;
  const auto watch = [&](int depth, json::parse_event_t event, const json&) {
    nested |= depth > 0 && (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start);
    count += event == json::parse_event_t::value ? 1 : 0;
    return !nested && count <= most;
  };
  const json value = json::parse(*source.Metadata(key), watch, false);
  if (count > most && !nested) return source.BadMetadata(key, Format("has {} strings; at most {} fit", count, most));
  const auto is_string = [](const json& item) { return item.is_string(); };
  if (nested || value.type() != type || !std::ranges::all_of(value, is_string)) {
    return source.BadMetadata(key,
                              Format("is not a JSON {} of strings", type == json::value_t::array ? "array" : "object"));
  }
  for (const auto& item : value.items()) insert(item.key(), item.value().template get<std::string>());
  return Status();
}

}  // namespace

Result<std::map<std::string, std::string>> ReadObject(const Source& source, const char* key, std::size_t most) {
  std::map<std::string, std::string> strings;
  const auto insert = [&](const std::string& name, std::string value) { strings[name] = std::move(value); };
  Status status = ReadStrings(source, key, json::value_t::object, most, insert);
  if (!status.ok()) return status;
  return strings;
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

namespace {

// Numbers of type Stored as FormatHex writes them, separated by single spaces, or false.
template <typename Stored, typename T>
bool ParseNumbers(std::string_view text, std::vector<T>& out) {
  while (true) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::optional<double> x = ParseHex(text.substr(0, space));
    if (!x || static_cast<double>(static_cast<Stored>(*x)) != *x) return false;
    out.push_back(static_cast<T>(*x));
    if (space == text.size()) return true;
    text.remove_prefix(space + 1);
  }
}

// Stored is the type of the tensors in the file, and so that of its cases.
template <typename Stored, typename T>
Status ReadGoldenCases(const Source& source, Model<T>& model) {
  constexpr const char* kKeys[] = {kGoldenClass, kGoldenInputs, kGoldenOutputs, kWeightsHash};
  const std::string* texts[std::size(kKeys)];
  std::ranges::transform(kKeys, texts, [&](const char* key) { return source.Metadata(key); });
  const auto* const missing = std::ranges::find(texts, nullptr);
  if (std::ranges::count(texts, nullptr) == std::ssize(texts)) return Status();
  if (missing != std::end(texts)) {
    return source.Bad(
        Format("metadata {} is missing; golden cases have {}", kKeys[missing - texts], Join(kKeys, ", ")));
  }
  if (model.numerics_revision == 0)
    return source.Bad(Format("metadata {} is missing; golden cases need it", kRevision));
  GoldenCases<T> golden;
  golden.numeric_class = *texts[0] == Name(NumericClass::kFma) ? NumericClass::kFma : NumericClass::kMulAdd;
  if (*texts[0] != Name(golden.numeric_class)) {
    return source.BadMetadata(kGoldenClass, Format("{} is neither fma nor mul-add", Quote(*texts[0])));
  }
  for (const auto& [index, values] : {std::pair(1, &golden.inputs), std::pair(2, &golden.outputs)}) {
    if (!ParseNumbers<Stored>(*texts[index], *values)) {
      return source.BadMetadata(kKeys[index], Format("is not a list of finite {} as C's %a prints them, separated "
                                                     "by spaces",
                                                     sizeof(Stored) == sizeof(float) ? "floats" : "doubles"));
    }
  }
  if (!CasesFit(golden, model.network)) {
    return source.BadMetadata(
        kGoldenInputs, Format("{} inputs and {} outputs are not 1 to {} cases of a network of {} inputs and {} outputs",
                              golden.inputs.size(), golden.outputs.size(), kMostGoldenCases, model.network.inputs(),
                              model.network.outputs()));
  }
  const std::optional<std::uint64_t> weights_hash = ParseHash(*texts[3]);
  if (!weights_hash) {
    return source.BadMetadata(kWeightsHash, Format("{} is not 16 hexadecimal digits", Quote(*texts[3])));
  }
  golden.weights_hash = *weights_hash;
  model.golden = std::move(golden);
  return Status();
}

template <typename T>
Status ReadMetadata(const Source& source, Model<T>& model) {
  if (const std::string* text = source.Metadata(kInputScale)) {
    const std::optional<double> scale = ParseHex(*text);
    if (!scale) {
      return source.BadMetadata(
          kInputScale, Format("{} is not a finite number as C's %a prints it, such as 0x1.8p-3", Quote(*text)));
    }
    model.input_scale = *scale;
  }
  if (source.Metadata(kClassNames) != nullptr) {
    const std::size_t names = ClassNameCount(model.network.outputs());
    const auto insert = [&](const std::string&, std::string value) { model.class_names.push_back(std::move(value)); };
    Status status = ReadStrings(source, kClassNames, json::value_t::array, names, insert);
    if (!status.ok()) return status;
    if (!model.class_names.empty() && model.class_names.size() != names) {
      return source.BadMetadata(
          kClassNames, Format("has {} names for {} outputs", model.class_names.size(), model.network.outputs()));
    }
  }
  model.numerics_revision = 0;
  if (const std::string* text = source.Metadata(kRevision)) {
    const char* end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, model.numerics_revision);
    if (parsed.ec != std::errc() || parsed.ptr != end || model.numerics_revision < 1) {
      return source.BadMetadata(kRevision, Format("{} is not a revision, a number from 1", Quote(*text)));
    }
  }
  if (source.Metadata(kRecipe) == nullptr) return Status();
  Result<std::map<std::string, std::string>> recipe = ReadObject(source, kRecipe, kMostRecipeEntries);
  if (!recipe.ok()) return recipe.status();
  model.recipe = *std::move(recipe);
  return Status();
}

// Element i as T; double to float is refused before.
template <typename T>
T Element(const Tensor& tensor, std::size_t i) {
  return std::visit([i](const auto& values) { return static_cast<T>(values[i]); }, tensor.values);
}

// The first element that is not finite.
template <typename T>
std::optional<std::size_t> NotFinite(const Tensor& tensor) {
  return std::visit(
      [](const auto& values) -> std::optional<std::size_t> {
        for (std::size_t i = 0; i < values.size(); ++i) {
          if (!std::isfinite(static_cast<T>(values[i]))) return i;
        }
        return std::nullopt;
      },
      tensor.values);
}

}  // namespace

template <typename T>
Result<Mlp<T>> NetworkFromFile(const Source& source, const std::string& prefix,
                               const std::vector<Activation>& activations) {
  std::map<std::string_view, const Tensor*> tensors;
  for (const Tensor& tensor : source.file.tensors) tensors[tensor.name] = &tensor;
  const auto find = [&tensors](const std::string& name) {
    const auto it = tensors.find(name);
    return it == tensors.end() ? nullptr : it->second;
  };

  std::vector<LayerShape> layers;
  std::vector<const Tensor*> weights;
  std::vector<const Tensor*> biases;
  std::size_t module = 0;
  for (const Activation activation : activations) {
    const std::string name = Format("{}layers.{}.", prefix, module);
    const Tensor* weight = find(name + "weight");
    const Tensor* bias = find(name + "bias");
    if (weight == nullptr || bias == nullptr) {
      return source.Bad(Format("tensor {}{} is missing; {} names {} layers", name,
                               weight == nullptr ? "weight" : "bias", kActivations, activations.size()));
    }
    if (weight->shape.size() != 2 || bias->shape.size() != 1 || bias->shape[0] != weight->shape[0]) {
      return source.Bad(weight->at, Format("{}weight must be [outputs, inputs] and {}bias [outputs]", name, name));
    }
    if (std::is_same_v<T, float> && (weight->values.index() != 0 || bias->values.index() != 0)) {
      return source.Bad(weight->at, Format("{}weight or bias is F64; this model must be loaded as double", name));
    }
    layers.push_back({weight->shape[1], weight->shape[0], activation});
    weights.push_back(weight);
    biases.push_back(bias);
    module = NextModule(module, activation);
  }
  Result<Mlp<T>> network = Mlp<T>::Create(layers);
  if (!network.ok()) {
    const bool no_memory = network.status().code() == StatusCode::kOutOfMemory;
    return no_memory ? network.status() : source.Bad(network.status().message());
  }
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const MatrixView<T> w = network->weights(l);
    for (std::ptrdiff_t out = 0; out < w.cols; ++out) {
      for (std::ptrdiff_t in = 0; in < w.rows; ++in) {
        w(in, out) = Element<T>(*weights[l], static_cast<std::size_t>(out * w.rows + in));
      }
      network->bias(l)[static_cast<std::size_t>(out)] = Element<T>(*biases[l], static_cast<std::size_t>(out));
    }
    for (const Tensor* tensor : {weights[l], biases[l]}) {
      const std::optional<std::size_t> place = NotFinite<T>(*tensor);
      if (!place) continue;
      const std::size_t bytes = std::visit([](const auto& values) { return sizeof(values[0]); }, tensor->values);
      return source.Bad(tensor->elements_at + *place * bytes,
                        Format("tensor {} holds a value that is not finite", Quote(tensor->name)));
    }
  }
  return network;
}

template <typename T>
Result<Model<T>> ModelFromFile(const Source& source) {
  const std::vector<Tensor>& tensors = source.file.tensors;
  const std::string* activations_text = source.Metadata(kActivations);
  if (activations_text == nullptr) {
    return source.Bad(
        Format("metadata {} is missing; add it, one name per layer, such as \"relu,softmax\"", kActivations));
  }
  const Result<std::vector<Activation>> activations = ParseActivations(source, *activations_text);
  if (!activations.ok()) return activations.status();
  Result<Mlp<T>> network = NetworkFromFile<T>(source, "", *activations);
  if (!network.ok()) return network.status();
  // A checkpoint has a velocity beside each parameter, which LoadCheckpoint looks at.
  const bool is_checkpoint = source.Metadata(kCheckpoint) != nullptr;
  const std::size_t layers = activations->size();
  if (tensors.size() != (is_checkpoint ? 4 : 2) * layers) {
    return source.Bad(Format("has {} tensors; {} layers have {}{}", tensors.size(), layers,
                             (is_checkpoint ? 4 : 2) * layers, is_checkpoint ? " in a checkpoint" : ""));
  }
  Model<T> model{.network = *std::move(network)};
  Status status = ReadMetadata(source, model);
  if (!status.ok()) return status;
  const bool floats = std::is_same_v<T, float> || std::ranges::any_of(tensors, [](const Tensor& tensor) {
                        return std::holds_alternative<std::vector<float>>(tensor.values);
                      });
  status = floats ? ReadGoldenCases<float>(source, model) : ReadGoldenCases<double>(source, model);
  if (!status.ok()) return status;
  // What floats gave says nothing about the same network in double.
  if (floats && !std::is_same_v<T, float>) model.golden.reset();
  return model;
}

#define LANEWISE_INSTANTIATE(T)                                                                               \
  template Result<Mlp<T>> NetworkFromFile(const Source&, const std::string&, const std::vector<Activation>&); \
  template Result<Model<T>> ModelFromFile(const Source&);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
#undef LANEWISE_INSTANTIATE

}  // namespace internal

template <typename T>
Result<Model<T>> LoadModel(const std::string& path) {
  const Result<SafetensorsFile> file = ReadSafetensors(path);
  if (!file.ok()) return file.status();
  try {
    return internal::ModelFromFile<T>({path, *file});
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, Format("{}: no memory for the model", path));
  }
}

template Result<Model<float>> LoadModel(const std::string&);
template Result<Model<double>> LoadModel(const std::string&);

}  // namespace lanewise
