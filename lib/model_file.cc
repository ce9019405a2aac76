// SPDX-License-Identifier: Apache-2.0
//
// The meaning of a model's safetensors file: tensor names and metadata.

#include "lanewise/model_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <new>
#include <utility>

#include "file_io.h"
#include "fmt/format.h"
#include "hash.h"
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
constexpr const char* kGoldenClass = "lanewise.golden_class";
constexpr const char* kGoldenInputs = "lanewise.golden_inputs";
constexpr const char* kGoldenOutputs = "lanewise.golden_outputs";
constexpr const char* kWeightsHash = "lanewise.weights_hash";

// A file that was read, and what is wrong with it.
struct Source {
  const std::string& path;
  const SafetensorsFile& file;

  // The file as a whole.
  Status Bad(const std::string& rule) const { return Status(StatusCode::kBadFile, fmt::format("{}: {}", path, rule)); }
  // Something at a place.
  Status Bad(std::uint64_t at, const std::string& rule) const { return BadFile(path, at, rule); }
  // A metadata string.
  Status BadMetadata(const char* key, const std::string& rule) const {
    return BadFile(path, file.metadata_at.at(key), fmt::format("metadata {}: {}", key, rule));
  }
  // Null if there is none.
  const std::string* Metadata(const char* key) const {
    const auto it = file.metadata.find(key);
    return it == file.metadata.end() ? nullptr : &it->second;
  }
};

// One name per output; a single output tells two classes apart.
bool NamesFit(std::size_t names, std::ptrdiff_t outputs) {
  return names == 0 || static_cast<std::ptrdiff_t>(names) == (outputs == 1 ? 2 : outputs);
}

// The number of nn.Sequential's module that holds the next layer's parameters.
std::size_t NextModule(std::size_t module, Activation activation) {
  return module + (activation == Activation::kIdentity ? 1 : 2);
}

Result<std::vector<Activation>> ParseActivations(const Source& source, std::string_view text) {
  std::vector<Activation> activations;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::optional<Activation> activation = ActivationFromName(text.substr(0, comma));
    if (!activation) {
      return source.BadMetadata(
          kActivations, fmt::format("unknown activation {}; valid: identity relu sigmoid tanh softmax log-softmax",
                                    Quote(text.substr(0, comma))));
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

template <typename T>
std::string FormatNumbers(const std::vector<T>& values) {
  std::string text;
  for (const T x : values) text += (text.empty() ? "" : " ") + FormatHex(static_cast<double>(x));
  return text;
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
        fmt::format("metadata {} is missing; golden cases have {}", kKeys[missing - texts], fmt::join(kKeys, ", ")));
  }
  if (model.numerics_revision == 0)
    return source.Bad(fmt::format("metadata {} is missing; golden cases need it", kRevision));
  GoldenCases<T> golden;
  golden.numeric_class = *texts[0] == Name(NumericClass::kFma) ? NumericClass::kFma : NumericClass::kMulAdd;
  if (*texts[0] != Name(golden.numeric_class)) {
    return source.BadMetadata(kGoldenClass, fmt::format("{} is neither fma nor mul-add", Quote(*texts[0])));
  }
  for (const auto& [index, values] : {std::pair(1, &golden.inputs), std::pair(2, &golden.outputs)}) {
    if (!ParseNumbers<Stored>(*texts[index], *values)) {
      return source.BadMetadata(kKeys[index], fmt::format("is not a list of finite {} as C's %a prints them, separated "
                                                          "by spaces",
                                                          sizeof(Stored) == sizeof(float) ? "floats" : "doubles"));
    }
  }
  if (!CasesFit(golden, model.network)) {
    return source.BadMetadata(
        kGoldenInputs,
        fmt::format("{} inputs and {} outputs are not 1 to {} cases of a network of {} inputs and {} outputs",
                    golden.inputs.size(), golden.outputs.size(), kMostGoldenCases, model.network.inputs(),
                    model.network.outputs()));
  }
  const std::string& hash = *texts[3];
  const auto parsed = std::from_chars(hash.data(), hash.data() + hash.size(), golden.weights_hash, 16);
  if (parsed.ec != std::errc() || HashText(golden.weights_hash) != hash) {
    return source.BadMetadata(kWeightsHash, fmt::format("{} is not 16 hexadecimal digits", Quote(hash)));
  }
  model.golden = std::move(golden);
  return Status();
}

template <typename T>
Status ReadMetadata(const Source& source, Model<T>& model) {
  if (const std::string* text = source.Metadata(kInputScale)) {
    const std::optional<double> scale = ParseHex(*text);
    if (!scale) {
      return source.BadMetadata(
          kInputScale, fmt::format("{} is not a finite number as C's %a prints it, such as 0x1.8p-3", Quote(*text)));
    }
    model.input_scale = *scale;
  }
  if (const std::string* text = source.Metadata(kClassNames)) {
    const auto insert = [](auto& out, const std::string&, const std::string& value) { out.push_back(value); };
    if (!ReadStrings(*text, json::value_t::array, model.class_names, insert)) {
      return source.BadMetadata(kClassNames, "is not a JSON array of strings");
    }
    if (!NamesFit(model.class_names.size(), model.network.outputs())) {
      return source.BadMetadata(
          kClassNames, fmt::format("has {} names for {} outputs", model.class_names.size(), model.network.outputs()));
    }
  }
  model.numerics_revision = 0;
  if (const std::string* text = source.Metadata(kRevision)) {
    const char* end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, model.numerics_revision);
    if (parsed.ec != std::errc() || parsed.ptr != end || model.numerics_revision < 1) {
      return source.BadMetadata(kRevision, fmt::format("{} is not a revision, a number from 1", Quote(*text)));
    }
  }
  if (const std::string* text = source.Metadata(kRecipe)) {
    const auto insert = [](auto& out, const std::string& key, const std::string& value) { out[key] = value; };
    if (!ReadStrings(*text, json::value_t::object, model.recipe, insert)) {
      return source.BadMetadata(kRecipe, "is not a JSON object of strings");
    }
  }
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

template <typename T>
Result<Model<T>> FromFile(const Source& source) {
  const SafetensorsFile& file = source.file;
  const std::string* activations_text = source.Metadata(kActivations);
  if (activations_text == nullptr) {
    return source.Bad(
        fmt::format("metadata {} is missing; add it, one name per layer, such as \"relu,softmax\"", kActivations));
  }
  const Result<std::vector<Activation>> activations = ParseActivations(source, *activations_text);
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
      return source.Bad(fmt::format("tensor {}{} is missing; {} names {} layers", prefix,
                                    weight == nullptr ? "weight" : "bias", kActivations, activations->size()));
    }
    if (weight->shape.size() != 2 || bias->shape.size() != 1 || bias->shape[0] != weight->shape[0]) {
      return source.Bad(weight->at,
                        fmt::format("{}weight must be [outputs, inputs] and {}bias [outputs]", prefix, prefix));
    }
    if (std::is_same_v<T, float> && (weight->values.index() != 0 || bias->values.index() != 0)) {
      return source.Bad(weight->at,
                        fmt::format("{}weight or bias is F64; this model must be loaded as double", prefix));
    }
    layers.push_back({weight->shape[1], weight->shape[0], activation});
    weights.push_back(weight);
    biases.push_back(bias);
    module = NextModule(module, activation);
  }
  if (file.tensors.size() != 2 * layers.size()) {
    return source.Bad(
        fmt::format("has {} tensors; {} layers have {}", file.tensors.size(), layers.size(), 2 * layers.size()));
  }
  Result<Mlp<T>> network = Mlp<T>::Create(layers);
  if (!network.ok()) {
    const bool no_memory = network.status().code() == StatusCode::kOutOfMemory;
    return no_memory ? network.status() : source.Bad(network.status().message());
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
    for (const Tensor* tensor : {weights[l], biases[l]}) {
      const std::optional<std::size_t> place = NotFinite<T>(*tensor);
      if (!place) continue;
      const std::size_t bytes = std::visit([](const auto& values) { return sizeof(values[0]); }, tensor->values);
      return source.Bad(tensor->elements_at + *place * bytes,
                        fmt::format("tensor {} holds a value that is not finite", Quote(tensor->name)));
    }
  }
  Status status = ReadMetadata(source, model);
  if (!status.ok()) return status;
  const bool floats = std::is_same_v<T, float> || std::ranges::any_of(file.tensors, [](const Tensor& tensor) {
                        return std::holds_alternative<std::vector<float>>(tensor.values);
                      });
  status = floats ? ReadGoldenCases<float>(source, model) : ReadGoldenCases<double>(source, model);
  if (!status.ok()) return status;
  // What floats gave says nothing about the same network in double.
  if (floats && !std::is_same_v<T, float>) model.golden.reset();
  return model;
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

template <typename T>
SafetensorsFile ToFile(const Model<T>& model) {
  SafetensorsFile file;
  std::string activations;
  std::size_t module = 0;
  for (std::size_t l = 0; l < model.network.layers().size(); ++l) {
    const LayerShape& layer = model.network.layers()[l];
    activations += fmt::format("{}{}", l == 0 ? "" : ",", Name(layer.activation));
    std::vector<T> values;
    AppendWeights(model.network, l, values);
    file.tensors.push_back({fmt::format("layers.{}.weight", module), {layer.outputs, layer.inputs}, std::move(values)});
    const std::span<const T> bias = model.network.bias(l);
    file.tensors.push_back(
        {fmt::format("layers.{}.bias", module), {layer.outputs}, std::vector<T>(bias.begin(), bias.end())});
    module = NextModule(module, layer.activation);
  }
  file.metadata[kActivations] = activations;
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

Status NoMemory(const std::string& path) {
  return Status(StatusCode::kOutOfMemory, fmt::format("{}: no memory for the model", path));
}

// Calls save(contents) if the model is one that LoadModel would take.
template <typename T, typename Save>
Status CheckAndSave(const std::string& path, const Model<T>& model, const Save& save) {
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
    return save(ToFile(model));
  } catch (const std::bad_alloc&) {
    return NoMemory(path);
  } catch (const json::exception&) {
    return Status(StatusCode::kInvalidArgument, "a class name or a recipe entry is not UTF-8");
  }
}

}  // namespace

template <typename T>
Result<std::uint64_t> WeightsHash(const Mlp<T>& network) {
  try {
    std::vector<T> values;
    values.reserve(network.parameters().size());
    for (std::size_t l = 0; l < network.layers().size(); ++l) {
      AppendWeights(network, l, values);
      values.insert(values.end(), network.bias(l).begin(), network.bias(l).end());
    }
    return Hash(values.data(), values.size() * sizeof(T));
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "no memory to hash the weights");
  }
}

template <typename T>
Status SaveModel(const std::string& path, const Model<T>& model) {
  return CheckAndSave(path, model, [&](const SafetensorsFile& file) { return WriteSafetensors(path, file); });
}

template <typename T>
Result<std::string> ModelBytes(const Model<T>& model) {
  Result<std::string> bytes = std::string();
  const std::string name = "the model";
  Status status = CheckAndSave(name, model, [&](const SafetensorsFile& file) {
    bytes = SafetensorsBytes(name, file);
    return bytes.status();
  });
  if (!status.ok()) return status;
  return bytes;
}

template <typename T>
Result<Model<T>> LoadModel(const std::string& path) {
  const Result<SafetensorsFile> file = ReadSafetensors(path);
  if (!file.ok()) return file.status();
  try {
    return FromFile<T>({path, *file});
  } catch (const std::bad_alloc&) {
    return NoMemory(path);
  }
}

template Status SaveModel(const std::string&, const Model<float>&);
template Status SaveModel(const std::string&, const Model<double>&);
template Result<std::string> ModelBytes(const Model<float>&);
template Result<std::string> ModelBytes(const Model<double>&);
template Result<std::uint64_t> WeightsHash(const Mlp<float>&);
template Result<std::uint64_t> WeightsHash(const Mlp<double>&);
template Result<Model<float>> LoadModel(const std::string&);
template Result<Model<double>> LoadModel(const std::string&);

}  // namespace lanewise
