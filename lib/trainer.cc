// SPDX-License-Identifier: Apache-2.0
//
// The door to training: options, labels, targets and data sets are checked here, and epochs are made of steps. What a
// step computes is in training_step.cc.

#include "lanewise/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "format.h"
#include "gather.h"
#include "lanewise/random.h"
#include "training_step.h"
#include "typed_rows.h"
#include "view_check.h"

namespace lanewise {

namespace {

Status Invalid(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

}  // namespace

namespace internal {

// Numbers are judged as what they become when they are rounded to T.
template <typename T>
Status CheckOptions(const TrainerOptions& options, Activation last) {
  constexpr double kMax = std::numeric_limits<T>::max();
  if (!(options.learning_rate <= kMax && static_cast<T>(options.learning_rate) > 0)) {
    return Invalid(Format("learning rate {} is not a positive number", options.learning_rate));
  }
  if (!(options.momentum >= 0 && options.momentum < 1 && static_cast<T>(options.momentum) < 1)) {
    return Invalid(Format("momentum {} is not in [0, 1)", options.momentum));
  }
  if (options.batch < 1) return Invalid(Format("batch size {} is not at least 1", options.batch));
  if (!(std::fabs(options.input_scale) <= kMax)) {
    return Invalid(Format("input scale {} is not a finite number", options.input_scale));
  }
  const Activation needed = options.loss == Loss::kSoftmaxCrossEntropy   ? Activation::kSoftmax
                            : options.loss == Loss::kSigmoidCrossEntropy ? Activation::kSigmoid
                                                                         : last;
  if (last != needed) {
    return Invalid(Format("the loss {} needs {} as the last layer's activation; it is {}", Name(options.loss),
                          Name(needed), Name(last)));
  }
  return Status();
}

template <typename T>
bool IsVelocity(std::span<const T> velocity, std::size_t parameters) {
  return velocity.size() == parameters && std::ranges::all_of(velocity, [](T v) { return std::isfinite(v); });
}

template bool IsVelocity(std::span<const float>, std::size_t);
template bool IsVelocity(std::span<const double>, std::size_t);
template Status CheckOptions<float>(const TrainerOptions&, Activation);
template Status CheckOptions<double>(const TrainerOptions&, Activation);

bool IsPossible(const EpochResult& result) {
  return result.samples >= 0 && result.correct >= 0 && result.correct <= result.samples &&
         std::isfinite(result.loss_sum) && (result.samples > 0 || result.loss_sum == 0);
}

void SetMeans(EpochResult& result) {
  if (result.samples == 0) return;
  result.loss = result.loss_sum / static_cast<double>(result.samples);
  result.accuracy = static_cast<double>(result.correct) / static_cast<double>(result.samples);
}

}  // namespace internal

template <typename T>
struct Trainer<T>::Buffers {
  Buffers(const Mlp<T>& network, const TrainerOptions& options) : step(network, options) {}

  internal::TrainingStep<T> step;
  // An epoch's batches.
  AlignedVector<T> x;
  AlignedVector<T> targets;
  std::vector<std::int32_t> labels;
  std::vector<std::uint64_t> order;
};

template <typename T>
Trainer<T>::Trainer(Mlp<T> network, const TrainerOptions& options)
    : network_(std::move(network)), options_(options), buffers_(std::make_unique<Buffers>(network_, options)) {}

template <typename T>
Trainer<T>::Trainer(Trainer&&) noexcept = default;
template <typename T>
Trainer<T>& Trainer<T>::operator=(Trainer&&) noexcept = default;
template <typename T>
Trainer<T>::~Trainer() = default;

template <typename T>
Result<Trainer<T>> Trainer<T>::Create(Mlp<T> network, const TrainerOptions& options, std::span<const T> velocity) {
  Status status = internal::CheckOptions<T>(options, network.layers().back().activation);
  if (!status.ok()) return status;
  std::ptrdiff_t elements = 0;
  for (const LayerShape& layer : network.layers()) {
    if (__builtin_mul_overflow(options.batch, std::max(layer.inputs, layer.outputs), &elements)) {
      return Invalid(Format("a batch of {} rows does not fit in the address space", options.batch));
    }
  }
  if (!velocity.empty() && !internal::IsVelocity(velocity, network.parameters().size())) {
    return Invalid(
        Format("the velocity is not one finite number for each of the {} parameters", network.parameters().size()));
  }
  try {
    Trainer trainer(std::move(network), options);
    std::ranges::copy(velocity, trainer.buffers_->step.velocity().begin());
    return trainer;
  } catch (const std::exception&) {  // bad_alloc, or length_error for what no vector can hold
    return Status(StatusCode::kOutOfMemory, Format("no memory to train with batches of {} rows", options.batch));
  }
}

template <typename T>
Status Trainer<T>::set_learning_rate(double learning_rate) {
  TrainerOptions options = options_;
  options.learning_rate = learning_rate;
  Status status = internal::CheckOptions<T>(options, network_.layers().back().activation);
  if (status.ok()) options_ = options;
  return status;
}

template <typename T>
std::span<const T> Trainer<T>::velocity() const {
  return std::as_const(buffers_->step).velocity();
}

// ---- One step --------------------------------------------------------------------------------------------------

template <typename T>
Status Trainer<T>::CheckParameters(const Context& context) const {
  const std::span<const T> all = network_.parameters();
  // A finite sum has finite terms only; the kernel of sums is the fastest way to go over them.
  if (std::isfinite(LANEWISE_ROW_OF(T, context.kernels().table(), sum).run(all.data(), all.size()))) return Status();
  for (std::size_t l = 0; l < network_.layers().size(); ++l) {
    if (!network_.IsFinite(l)) {
      return Status(StatusCode::kDiverged,
                    Format("a parameter of layer {} is not finite: training has diverged; a smaller learning rate "
                           "may help",
                           l));
    }
  }
  return Status();
}

template <typename T>
Result<double> Trainer<T>::StepOn(Context& context, const internal::Batch<T>& batch) {
  Result<double> loss = buffers_->step.LossAndGradient(context, network_, options_, batch);
  if (loss.ok()) buffers_->step.Update(context, network_, options_);
  return loss;
}

template <typename T>
Result<double> Trainer<T>::CheckedStep(Context& context, const internal::Batch<T>& batch) {
  Result<double> loss = StepOn(context, batch);
  if (!loss.ok()) return loss;
  Status status = CheckParameters(context);
  if (!status.ok()) return status;
  return loss;
}

template <typename T>
Result<std::span<const T>> Trainer<T>::GradientOf(Context& context, const internal::Batch<T>& batch) {
  const Result<double> loss = buffers_->step.LossAndGradient(context, network_, options_, batch);
  if (!loss.ok()) return loss.status();
  return buffers_->step.gradient();
}

namespace {

Status CheckLabels(std::span<const std::int32_t> labels, std::ptrdiff_t rows, std::ptrdiff_t outputs, Loss loss) {
  if (loss != Loss::kSoftmaxCrossEntropy) {
    return Invalid(Format("the loss {} takes targets, not labels", Name(loss)));
  }
  if (static_cast<std::ptrdiff_t>(labels.size()) != rows) {
    return Invalid(Format("{} labels for {} rows", labels.size(), rows));
  }
  for (const std::int32_t label : labels) {
    if (label < 0 || label >= outputs) return Invalid(Format("label {} is not below the {} outputs", label, outputs));
  }
  return Status();
}

Status NotAProbability(double target, std::ptrdiff_t sample) {
  return Invalid(Format("target {} of sample {} is not in [0, 1], as the loss {} needs", target, sample,
                        Name(Loss::kSigmoidCrossEntropy)));
}

template <typename T>
Status CheckTargets(const MatrixView<const T>& targets, std::ptrdiff_t rows, std::ptrdiff_t outputs, Loss loss) {
  if (loss == Loss::kSoftmaxCrossEntropy) return Invalid(Format("the loss {} takes labels", Name(loss)));
  if (targets.rows != rows || targets.cols != outputs) {
    return Invalid(Format("targets are {} x {}; need {} x {}", targets.rows, targets.cols, rows, outputs));
  }
  const Result<internal::ByteRange> range = internal::CheckInput<T>("targets", targets);
  if (!range.ok()) return range.status();
  for (std::ptrdiff_t i = 0; loss == Loss::kSigmoidCrossEntropy && i < rows; ++i) {
    for (std::ptrdiff_t j = 0; j < outputs; ++j) {
      if (!(targets(i, j) >= 0 && targets(i, j) <= 1)) return NotAProbability(targets(i, j), i);
    }
  }
  return Status();
}

}  // namespace

template <typename T>
Result<double> Trainer<T>::Step(Context& context, const MatrixView<const T>& x, std::span<const std::int32_t> labels) {
  Status status = CheckLabels(labels, x.rows, network_.outputs(), options_.loss);
  if (!status.ok()) return status;
  return CheckedStep(context, {x, labels, {}});
}

template <typename T>
Result<double> Trainer<T>::Step(Context& context, const MatrixView<const T>& x, const MatrixView<const T>& targets) {
  Status status = CheckTargets(targets, x.rows, network_.outputs(), options_.loss);
  if (!status.ok()) return status;
  return CheckedStep(context, {x, {}, targets});
}

template <typename T>
Result<std::span<const T>> Trainer<T>::Gradient(Context& context, const MatrixView<const T>& x,
                                                std::span<const std::int32_t> labels) {
  Status status = CheckLabels(labels, x.rows, network_.outputs(), options_.loss);
  if (!status.ok()) return status;
  return GradientOf(context, {x, labels, {}});
}

template <typename T>
Result<std::span<const T>> Trainer<T>::Gradient(Context& context, const MatrixView<const T>& x,
                                                const MatrixView<const T>& targets) {
  Status status = CheckTargets(targets, x.rows, network_.outputs(), options_.loss);
  if (!status.ok()) return status;
  return GradientOf(context, {x, {}, targets});
}

// ---- One epoch -------------------------------------------------------------------------------------------------

template <typename T>
Result<EpochResult> Trainer<T>::Epoch(Context& context, const Dataset& data, std::uint32_t epoch,
                                      const std::function<bool(std::ptrdiff_t)>& progress, const EpochResult& done) {
  const std::ptrdiff_t outputs = network_.outputs();
  Status status = internal::CheckTargets(data, network_.inputs(), outputs);
  if (!status.ok()) return status;
  const bool by_label = options_.loss == Loss::kSoftmaxCrossEntropy;
  if (by_label && (data.labels.empty() || data.classes > outputs)) {
    return Invalid(Format("the loss {} needs labels, and an output for each class", Name(options_.loss)));
  }
  if (options_.loss == Loss::kSigmoidCrossEntropy && data.labels.empty()) {
    const auto found = std::ranges::find_if(data.targets, [](float t) { return t < 0 || t > 1; });
    if (found != data.targets.end()) return NotAProbability(*found, (found - data.targets.begin()) / data.target_count);
  }
  if (!internal::IsPossible(done) || done.samples > data.samples ||
      (done.samples % options_.batch != 0 && done.samples != data.samples)) {
    return Invalid(Format("an epoch of {} samples in batches of {} does not stop after {}, {} of them right",
                          data.samples, options_.batch, done.samples, done.correct));
  }
  Buffers& buffers = *buffers_;
  try {
    buffers.x.resize(static_cast<std::size_t>(options_.batch * data.features));
    if (!by_label) buffers.targets.resize(static_cast<std::size_t>(options_.batch * outputs));
    buffers.labels.resize(static_cast<std::size_t>(options_.batch));
    buffers.order.resize(static_cast<std::size_t>(data.samples));
  } catch (const std::exception&) {
    return Status(StatusCode::kOutOfMemory, "no memory for a batch of samples");
  }
  std::iota(buffers.order.begin(), buffers.order.end(), 0U);
  Random random(options_.seed, Stream::kShuffle, epoch);
  Shuffle(std::span(buffers.order), random);

  const kernels::KernelTable& table = context.kernels().table();
  EpochResult result = done;
  while (result.samples < data.samples) {
    const std::ptrdiff_t rows = std::min(options_.batch, data.samples - result.samples);
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
      const auto sample = static_cast<std::ptrdiff_t>(buffers.order[static_cast<std::size_t>(result.samples + r)]);
      internal::ReadSample(table, data, sample, static_cast<T>(options_.input_scale),
                           buffers.x.data() + r * data.features);
      if (!data.labels.empty()) {
        buffers.labels[static_cast<std::size_t>(r)] = data.labels[static_cast<std::size_t>(sample)];
      }
      if (!by_label) {
        internal::ReadTarget<T>(data, sample,
                                {buffers.targets.data() + r * outputs, static_cast<std::size_t>(outputs)});
      }
    }
    internal::Batch<T> batch{.x = {buffers.x.data(), rows, data.features}, .labels = {}, .targets = {}};
    if (by_label) {
      batch.labels = {buffers.labels.data(), static_cast<std::size_t>(rows)};
    } else {
      batch.targets = {buffers.targets.data(), rows, outputs};
    }
    const Result<double> loss = StepOn(context, batch);
    if (!loss.ok()) {
      return Status(loss.status().code(), Format("epoch {}, samples {} to {}: {}", epoch, result.samples,
                                                 result.samples + rows, loss.status().message()));
    }
    result.loss_sum += *loss * static_cast<double>(rows);
    for (std::ptrdiff_t r = 0; r < rows && !data.labels.empty(); ++r) {
      const std::span<const T> row(buffers.step.predictions().data() + r * outputs, static_cast<std::size_t>(outputs));
      result.correct += internal::PredictedClass(row) == buffers.labels[static_cast<std::size_t>(r)];
    }
    result.samples += rows;
    if (progress && !progress(result.samples)) break;
  }
  status = CheckParameters(context);
  if (!status.ok()) return Status(status.code(), Format("epoch {}: {}", epoch, status.message()));
  internal::SetMeans(result);
  return result;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace lanewise
