// SPDX-License-Identifier: Apache-2.0
//
// lanewise train: data in, model file out. The file appears when training has succeeded, and not before.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "command.h"
#include "compute.h"
#include "data_options.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "lanewise/model_file.h"
#include "lanewise/names.h"
#include "lanewise/trainer.h"
#include "lanewise/verify.h"
#include "lanewise/write_file.h"
#include "options.h"
#include "progress.h"

namespace lanewise::cli {
namespace {

// As typed; empty strings and nullopts: not given.
struct TrainSettings {
  explicit TrainSettings(CLI::App& command);

  std::vector<std::ptrdiff_t> layers;
  std::string activation = "relu";
  std::string loss;
  std::string output_activation;
  double learning_rate = 0.03;
  std::string schedule = "linear";
  double momentum = 0.9;
  std::ptrdiff_t batch = 64;
  std::uint32_t epochs = 10;
  std::uint64_t seed = 1;
  double val_split = 0;
  std::optional<double> input_scale;
  std::string type = "f32";
  std::vector<std::string> class_names;
  std::string out;
};

struct TrainOptions {
  explicit TrainOptions(CLI::App& command)
      : data(command), settings(command), isa(command), threads(command), json(command) {}

  DataOptions data;
  TrainSettings settings;
  IsaOption isa;
  ThreadsOption threads;
  JsonOption json;
};

TrainSettings::TrainSettings(CLI::App& command) {
  command.add_option("--out", out, "Model file to write")->type_name("MODEL")->required();
  command
      .add_option("--layers", layers,
                  "Sizes, from the features to the classes or\ntargets. Default: one hidden layer of 128")
      ->type_name("A,B,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::PositiveNumber);
  command.add_option("--activation", activation, "Of hidden layers: identity relu leaky-relu sigmoid\ntanh")
      ->type_name("NAME")
      ->capture_default_str();
  command
      .add_option("--loss", loss,
                  "softmax-cross-entropy (default for classes),\nsigmoid-cross-entropy, squared-error (default for\n"
                  "targets); short: softmax, sigmoid, squared")
      ->type_name("NAME");
  command
      .add_option("--output-activation", output_activation,
                  "With squared-error: identity (default) relu\nleaky-relu sigmoid tanh softmax")
      ->type_name("NAME");
  command.add_option("--lr", learning_rate, "Learning rate")->type_name("X")->capture_default_str();
  command.add_option("--schedule", schedule, "constant, or linear: epoch e of E (from 0) at\nlr * (E - e) / E")
      ->type_name("NAME")
      ->capture_default_str();
  command.add_option("--momentum", momentum, "In [0, 1)")->type_name("X")->capture_default_str();
  command.add_option("--batch", batch, "Samples per step")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command.add_option("--epochs", epochs, "How often to go over the data")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command.add_option("--seed", seed, "Of first weights, order of samples and split")
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--val-split", val_split, "Share of the samples to set aside for validation")->type_name("SHARE");
  command.add_option("--input-scale", input_scale, "Inputs are multiplied by it. Default: 1/255 for\nbytes, 1 else")
      ->type_name("X");
  command.add_option("--type", type, "f32 or f64")->type_name("NAME")->capture_default_str();
  command.add_option("--class-names", class_names, "Names to store in the model, in the classes' order")
      ->type_name("A,B,...")
      ->delimiter(',')
      ->allow_extra_args(false);
}

Status Invalid(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

// The value that a name stands for; names[i] stands for values[i].
template <typename T>
Result<T> Choose(std::string_view option, const std::string& name, const std::vector<std::string_view>& names,
                 const std::vector<T>& values) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return Invalid(UnknownName(option, name, names));
  return values[static_cast<std::size_t>(found - names.begin())];
}

Result<Activation> ChooseHidden(const TrainSettings& settings) {
  return Choose<Activation>(
      "--activation", settings.activation, {"identity", "relu", "leaky-relu", "sigmoid", "tanh"},
      {Activation::kIdentity, Activation::kRelu, Activation::kLeakyRelu, Activation::kSigmoid, Activation::kTanh});
}

Result<Loss> ChooseLoss(const TrainSettings& settings, const Dataset& data) {
  if (settings.loss.empty()) return data.labels.empty() ? Loss::kSquaredError : Loss::kSoftmaxCrossEntropy;
  const std::vector<Loss> losses = {Loss::kSoftmaxCrossEntropy, Loss::kSigmoidCrossEntropy, Loss::kSquaredError};
  std::vector<std::string_view> names = {"softmax", "sigmoid", "squared"};
  std::vector<Loss> values = losses;
  for (const Loss loss : losses) {
    names.push_back(Name(loss));
    values.push_back(loss);
  }
  return Choose<Loss>("--loss", settings.loss, names, values);
}

Result<Activation> ChooseOutput(const TrainSettings& settings, Loss loss) {
  if (loss == Loss::kSquaredError) {
    const std::string& name = settings.output_activation;
    return Choose<Activation>("--output-activation", name.empty() ? "identity" : name,
                              {"identity", "relu", "leaky-relu", "sigmoid", "tanh", "softmax"},
                              {Activation::kIdentity, Activation::kRelu, Activation::kLeakyRelu, Activation::kSigmoid,
                               Activation::kTanh, Activation::kSoftmax});
  }
  const Activation needed = loss == Loss::kSoftmaxCrossEntropy ? Activation::kSoftmax : Activation::kSigmoid;
  if (!settings.output_activation.empty() && settings.output_activation != Name(needed)) {
    return Invalid(fmt::format("--output-activation: the loss {} has {}; choose another for squared-error only",
                               Name(loss), Name(needed)));
  }
  return needed;
}

// The sizes of layers, checked against the data.
Result<std::vector<std::ptrdiff_t>> ChooseSizes(const TrainSettings& settings, const Dataset& data, Loss loss) {
  const bool classes = !data.labels.empty();
  if (!classes && data.targets.empty()) {
    return Invalid("--data: has neither classes nor targets to learn (a folder has, or a CSV file)");
  }
  if (!classes && loss == Loss::kSoftmaxCrossEntropy) {
    return Invalid("--loss: softmax-cross-entropy needs classes (--label); the data has targets");
  }
  if (classes && data.classes < 2) return Invalid("--data: all samples are of one class; there is nothing to learn");
  const std::ptrdiff_t answers = classes ? data.classes : data.target_count;
  const std::vector<std::ptrdiff_t>& sizes = settings.layers;
  if (sizes.empty()) return std::vector<std::ptrdiff_t>{data.features, 128, answers};
  if (sizes.size() < 2) return Invalid("--layers: give at least two sizes, those of the inputs and the outputs");
  if (sizes.front() != data.features) {
    return Invalid(fmt::format("--layers: begins with {}; the data has {} features, so begin with {}", sizes.front(),
                               data.features, data.features));
  }
  // A single output that is no softmax tells two classes apart.
  const bool one_for_two = classes && answers == 2 && sizes.back() == 1 && loss != Loss::kSoftmaxCrossEntropy;
  if (sizes.back() != answers && !one_for_two) {
    return Invalid(fmt::format("--layers: ends with {}; the data has {} {}, so end with {}", sizes.back(), answers,
                               classes ? "classes" : "targets", answers));
  }
  return sizes;
}

// A share of a whole as a percentage.
std::string Percent(double share) { return fmt::format("{:.2f} %", 100 * share); }

struct Plan {
  std::vector<LayerShape> layers;
  std::vector<std::ptrdiff_t> sizes;
  TrainerOptions trainer;
  std::vector<std::string> class_names;
};

Result<Plan> MakePlan(const TrainSettings& settings, const Dataset& data) {
  const Result<Activation> hidden = ChooseHidden(settings);
  if (!hidden.ok()) return hidden.status();
  const Result<Loss> loss = ChooseLoss(settings, data);
  if (!loss.ok()) return loss.status();
  const Result<Activation> output = ChooseOutput(settings, *loss);
  if (!output.ok()) return output.status();
  Result<std::vector<std::ptrdiff_t>> sizes = ChooseSizes(settings, data, *loss);
  if (!sizes.ok()) return sizes.status();

  Plan plan;
  plan.sizes = *std::move(sizes);
  for (std::size_t l = 0; l + 1 < plan.sizes.size(); ++l) {
    const bool last = l + 2 == plan.sizes.size();
    plan.layers.push_back({plan.sizes[l], plan.sizes[l + 1], last ? *output : *hidden});
  }
  plan.trainer = {.loss = *loss,
                  .learning_rate = settings.learning_rate,
                  .momentum = settings.momentum,
                  .batch = std::min(settings.batch, data.samples),  // memory for a batch of more helps nobody
                  .seed = settings.seed,
                  .input_scale = settings.input_scale.value_or(data.bytes.empty() ? 1 : 1.0 / 255)};
  plan.class_names = settings.class_names.empty() ? data.class_names : settings.class_names;
  // Whether outputs that are no softmax stand for classes is something that only names tell a reader of the model.
  if (plan.class_names.empty() && !data.labels.empty() && *loss != Loss::kSoftmaxCrossEntropy) {
    for (std::int32_t i = 0; i < data.classes; ++i) plan.class_names.push_back(std::to_string(i));
  }
  if (!plan.class_names.empty() && static_cast<std::int32_t>(plan.class_names.size()) != data.classes) {
    return Invalid(fmt::format("--class-names: {} names for {} classes", plan.class_names.size(), data.classes));
  }
  for (const std::string& name : plan.class_names) {
    if (!IsUtf8(name)) return Invalid(fmt::format("the class name '{}' is not UTF-8, as a model's must be", name));
  }
  return plan;
}

std::map<std::string, std::string> Recipe(const TrainOptions& options, const Plan& plan) {
  const TrainSettings& s = options.settings;
  return {{"data", options.data.Kind()},
          {"layers", fmt::format("{}", fmt::join(plan.sizes, ","))},
          {"loss", std::string(Name(plan.trainer.loss))},
          {"learning_rate", fmt::format("{}", s.learning_rate)},
          {"schedule", s.schedule},
          {"momentum", fmt::format("{}", s.momentum)},
          {"batch", std::to_string(s.batch)},
          {"epochs", std::to_string(s.epochs)},
          {"seed", std::to_string(s.seed)},
          {"val_split", fmt::format("{}", s.val_split)}};
}

struct EpochReport {
  double learning_rate = 0;
  EpochResult training;
  std::optional<Evaluation> validation;
  double seconds = 0;  // of training alone
};

// One epoch, with a bar while it runs and a line when it is done.
template <typename T>
Result<EpochReport> RunEpoch(Trainer<T>& trainer, Context& context, const Dataset& data, const Dataset* validation,
                             std::uint32_t epoch, std::uint32_t epochs) {
  const std::string label = fmt::format("epoch {:>{}}/{}", epoch, std::to_string(epochs).size(), epochs);
  const Stopwatch stopwatch;
  ProgressBar bar;
  const Result<EpochResult> result = trainer.Epoch(context, data, epoch, [&](std::ptrdiff_t done) {
    const auto samples = static_cast<double>(done);
    bar.Draw(label, samples / static_cast<double>(data.samples),
             fmt::format("{:.0f} samples/s", samples / stopwatch.Seconds()));
    return !Interrupted();
  });
  bar.Clear();
  if (!result.ok()) return result.status();
  EpochReport report{.learning_rate = trainer.options().learning_rate,
                     .training = *result,
                     .validation = std::nullopt,
                     .seconds = stopwatch.Seconds()};
  if (Interrupted()) return report;

  std::string line = fmt::format("{}  loss {:.6f}", label, report.training.loss);
  const bool classes = !data.labels.empty();
  if (classes) line += fmt::format("  accuracy {:>8}", Percent(report.training.accuracy));
  if (validation != nullptr) {
    const Result<PackedMlp<T>> packed = PackedMlp<T>::Pack(context.kernels(), trainer.network());
    if (!packed.ok()) return packed.status();
    Result<Evaluation> evaluation =
        Evaluate<T>(context, *packed, *validation, static_cast<T>(trainer.options().input_scale));
    if (!evaluation.ok()) return evaluation.status();
    line += classes ? fmt::format("  val {:>8}", Percent(evaluation->accuracy))
                    : fmt::format("  val squared error {:.6f}", evaluation->squared_error);
    report.validation = *std::move(evaluation);
  }
  Log(fmt::format("{}  {:8.0f} samples/s", line, static_cast<double>(report.training.samples) / report.seconds));
  return report;
}

Json ToJson(const EpochReport& report, std::size_t number, bool classes) {
  Json epoch = {{"epoch", number}, {"learning_rate", report.learning_rate}, {"loss", report.training.loss}};
  if (classes) epoch["accuracy"] = report.training.accuracy;
  if (report.validation) {
    if (classes) epoch["validation_accuracy"] = report.validation->accuracy;
    epoch["validation_squared_error"] = report.validation->squared_error;
  }
  epoch["samples_per_second"] = static_cast<double>(report.training.samples) / report.seconds;
  return epoch;
}

void PrintSummary(const TrainOptions& options, const Plan& plan, const Compute& compute, std::size_t parameters,
                  const std::vector<EpochReport>& epochs, bool classes) {
  double samples = 0;
  double seconds = 0;
  for (const EpochReport& epoch : epochs) {
    samples += static_cast<double>(epoch.training.samples);
    seconds += epoch.seconds;
  }
  const EpochReport& last = epochs.back();
  if (options.json) {
    Json document = {{"out", options.settings.out},
                     {"layers", plan.sizes},
                     {"parameters", parameters},
                     {"type", options.settings.type},
                     {"loss", last.training.loss}};
    if (classes) document["accuracy"] = last.training.accuracy;
    document["samples_per_second"] = samples / seconds;
    document["seconds"] = seconds;
    document["tier"] = compute.kernels().TierName();
    document["threads"] = compute.threads();
    document["epochs"] = Json::array();
    for (std::size_t i = 0; i < epochs.size(); ++i) document["epochs"].push_back(ToJson(epochs[i], i + 1, classes));
    PrintJson(document);
    return;
  }
  std::string result = fmt::format("loss {:.6f}", last.training.loss);
  if (classes) result += fmt::format(", accuracy {}", Percent(last.training.accuracy));
  if (last.validation) {
    result += classes ? fmt::format(", validation accuracy {}", Percent(last.validation->accuracy))
                      : fmt::format(", validation squared error {:.6f}", last.validation->squared_error);
  }
  Print(FormatTable(
      {{"model", options.settings.out},
       {"layers", fmt::format("{} ({} parameters, {})", fmt::join(plan.sizes, "-"), parameters, options.settings.type)},
       {"result", result},
       {"speed", fmt::format("{:.0f} samples/s, {:.1f} s in all, {}, {} thread{}", samples / seconds, seconds,
                             compute.kernels().TierName(), compute.threads(), compute.threads() == 1 ? "" : "s")}}));
}

template <typename T>
ExitCode Train(const TrainOptions& options, const Plan& plan, Compute& compute, const Dataset& data,
               const Dataset* validation) {
  const TrainSettings& settings = options.settings;
  Result<Mlp<T>> network = Mlp<T>::Create(plan.layers);
  if (!network.ok()) return Fail(network.status(), "--layers");
  network->Initialise(settings.seed);
  Result<Trainer<T>> trainer = Trainer<T>::Create(*std::move(network), plan.trainer);
  if (!trainer.ok()) return Fail(trainer.status());

  CatchInterrupt();
  std::vector<EpochReport> epochs;
  for (std::uint32_t e = 0; e < settings.epochs; ++e) {
    if (settings.schedule == "linear") {
      const Status status =
          trainer->set_learning_rate(settings.learning_rate * (settings.epochs - e) / settings.epochs);
      if (!status.ok()) return Fail(status);
    }
    Result<EpochReport> report = RunEpoch(*trainer, compute.context(), data, validation, e + 1, settings.epochs);
    if (!report.ok()) return Fail(report.status());
    if (Interrupted()) {
      return Fail(kInterrupted, fmt::format("interrupted in epoch {}; {} was not written", e + 1, settings.out));
    }
    epochs.push_back(*std::move(report));
  }
  Model<T> model{.network = trainer->network(),
                 .input_scale = plan.trainer.input_scale,
                 .class_names = plan.class_names,
                 .recipe = Recipe(options, plan)};
  // Hours of training are worth more than the cases.
  if (const Status added = AddGoldenCases(compute.context(), model); !added.ok()) {
    Warn(fmt::format("the model is saved without golden cases: {}", added.message()));
  }
  if (const Status saved = SaveModel<T>(settings.out, model); !saved.ok()) return Fail(saved);
  PrintSummary(options, plan, compute, trainer->network().parameters().size(), epochs, !data.labels.empty());
  return kOk;
}

ExitCode Run(const TrainOptions& options) {
  const TrainSettings& settings = options.settings;
  // What can be known to fail is found before the data is read and long before training ends.
  if (settings.schedule != "linear" && settings.schedule != "constant") {
    const std::vector<std::string_view> valid = {"constant", "linear"};
    return Fail(Invalid(UnknownName("--schedule", settings.schedule, valid)));
  }
  if (settings.type != "f32" && settings.type != "f64") {
    const std::vector<std::string_view> valid = {"f32", "f64"};
    return Fail(Invalid(UnknownName("--type", settings.type, valid)));
  }
  const Result<std::unique_ptr<Compute>> compute = Compute::Make(options.isa, options.threads);
  if (!compute.ok()) return Fail(compute.status());
  if (const Status writable = CheckWritable(settings.out); !writable.ok()) return Fail(writable, "--out");

  Result<Dataset> data = options.data.Read(Split::kTrain, CsvRole::kLabel, settings.class_names);
  if (!data.ok()) return Fail(data.status());
  const Result<Plan> plan = MakePlan(settings, *data);
  if (!plan.ok()) return Fail(plan.status());
  Dataset validation;
  if (settings.val_split != 0) {
    Result<TrainValidation> parts = SplitDataset(*data, settings.val_split, settings.seed);
    if (!parts.ok()) return Fail(parts.status(), "--val-split");
    data = std::move(parts->train);
    validation = std::move(parts->validation);
  }
  const auto train = settings.type == "f32" ? Train<float> : Train<double>;
  return train(options, *plan, **compute, *data, validation.samples > 0 ? &validation : nullptr);
}

}  // namespace

Command AddTrain(CLI::App& program) {
  CLI::App* command = program.add_subcommand("train", "Train a network and write it to a model file");
  SetExample(*command, "lanewise train --data folder --layers 784,128,10 --out clothes.safetensors");
  const auto options = std::make_shared<TrainOptions>(*command);
  return {command, [options] { return Run(*options); }};
}

}  // namespace lanewise::cli
