// SPDX-License-Identifier: Apache-2.0

#include "training_plan.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "lanewise/names.h"
#include "options.h"
#include "output.h"

namespace lanewise::cli {
namespace {

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

}  // namespace

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

Recipe MakeRecipe(const TrainSettings& s, const Plan& plan, const std::string& data_kind) {
  return {{"data", data_kind},
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

Status GoOn(const AnyCheckpoint& begun, const TrainSettings& settings, Plan& plan) {
  const TypedOptions ours = OptionsOf(plan.recipe, plan.layers, plan.trainer.input_scale, settings.type);
  if (Status agreed = CheckOptions(settings.resume, OptionsOf(begun), ours); !agreed.ok()) return agreed;
  return std::visit(
      [&](const auto& checkpoint) {
        if (checkpoint.data_hash != plan.data_hash) {
          return Invalid(
              fmt::format("--data: these are not the samples that {} was trained on; give the same, with the "
                          "same --samples, --label, --targets and --class-names",
                          settings.resume));
        }
        const auto& model = checkpoint.model;
        if (!settings.class_names.empty() && settings.class_names != model.class_names) {
          return Invalid(
              fmt::format("--class-names: {} has {}", settings.resume,
                          model.class_names.empty() ? "none" : fmt::format("{}", fmt::join(model.class_names, ","))));
        }
        TrainerOptions trainer = plan.trainer;
        trainer.learning_rate = checkpoint.options.learning_rate;
        if (checkpoint.options != trainer || model.network.layers() != plan.layers || checkpoint.epoch < 1 ||
            checkpoint.epoch > settings.epochs) {
          return Status(
              StatusCode::kBadFile,
              fmt::format("{}: its state is not one of the training that its recipe states", settings.resume));
        }
        plan.class_names = model.class_names;
        plan.recipe = ContinuedRecipe(model.recipe, settings.epochs, checkpoint.epoch);
        return Status();
      },
      begun);
}

}  // namespace lanewise::cli
