// SPDX-License-Identifier: Apache-2.0
//
// lanewise evaluate: how well a model does on data that it was not trained on.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "any_model.h"
#include "command.h"
#include "compute.h"
#include "data_options.h"
#include "fmt/format.h"
#include "options.h"
#include "progress.h"

namespace lanewise::cli {
namespace {

struct EvaluateSettings {
  explicit EvaluateSettings(CLI::App& command);

  std::string model;
  bool confusion = false;
  std::optional<double> min_accuracy;
};

struct EvaluateOptions {
  explicit EvaluateOptions(CLI::App& command)
      : settings(command), data(command), isa(command), threads(command), json(command) {}

  EvaluateSettings settings;
  DataOptions data;
  IsaOption isa;
  ThreadsOption threads;
  JsonOption json;
};

EvaluateSettings::EvaluateSettings(CLI::App& command) {
  command.add_option("MODEL", model, "Model file")->required();
  command.add_flag("--confusion", confusion, "Add the table of classes and what they were taken\nfor");
  command.add_option("--min-accuracy", min_accuracy, "Exit with 1 if the accuracy is below (0 to 1)")
      ->type_name("X")
      ->check(CLI::Range(0.0, 1.0));
}

template <typename T>
Json ToJson(const EvaluateOptions& options, const Model<T>& model, const Evaluation& result, double seconds,
            const Compute& compute) {
  Json document = {{"model", options.settings.model}, {"samples", result.samples}};
  if (result.classes > 0) {
    document["accuracy"] = result.accuracy;
    document["correct"] = result.correct;
  }
  document["squared_error"] = result.squared_error;
  if (result.classes > 0) {
    document["classes"] = Json::array();
    document["confusion"] = Json::array();  // a row for each class, a column for what it was taken for
    const auto classes = static_cast<std::size_t>(result.classes);
    for (std::size_t i = 0; i < classes; ++i) {
      document["classes"].push_back(ClassName(model, i));
      const auto row = result.confusion.begin() + static_cast<std::ptrdiff_t>(i * classes);
      document["confusion"].push_back(std::vector<std::int64_t>(row, row + result.classes));
    }
  }
  document["samples_per_second"] = static_cast<double>(result.samples) / seconds;
  document["tier"] = compute.kernels().TierName();
  document["threads"] = compute.threads();
  return document;
}

template <typename T>
std::string ConfusionTable(const Model<T>& model, const Evaluation& result) {
  const auto classes = static_cast<std::size_t>(result.classes);
  std::vector<std::vector<std::string>> rows = {{"class \\ taken for"}};
  for (std::size_t i = 0; i < classes; ++i) {
    rows[0].push_back(std::to_string(i));
    rows.push_back({model.class_names.empty() ? std::to_string(i) : fmt::format("{} {}", i, model.class_names[i])});
    for (std::size_t j = 0; j < classes; ++j) rows.back().push_back(std::to_string(result.confusion[i * classes + j]));
  }
  return FormatTable(rows);
}

template <typename T>
std::string ToText(const EvaluateOptions& options, const Model<T>& model, const Evaluation& result, double seconds,
                   const Compute& compute) {
  std::vector<std::vector<std::string>> rows = {{"model", options.settings.model},
                                                {"samples", std::to_string(result.samples)}};
  if (result.classes > 0) {
    rows.push_back({"accuracy", fmt::format("{:.2f} % ({} correct)", 100 * result.accuracy, result.correct)});
  }
  rows.push_back({"squared error", fmt::format("{:.6g}", result.squared_error)});
  rows.push_back(
      {"speed", fmt::format("{:.0f} samples/s, {}, {} thread{}", static_cast<double>(result.samples) / seconds,
                            compute.kernels().TierName(), compute.threads(), compute.threads() == 1 ? "" : "s")});
  std::string text = FormatTable(rows);
  if (options.settings.confusion && !result.confusion.empty()) text += "\n" + ConfusionTable(model, result);
  return text;
}

template <typename T>
ExitCode Evaluate(const EvaluateOptions& options, const Model<T>& model, Compute& compute) {
  const CsvRole role = IsClassifier(model) ? CsvRole::kLabel : CsvRole::kTargets;
  const Result<Dataset> data = options.data.Read(Split::kTest, role, model.class_names);
  if (!data.ok()) return Fail(data.status());
  const Result<PackedMlp<T>> network = PackedMlp<T>::Pack(compute.kernels(), model.network);
  if (!network.ok()) return Fail(network.status());

  const Stopwatch stopwatch;
  const Result<Evaluation> result =
      lanewise::Evaluate<T>(compute.context(), *network, *data, static_cast<T>(model.input_scale));
  const double seconds = stopwatch.Seconds();
  if (!result.ok()) return Fail(result.status(), options.settings.model);
  if (options.json) {
    PrintJson(ToJson(options, model, *result, seconds, compute));
  } else {
    Print(ToText(options, model, *result, seconds, compute));
  }
  if (!options.settings.min_accuracy) return kOk;
  if (result->classes == 0) {
    return Fail(Status(StatusCode::kInvalidArgument, "--min-accuracy: the data has targets, not classes"));
  }
  if (result->accuracy >= *options.settings.min_accuracy) return kOk;
  return Fail(kCheckFailed, fmt::format("the accuracy {} is below --min-accuracy {}", result->accuracy,
                                        *options.settings.min_accuracy));
}

ExitCode Run(const EvaluateOptions& options) {
  const Result<std::unique_ptr<Compute>> compute = Compute::Make(options.isa, options.threads);
  if (!compute.ok()) return Fail(compute.status());
  const Result<AnyModel> model = LoadAnyModel(options.settings.model);
  if (!model.ok()) return Fail(model.status());
  return std::visit([&](const auto& typed) { return Evaluate(options, typed, **compute); }, *model);
}

}  // namespace

Command AddEvaluate(CLI::App& program) {
  CLI::App* command = program.add_subcommand("evaluate", "Measure how well a model does on test data");
  SetExample(*command, "lanewise evaluate clothes.safetensors --data folder --min-accuracy 0.88");
  const auto options = std::make_shared<EvaluateOptions>(*command);
  return {command, [options] { return Run(*options); }};
}

}  // namespace lanewise::cli
