// SPDX-License-Identifier: Apache-2.0
//
// lanewise inspect: what is in a model file.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "any_model.h"
#include "command.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "lanewise/checkpoint.h"
#include "lanewise/packed_matrix.h"
#include "options.h"

namespace lanewise::cli {
namespace {

// What weights and biases of a layer hold. Zeros cost nothing but say that ReLUs may be dead; denormals cost time.
struct LayerFacts {
  std::size_t parameters = 0;
  std::size_t bytes = 0;
  std::size_t packed_bytes = 0;
  double smallest = 0;
  double largest = 0;
  std::ptrdiff_t zeros = 0;
  std::ptrdiff_t denormals = 0;
};

template <typename T>
Result<LayerFacts> Gather(const Model<T>& model, const Kernels& kernels, std::size_t layer) {
  const MatrixView<const T> weights = model.network.weights(layer);
  const Result<PackedMatrix<T>> packed = PackedMatrix<T>::Pack(kernels, weights);
  if (!packed.ok()) return packed.status();
  // The bias follows the weights, which lie without gaps.
  const std::span<const T> values(weights.data, static_cast<std::size_t>((weights.rows + 1) * weights.cols));
  const auto [smallest, largest] = std::ranges::minmax(values);
  return LayerFacts{
      .parameters = values.size(),
      .bytes = values.size_bytes(),
      .packed_bytes = packed->bytes() + model.network.bias(layer).size_bytes(),
      .smallest = static_cast<double>(smallest),
      .largest = static_cast<double>(largest),
      .zeros = std::ranges::count(values, T{0}),
      .denormals = std::ranges::count_if(values, [](T x) { return std::fpclassify(x) == FP_SUBNORMAL; }),
  };
}

template <typename T>
constexpr const char* kTypeName = std::is_same_v<T, float> ? "f32" : "f64";

template <typename T>
std::ptrdiff_t GoldenCaseCount(const Model<T>& model) {
  return model.golden ? std::ssize(model.golden->inputs) / model.network.inputs() : 0;
}

template <typename T>
Json ToJson(const Model<T>& model, const Result<Checkpoint<T>>& checkpoint, const std::vector<LayerFacts>& facts,
            std::string_view tier) {
  Json layers = Json::array();
  for (std::size_t l = 0; l < facts.size(); ++l) {
    const LayerShape& layer = model.network.layers()[l];
    layers.push_back(Json{{"inputs", layer.inputs},
                          {"outputs", layer.outputs},
                          {"activation", Name(layer.activation)},
                          {"parameters", facts[l].parameters},
                          {"bytes", facts[l].bytes},
                          {"packed_bytes", facts[l].packed_bytes},
                          {"min", facts[l].smallest},
                          {"max", facts[l].largest},
                          {"zeros", facts[l].zeros},
                          {"denormals", facts[l].denormals}});
  }
  return Json{{"type", kTypeName<T>},
              {"parameters", model.network.parameters().size()},
              {"input_scale", model.input_scale},
              {"classes", model.class_names},
              {"recipe", model.recipe},
              {"numerics_revision", model.numerics_revision == 0 ? Json() : Json(model.numerics_revision)},
              {"golden_cases", GoldenCaseCount(model)},
              {"golden_class", model.golden ? Json(Name(model.golden->numeric_class)) : Json()},
              {"checkpoint",
               checkpoint.ok() ? Json{{"epoch", checkpoint->epoch}, {"samples", checkpoint->done.samples}} : Json()},
              {"packed_for", tier},
              {"layers", std::move(layers)}};
}

template <typename T>
std::string ToText(const std::string& path, const Model<T>& model, const Result<Checkpoint<T>>& checkpoint,
                   const std::vector<LayerFacts>& facts, std::string_view tier) {
  std::vector<std::string> sizes = {std::to_string(model.network.inputs())};
  for (const LayerShape& layer : model.network.layers()) sizes.push_back(std::to_string(layer.outputs));
  std::vector<std::vector<std::string>> head = {
      {"model", path},
      {"network",
       fmt::format("{} ({} parameters, {})", fmt::join(sizes, "-"), model.network.parameters().size(), kTypeName<T>)},
      {"input scale", fmt::format("{}", model.input_scale)},
      {"classes", model.class_names.empty() ? "no names" : fmt::format("{}", fmt::join(model.class_names, ", "))},
      {"numerics",
       model.numerics_revision == 0 ? "revision not stated" : fmt::format("revision {}", model.numerics_revision)},
      {"golden cases", model.golden ? fmt::format("{}, of class {} (lanewise verify checks them)",
                                                  GoldenCaseCount(model), Name(model.golden->numeric_class))
                                    : "none"}};
  if (checkpoint.ok()) {
    head.push_back({"checkpoint", fmt::format("in epoch {}, after {} samples (lanewise train --resume goes on)",
                                              checkpoint->epoch, checkpoint->done.samples)});
  }
  for (const auto& [key, value] : model.recipe) head.push_back({"recipe: " + key, value});

  std::vector<std::vector<std::string>> table = {
      {"layer", "shape", "activation", "bytes", "packed", "min", "max", "zeros", "denormals"}};
  for (std::size_t l = 0; l < facts.size(); ++l) {
    const LayerShape& layer = model.network.layers()[l];
    table.push_back(
        {std::to_string(l), fmt::format("{} x {}", layer.inputs, layer.outputs), std::string{Name(layer.activation)},
         FormatBytes(facts[l].bytes), FormatBytes(facts[l].packed_bytes), fmt::format("{:.3g}", facts[l].smallest),
         fmt::format("{:.3g}", facts[l].largest), std::to_string(facts[l].zeros), std::to_string(facts[l].denormals)});
  }
  return FormatTable(head) + "\n" + FormatTable(table) + fmt::format("(packed: as the {} kernels read it)\n", tier);
}

template <typename T>
ExitCode Inspect(const std::string& path, const Model<T>& model, const Kernels& kernels, bool json) {
  std::vector<LayerFacts> facts;
  for (std::size_t l = 0; l < model.network.layers().size(); ++l) {
    const Result<LayerFacts> layer = Gather(model, kernels, l);
    if (!layer.ok()) return Fail(layer.status());
    facts.push_back(*layer);
  }
  // Most models are none.
  const Result<Checkpoint<T>> checkpoint = LoadCheckpoint<T>(path);
  if (json) {
    PrintJson(ToJson(model, checkpoint, facts, kernels.TierName()));
  } else {
    Print(ToText(path, model, checkpoint, facts, kernels.TierName()));
  }
  return kOk;
}

ExitCode Run(const std::string& path, const IsaOption& isa, bool json) {
  const Result<Kernels> kernels = SelectKernels(isa.Request());
  if (!kernels.ok()) return Fail(kernels.status(), isa.Origin());
  const Result<AnyModel> model = LoadAnyModel(path);
  if (!model.ok()) return Fail(model.status());
  return std::visit([&](const auto& typed) { return Inspect(path, typed, *kernels, json); }, *model);
}

}  // namespace

Command AddInspect(CLI::App& program) {
  CLI::App* command = program.add_subcommand("inspect", "Show what is in a model file");
  SetExample(*command, "lanewise inspect clothes.safetensors");
  const auto path = std::make_shared<std::string>();
  command->add_option("MODEL", *path, "Model file")->required();
  const IsaOption isa(*command);
  const JsonOption json(*command);
  return {command, [path, isa, json] { return Run(*path, isa, static_cast<bool>(json)); }};
}

}  // namespace lanewise::cli
