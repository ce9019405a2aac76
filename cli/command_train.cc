// SPDX-License-Identifier: Apache-2.0
//
// lanewise train: data in, model file out. The file appears when training has succeeded, and not before; until then
// a checkpoint may hold what was done.

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
#include "output_file.h"
#include "progress.h"
#include "resume.h"
#include "training_plan.h"

namespace lanewise::cli {

TrainSettings::TrainSettings(CLI::App& command) {
  command.add_option("--out", out, "Model file to write")->type_name("MODEL")->required();
  command
      .add_option("--layers", layers,
                  "Sizes, from the features to the classes or\ntargets. Default: one hidden layer of 128")
      ->type_name("A,B,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(WholeNumber<std::ptrdiff_t>(1));
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
      ->check(WholeNumber<std::ptrdiff_t>(1));
  command.add_option("--epochs", epochs, "How often to go over the data")
      ->type_name("N")
      ->capture_default_str()
      ->check(WholeNumber<std::uint32_t>(1));
  command.add_option("--seed", seed, "Of first weights, order of samples and split")
      ->type_name("N")
      ->capture_default_str()
      ->check(WholeNumber<std::uint64_t>(0));
  command.add_option("--val-split", val_split, "Share of the samples to set aside for validation")->type_name("SHARE");
  command.add_option("--input-scale", input_scale, "Inputs are multiplied by it. Default: 1/255 for\nbytes, 1 else")
      ->type_name("X");
  command.add_option("--type", type, "f32 or f64")->type_name("NAME")->capture_default_str();
  command.add_option("--class-names", class_names, "Names to store in the model, in the classes' order")
      ->type_name("A,B,...")
      ->delimiter(',')
      ->allow_extra_args(false);
  command
      .add_option(
          "--checkpoint", checkpoint,
          "Keep what was done in this file, from which\ntraining can go on: after each epoch, and when\ninterrupted")
      ->type_name("FILE");
  command
      .add_option("--resume", resume,
                  "Go on from a checkpoint, and keep it up to date.\nOptions that are not given are those it began\n"
                  "with, others must agree; --epochs may be more")
      ->type_name("FILE");
}

namespace {

struct TrainOptions {
  explicit TrainOptions(CLI::App& command)
      : data(command), settings(command), isa(command), threads(command), json(command) {}

  DataOptions data;
  TrainSettings settings;
  IsaOption isa;
  ThreadsOption threads;
  JsonOption json;
};

// A share of a whole as a percentage.
std::string Percent(double share) { return fmt::format("{:.2f} %", 100 * share); }

struct EpochReport {
  double learning_rate = 0;
  EpochResult training;
  std::optional<Evaluation> validation;
  double seconds = 0;  // of training alone
  double samples_per_second = 0;
};

// One epoch, or what is left of it after `begun`, with a bar while it runs and a line when it is done.
template <typename T>
Result<EpochReport> RunEpoch(Trainer<T>& trainer, Context& context, const Dataset& data, const Dataset* validation,
                             std::uint32_t epoch, std::uint32_t epochs, const EpochResult& begun) {
  const std::string label = fmt::format("epoch {:>{}}/{}", epoch, std::to_string(epochs).size(), epochs);
  const Stopwatch stopwatch;
  ProgressBar bar;
  const auto progress = [&](std::ptrdiff_t done) {
    bar.Draw(label, static_cast<double>(done) / static_cast<double>(data.samples),
             fmt::format("{:.0f} samples/s", static_cast<double>(done - begun.samples) / stopwatch.Seconds()));
    return !Interrupted();
  };
  const Result<EpochResult> result = trainer.Epoch(context, data, epoch, progress, begun);
  bar.Clear();
  if (!result.ok()) return result.status();
  EpochReport report{.learning_rate = trainer.options().learning_rate,
                     .training = *result,
                     .validation = std::nullopt,
                     .seconds = stopwatch.Seconds()};
  report.samples_per_second = static_cast<double>(result->samples - begun.samples) / report.seconds;
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
  Log(fmt::format("{}  {:8.0f} samples/s", line, report.samples_per_second));
  return report;
}

Json ToJson(const EpochReport& report, std::size_t number, bool classes) {
  Json epoch = {{"epoch", number}, {"learning_rate", report.learning_rate}, {"loss", report.training.loss}};
  if (classes) epoch["accuracy"] = report.training.accuracy;
  if (report.validation) {
    if (classes) epoch["validation_accuracy"] = report.validation->accuracy;
    epoch["validation_squared_error"] = report.validation->squared_error;
  }
  epoch["samples_per_second"] = report.samples_per_second;
  return epoch;
}

void PrintSummary(const TrainOptions& options, const Plan& plan, const Compute& compute, std::size_t parameters,
                  const std::vector<EpochReport>& epochs, bool classes) {
  const std::size_t first = options.settings.epochs - epochs.size() + 1;
  double samples = 0;
  double seconds = 0;
  for (const EpochReport& epoch : epochs) {
    samples += epoch.samples_per_second * epoch.seconds;
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
    for (std::size_t i = 0; i < epochs.size(); ++i) document["epochs"].push_back(ToJson(epochs[i], first + i, classes));
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
Result<Trainer<T>> Begin(const TrainSettings& settings, const Plan& plan) {
  Result<Mlp<T>> network = Mlp<T>::Create(plan.layers);
  if (!network.ok()) return Status(network.status().code(), "--layers: " + network.status().message());
  network->Initialise(settings.seed);
  return Trainer<T>::Create(*std::move(network), plan.trainer);
}

template <typename T>
Status WriteCheckpoint(const std::string& path, const Plan& plan, const Context& context, const Trainer<T>& trainer,
                       std::uint32_t epoch, const EpochResult& done) {
  Result<Checkpoint<T>> checkpoint = MakeCheckpoint(context, trainer, epoch, done);
  if (!checkpoint.ok()) return checkpoint.status();
  checkpoint->model.class_names = plan.class_names;
  checkpoint->model.recipe = plan.recipe;
  checkpoint->data_hash = plan.data_hash;
  return SaveCheckpoint(path, *checkpoint);
}

// `begun`: what to go on from, or null.
template <typename T>
ExitCode Train(const TrainOptions& options, const Plan& plan, Compute& compute, const Dataset& data,
               const Dataset* validation, const Checkpoint<T>* begun) {
  const TrainSettings& settings = options.settings;
  Result<Trainer<T>> trainer = begun != nullptr ? ResumeTrainer(compute.context(), *begun) : Begin<T>(settings, plan);
  if (!trainer.ok()) return Fail(trainer.status(), begun != nullptr ? settings.resume : "");

  const bool checkpoints = !settings.checkpoint.empty();
  CatchInterrupt(checkpoints);
  std::vector<EpochReport> epochs;
  EpochResult done = begun != nullptr ? begun->done : EpochResult();
  for (std::uint32_t e = begun != nullptr ? begun->epoch - 1 : 0; e < settings.epochs; ++e, done = {}) {
    // An epoch keeps the learning rate that it began with.
    if (settings.schedule == "linear" && done.samples == 0) {
      const Status status =
          trainer->set_learning_rate(settings.learning_rate * (settings.epochs - e) / settings.epochs);
      if (!status.ok()) return Fail(status);
    }
    Result<EpochReport> report = RunEpoch(*trainer, compute.context(), data, validation, e + 1, settings.epochs, done);
    if (!report.ok()) return Fail(report.status());
    const bool interrupted = Interrupted();
    if (checkpoints) {
      const Status saved =
          WriteCheckpoint(settings.checkpoint, plan, compute.context(), *trainer, e + 1, report->training);
      if (!saved.ok() && interrupted) return Fail(saved, "--checkpoint");
      if (!saved.ok()) Warn(fmt::format("no checkpoint of epoch {}: {}", e + 1, saved.message()));
    }
    if (interrupted) {
      return Fail(kInterrupted,
                  checkpoints ? fmt::format("interrupted in epoch {}; {} holds what was done, and this goes on from it:"
                                            "\n{}",
                                            e + 1, settings.checkpoint, plan.go_on)
                              : fmt::format("interrupted in epoch {}; {} was not written (with --checkpoint FILE "
                                            "training could go on)",
                                            e + 1, settings.out));
    }
    epochs.push_back(*std::move(report));
  }
  Model<T> model{.network = trainer->network(),
                 .input_scale = plan.trainer.input_scale,
                 .class_names = plan.class_names,
                 .recipe = plan.recipe};
  // Hours of training are worth more than the cases.
  if (const Status added = AddGoldenCases(compute.context(), model); !added.ok()) {
    Warn(fmt::format("the model is saved without golden cases: {}", added.message()));
  }
  if (const Status saved = SaveModel<T>(settings.out, model); !saved.ok()) return Fail(saved);
  PrintSummary(options, plan, compute, trainer->network().parameters().size(), epochs, !data.labels.empty());
  return kOk;
}

// Whether the model can be written to --out, and takes the place of nothing but an older one.
Status CheckOut(const TrainOptions& options) {
  const std::string& out = options.settings.out;
  if (out == "-") return Invalid("a model is written to a file, not to standard output; give its path");
  const Status kept = CheckKeepsInputs(out, {{"--data", options.data.Path()}});
  return kept.ok() ? CheckWritable(out) : kept;
}

ExitCode Run(TrainOptions& options, CLI::App& command) {
  TrainSettings& settings = options.settings;
  std::optional<AnyCheckpoint> begun;
  if (settings.checkpoint.empty()) settings.checkpoint = settings.resume;
  const std::string go_on = CommandToGoOn(settings.checkpoint, command);
  if (!settings.resume.empty()) {
    Result<AnyCheckpoint> loaded = LoadAnyCheckpoint(settings.resume);
    if (!loaded.ok()) return Fail(loaded.status(), "--resume");
    const Status taken = TakeOptions(settings.resume, OptionsOf(*loaded), command);
    if (!taken.ok()) return Fail(taken, "--resume");
    begun = *std::move(loaded);
  }
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
  if (const Status usable = CheckOut(options); !usable.ok()) return Fail(usable, "--out");
  if (!settings.checkpoint.empty()) {
    Status usable = CheckCheckpointPath(settings.checkpoint, settings.out);
    if (usable.ok()) usable = CheckKeepsInputs(settings.checkpoint, {{"--data", options.data.Path()}});
    if (usable.ok()) usable = CheckWritable(settings.checkpoint);
    if (!usable.ok()) return Fail(usable, "--checkpoint");
  }

  Result<Dataset> data = options.data.Read(Split::kTrain, CsvRole::kLabel, settings.class_names);
  if (!data.ok()) return Fail(data.status());
  Result<Plan> plan = MakePlan(settings, *data);
  if (!plan.ok()) return Fail(plan.status());
  plan->recipe = MakeRecipe(settings, *plan, options.data.Kind());
  plan->go_on = go_on;
  Dataset validation;
  if (settings.val_split != 0) {
    Result<TrainValidation> parts = SplitDataset(*data, settings.val_split, settings.seed);
    if (!parts.ok()) return Fail(parts.status(), "--val-split");
    data = std::move(parts->train);
    validation = std::move(parts->validation);
  }
  if (!settings.checkpoint.empty()) plan->data_hash = DatasetHash(*data);
  if (begun) {
    if (const Status agreed = GoOn(*begun, settings, *plan); !agreed.ok()) return Fail(agreed);
  }
  const auto train = [&]<typename T>(T /*type*/) {
    return Train<T>(options, *plan, **compute, *data, validation.samples > 0 ? &validation : nullptr,
                    begun ? std::get_if<Checkpoint<T>>(&*begun) : nullptr);
  };
  return settings.type == "f32" ? train(float{}) : train(double{});
}

}  // namespace

Command AddTrain(CLI::App& program) {
  CLI::App* command = program.add_subcommand("train", "Train a network and write it to a model file");
  SetExample(*command, "lanewise train --data folder --layers 784,128,10 --out clothes.safetensors");
  const auto options = std::make_shared<TrainOptions>(*command);
  return {command, [options, command] { return Run(*options, *command); }};
}

}  // namespace lanewise::cli
