// SPDX-License-Identifier: Apache-2.0
//
// Training, operation by operation: what is computed here decides the bits of every model, so nothing but kernels,
// IEEE arithmetic in a stated order and sqrt takes part in it.

#include "lanewise/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "apply_activation.h"
#include "fmt/format.h"
#include "gather.h"
#include "gemm_run.h"
#include "lanewise/gemm.h"
#include "lanewise/random.h"
#include "loss.h"
#include "typed_rows.h"
#include "view_check.h"

namespace lanewise {

namespace {

Status Invalid(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

// Numbers are judged as what they become when they are rounded to T.
template <typename T>
Status CheckOptions(const TrainerOptions& options, Activation last) {
  constexpr double kMax = std::numeric_limits<T>::max();
  if (!(options.learning_rate <= kMax && static_cast<T>(options.learning_rate) > 0)) {
    return Invalid(fmt::format("learning rate {} is not a positive number", options.learning_rate));
  }
  if (!(options.momentum >= 0 && options.momentum < 1 && static_cast<T>(options.momentum) < 1)) {
    return Invalid(fmt::format("momentum {} is not in [0, 1)", options.momentum));
  }
  if (options.batch < 1) return Invalid(fmt::format("batch size {} is not at least 1", options.batch));
  if (!(std::fabs(options.input_scale) <= kMax)) {
    return Invalid(fmt::format("input scale {} is not a finite number", options.input_scale));
  }
  const Activation needed = options.loss == Loss::kSoftmaxCrossEntropy   ? Activation::kSoftmax
                            : options.loss == Loss::kSigmoidCrossEntropy ? Activation::kSigmoid
                                                                         : last;
  if (last != needed) {
    return Invalid(fmt::format("the loss {} needs {} as the last layer's activation; it is {}", Name(options.loss),
                               Name(needed), Name(last)));
  }
  return Status();
}

}  // namespace

// Labels or targets of a batch; the other is empty.
template <typename T>
struct Trainer<T>::Targets {
  std::span<const std::int32_t> labels;
  MatrixView<const T> values;
};

// What the plans of a step depend on besides the network.
struct PlanKey {
  std::ptrdiff_t rows = 0, x_row_stride = 0, x_column_stride = 0;
  Tier tier = Tier::kPortable;
  int threads = 0;
  std::size_t l2 = 0;
  double thread_break_even = 0;
  friend bool operator==(const PlanKey&, const PlanKey&) = default;
};

// The products of a layer.
struct LayerPlans {
  GemmPlan forward;         // input * W
  GemmPlan weights;         // input' * dz
  GemmPlan input_gradient;  // dz * W'; not of the first layer
};

// Everything a step writes but the parameters. Matrices have options.batch rows, of which a step uses the first.
template <typename T>
struct Trainer<T>::Buffers {
  PlanKey planned_for;
  std::vector<LayerPlans> plans;
  std::vector<std::vector<T>> outputs;  // of each layer; of the last what its loss is computed from (see loss.h)
  std::vector<T> output_gradient;       // dz of the layer at work, and
  std::vector<T> input_gradient;        // dz of the layer before it
  std::vector<T> gradient;              // of all parameters
  std::vector<T> velocity;
  std::vector<T> loss_terms;   // room for the loss: batch x outputs
  std::vector<T> predictions;  // batch x outputs
  // An epoch's batches.
  std::vector<T> x;
  std::vector<T> targets;
  std::vector<std::int32_t> labels;
  std::vector<std::uint64_t> order;
};

template <typename T>
Trainer<T>::Trainer(Mlp<T> network, const TrainerOptions& options)
    : network_(std::move(network)), options_(options), buffers_(std::make_unique<Buffers>()) {
  std::ptrdiff_t widest = 0;
  buffers_->plans.resize(network_.layers().size());
  for (const LayerShape& layer : network_.layers()) {
    buffers_->outputs.emplace_back(static_cast<std::size_t>(options.batch * layer.outputs));
    widest = std::max(widest, layer.outputs);
  }
  const auto batch_outputs = static_cast<std::size_t>(options.batch * network_.outputs());
  buffers_->output_gradient.resize(static_cast<std::size_t>(options.batch * widest));
  buffers_->input_gradient.resize(static_cast<std::size_t>(options.batch * widest));
  buffers_->gradient.resize(network_.parameters().size());
  buffers_->velocity.resize(network_.parameters().size());
  buffers_->loss_terms.resize(batch_outputs);
  buffers_->predictions.resize(batch_outputs);
}

template <typename T>
Trainer<T>::Trainer(Trainer&&) noexcept = default;
template <typename T>
Trainer<T>& Trainer<T>::operator=(Trainer&&) noexcept = default;
template <typename T>
Trainer<T>::~Trainer() = default;

template <typename T>
Result<Trainer<T>> Trainer<T>::Create(Mlp<T> network, const TrainerOptions& options) {
  Status status = CheckOptions<T>(options, network.layers().back().activation);
  if (!status.ok()) return status;
  std::ptrdiff_t elements = 0;
  for (const LayerShape& layer : network.layers()) {
    if (__builtin_mul_overflow(options.batch, std::max(layer.inputs, layer.outputs), &elements)) {
      return Invalid(fmt::format("a batch of {} rows does not fit in the address space", options.batch));
    }
  }
  try {
    return Trainer(std::move(network), options);
  } catch (const std::exception&) {  // bad_alloc, or length_error for what no vector can hold
    return Status(StatusCode::kOutOfMemory, fmt::format("no memory to train with batches of {} rows", options.batch));
  }
}

template <typename T>
Status Trainer<T>::set_learning_rate(double learning_rate) {
  TrainerOptions options = options_;
  options.learning_rate = learning_rate;
  Status status = CheckOptions<T>(options, network_.layers().back().activation);
  if (status.ok()) options_ = options;
  return status;
}

// ---- One step --------------------------------------------------------------------------------------------------

namespace {

template <typename T>
GemmPlan PlanProduct(const Context& context, const MatrixView<const T>& a, const MatrixView<const T>& b) {
  return PlanGemm({.type = std::is_same_v<T, float> ? ElementType::kF32 : ElementType::kF64,
                   .m = a.rows,
                   .n = b.cols,
                   .k = a.cols,
                   .a_row_stride = a.row_stride,
                   .a_k_stride = a.col_stride,
                   .b_k_stride = b.row_stride,
                   .b_column_stride = b.col_stride},
                  context.kernels(), context.machine(), context.executor().Threads());
}

}  // namespace

// Checks x, and plans the step's products unless the last step's plans are theirs.
template <typename T>
Status Trainer<T>::Prepare(const Context& context, const MatrixView<const T>& x) {
  if (x.cols != network_.inputs()) {
    return Invalid(fmt::format("x has {} columns, the network takes {} inputs", x.cols, network_.inputs()));
  }
  if (x.rows < 1 || x.rows > options_.batch) {
    return Invalid(fmt::format("x has {} rows; a step takes 1 to {} (the batch size)", x.rows, options_.batch));
  }
  const internal::ByteRange x_range = internal::RangeOf(x);
  if (!x_range.IsValid()) return internal::CheckInput<T>("x", x).status();
  const std::vector<T>& gradient = buffers_->gradient;
  if (x_range.Overlaps(internal::RangeOf(gradient.data(), static_cast<std::ptrdiff_t>(gradient.size())))) {
    return Invalid("x overlaps the gradient, which a step writes");
  }

  const PlanKey key{.rows = x.rows,
                    .x_row_stride = x.row_stride,
                    .x_column_stride = x.col_stride,
                    .tier = LANEWISE_ROW_OF(T, context.kernels().table(), gemm).tier,
                    .threads = context.executor().Threads(),
                    .l2 = context.machine().l2,
                    .thread_break_even = context.machine().thread_break_even};
  if (key == buffers_->planned_for) return Status();
  MatrixView<const T> input = x;
  for (std::size_t l = 0; l < network_.layers().size(); ++l) {
    const MatrixView<const T> w = std::as_const(network_).weights(l);
    const MatrixView<const T> output(buffers_->outputs[l].data(), x.rows, w.cols);  // dz lies likewise
    LayerPlans& plans = buffers_->plans[l];
    plans.forward = PlanProduct<T>(context, input, w);
    plans.weights = PlanProduct<T>(context, input.Transposed(), output);
    if (l > 0) plans.input_gradient = PlanProduct<T>(context, output, w.Transposed());
    input = output;
  }
  buffers_->planned_for = key;
  return Status();
}

template <typename T>
Status Trainer<T>::Forward(Context& context, MatrixView<const T> x) {
  MatrixView<const T> input = x;
  for (std::size_t l = 0; l < network_.layers().size(); ++l) {
    const LayerShape& layer = network_.layers()[l];
    const bool last = l + 1 == network_.layers().size();
    const MatrixView<T> output(buffers_->outputs[l].data(), x.rows, layer.outputs);
    GemmOptions<T> options;
    options.bias = network_.bias(l).data();
    options.activation = last ? internal::ForwardActivation(options_.loss, layer.activation) : layer.activation;
    const MatrixView<const T> w = std::as_const(network_).weights(l);
    Status status = internal::RunGemm<T>(context, buffers_->plans[l].forward, input, w, output, options);
    if (!status.ok()) return status;
    input = output;
  }
  return Status();
}

template <typename T>
Status Trainer<T>::Backward(Context& context, MatrixView<const T> x) {
  const kernels::KernelTable& table = context.kernels().table();
  for (std::size_t l = network_.layers().size(); l-- > 0;) {
    const LayerShape& layer = network_.layers()[l];
    const MatrixView<const T> dz(buffers_->output_gradient.data(), x.rows, layer.outputs);
    const MatrixView<const T> input =
        l == 0 ? x : MatrixView<const T>(buffers_->outputs[l - 1].data(), x.rows, layer.inputs);
    // The gradient lies as the parameters do: W, then b.
    T* dw = buffers_->gradient.data() + (network_.weights(l).data - network_.parameters().data());
    const LayerPlans& plans = buffers_->plans[l];
    const GemmOptions<T> plain;
    Status status = internal::RunGemm<T>(context, plans.weights, input.Transposed(), dz,
                                         MatrixView<T>(dw, layer.inputs, layer.outputs), plain);
    if (!status.ok()) return status;
    LANEWISE_ROW_OF(T, table, column_sum)
        .run(dz.data, dz.row_stride, static_cast<std::size_t>(dz.rows), static_cast<std::size_t>(dz.cols),
             dw + layer.inputs * layer.outputs);
    if (l == 0) break;
    const MatrixView<T> dx(buffers_->input_gradient.data(), x.rows, layer.inputs);
    const MatrixView<const T> w = std::as_const(network_).weights(l).Transposed();
    status = internal::RunGemm<T>(context, plans.input_gradient, dz, w, dx, plain);
    if (!status.ok()) return status;
    internal::ActivationGradientRows<T>(table, network_.layers()[l - 1].activation, input, dx, dx);
    std::swap(buffers_->output_gradient, buffers_->input_gradient);
  }
  return Status();
}

template <typename T>
void Trainer<T>::Update(const Context& context) {
  LANEWISE_ROW_OF(T, context.kernels().table(), sgd)
      .run(network_.parameters().data(), buffers_->velocity.data(), buffers_->gradient.data(),
           network_.parameters().size(), static_cast<T>(options_.learning_rate), static_cast<T>(options_.momentum));
}

template <typename T>
Status Trainer<T>::CheckParameters(const Context& context) const {
  const std::span<const T> all = network_.parameters();
  // A finite sum has finite terms only; the kernel of sums is the fastest way to go over them.
  if (std::isfinite(LANEWISE_ROW_OF(T, context.kernels().table(), sum).run(all.data(), all.size()))) return Status();
  for (std::size_t l = 0; l < network_.layers().size(); ++l) {
    if (!network_.IsFinite(l)) {
      return Status(StatusCode::kDiverged,
                    fmt::format("a parameter of layer {} is not finite: training has diverged; a smaller learning rate "
                                "may help",
                                l));
    }
  }
  return Status();
}

template <typename T>
Result<double> Trainer<T>::LossAndGradient(Context& context, MatrixView<const T> x, const Targets& targets) {
  const std::ptrdiff_t outputs = network_.outputs();
  Status status = Prepare(context, x);
  if (!status.ok()) return status;
  status = Forward(context, x);
  if (!status.ok()) return status;
  const internal::LossArgs<T> args{
      .loss = options_.loss,
      .activation = network_.layers().back().activation,
      .outputs = {buffers_->outputs.back().data(), x.rows, outputs},
      .labels = targets.labels,
      .targets = targets.values,
      .predictions = {buffers_->predictions.data(), x.rows, outputs},
      .gradient = {buffers_->output_gradient.data(), x.rows, outputs},
      .terms = buffers_->loss_terms.data(),
  };
  const double loss = internal::ComputeLoss(context.kernels().table(), args);
  if (!std::isfinite(loss)) {
    return Status(StatusCode::kDiverged,
                  fmt::format("the loss is {}: training has diverged; a smaller learning rate may help", loss));
  }
  status = Backward(context, x);
  if (!status.ok()) return status;
  return loss;
}

template <typename T>
Result<double> Trainer<T>::CheckedStep(Context& context, MatrixView<const T> x, const Targets& targets) {
  Result<double> loss = StepOn(context, x, targets);
  if (!loss.ok()) return loss;
  Status status = CheckParameters(context);
  if (!status.ok()) return status;
  return loss;
}

template <typename T>
Result<double> Trainer<T>::StepOn(Context& context, MatrixView<const T> x, const Targets& targets) {
  Result<double> loss = LossAndGradient(context, x, targets);
  if (loss.ok()) Update(context);
  return loss;
}

namespace {

Status CheckLabels(std::span<const std::int32_t> labels, std::ptrdiff_t rows, std::ptrdiff_t outputs, Loss loss) {
  if (loss != Loss::kSoftmaxCrossEntropy) {
    return Invalid(fmt::format("the loss {} takes targets, not labels", Name(loss)));
  }
  if (static_cast<std::ptrdiff_t>(labels.size()) != rows) {
    return Invalid(fmt::format("{} labels for {} rows", labels.size(), rows));
  }
  for (const std::int32_t label : labels) {
    if (label < 0 || label >= outputs)
      return Invalid(fmt::format("label {} is not below the {} outputs", label, outputs));
  }
  return Status();
}

Status NotAProbability(double target, std::ptrdiff_t sample) {
  return Invalid(fmt::format("target {} of sample {} is not in [0, 1], as the loss {} needs", target, sample,
                             Name(Loss::kSigmoidCrossEntropy)));
}

template <typename T>
Status CheckTargets(MatrixView<const T> targets, std::ptrdiff_t rows, std::ptrdiff_t outputs, Loss loss) {
  if (loss == Loss::kSoftmaxCrossEntropy) return Invalid(fmt::format("the loss {} takes labels", Name(loss)));
  if (targets.rows != rows || targets.cols != outputs) {
    return Invalid(fmt::format("targets are {} x {}; need {} x {}", targets.rows, targets.cols, rows, outputs));
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
Result<double> Trainer<T>::Step(Context& context, MatrixView<const T> x, std::span<const std::int32_t> labels) {
  Status status = CheckLabels(labels, x.rows, network_.outputs(), options_.loss);
  if (!status.ok()) return status;
  return CheckedStep(context, x, {labels, {}});
}

template <typename T>
Result<double> Trainer<T>::Step(Context& context, MatrixView<const T> x, MatrixView<const T> targets) {
  Status status = CheckTargets(targets, x.rows, network_.outputs(), options_.loss);
  if (!status.ok()) return status;
  return CheckedStep(context, x, {{}, targets});
}

template <typename T>
Result<std::span<const T>> Trainer<T>::Gradient(Context& context, MatrixView<const T> x,
                                                std::span<const std::int32_t> labels) {
  Status status = CheckLabels(labels, x.rows, network_.outputs(), options_.loss);
  if (!status.ok()) return status;
  const Result<double> loss = LossAndGradient(context, x, {labels, {}});
  if (!loss.ok()) return loss.status();
  return std::span<const T>(buffers_->gradient);
}

template <typename T>
Result<std::span<const T>> Trainer<T>::Gradient(Context& context, MatrixView<const T> x, MatrixView<const T> targets) {
  Status status = CheckTargets(targets, x.rows, network_.outputs(), options_.loss);
  if (!status.ok()) return status;
  const Result<double> loss = LossAndGradient(context, x, {{}, targets});
  if (!loss.ok()) return loss.status();
  return std::span<const T>(buffers_->gradient);
}

// ---- One epoch -------------------------------------------------------------------------------------------------

template <typename T>
Result<EpochResult> Trainer<T>::Epoch(Context& context, const Dataset& data, std::uint32_t epoch,
                                      const std::function<bool(std::ptrdiff_t)>& progress) {
  const std::ptrdiff_t outputs = network_.outputs();
  Status status = internal::CheckTargets(data, network_.inputs(), outputs);
  if (!status.ok()) return status;
  const bool by_label = options_.loss == Loss::kSoftmaxCrossEntropy;
  if (by_label && (data.labels.empty() || data.classes > outputs)) {
    return Invalid(fmt::format("the loss {} needs labels, and an output for each class", Name(options_.loss)));
  }
  if (options_.loss == Loss::kSigmoidCrossEntropy && data.labels.empty()) {
    const auto found = std::ranges::find_if(data.targets, [](float t) { return t < 0 || t > 1; });
    if (found != data.targets.end()) return NotAProbability(*found, (found - data.targets.begin()) / data.target_count);
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
  EpochResult result;
  double loss_sum = 0;
  std::ptrdiff_t correct = 0;
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
    const MatrixView<const T> x(buffers.x.data(), rows, data.features);
    const std::span<const std::int32_t> labels(buffers.labels.data(), static_cast<std::size_t>(rows));
    const Result<double> loss =
        StepOn(context, x, by_label ? Targets{labels, {}} : Targets{{}, {buffers.targets.data(), rows, outputs}});
    if (!loss.ok()) {
      return Status(loss.status().code(), fmt::format("epoch {}, samples {} to {}: {}", epoch, result.samples,
                                                      result.samples + rows, loss.status().message()));
    }
    loss_sum += *loss * static_cast<double>(rows);
    for (std::ptrdiff_t r = 0; r < rows && !data.labels.empty(); ++r) {
      const std::span<const T> row(buffers.predictions.data() + r * outputs, static_cast<std::size_t>(outputs));
      correct += internal::PredictedClass(row) == labels[static_cast<std::size_t>(r)];
    }
    result.samples += rows;
    if (progress && !progress(result.samples)) break;
  }
  status = CheckParameters(context);
  if (!status.ok()) return Status(status.code(), fmt::format("epoch {}: {}", epoch, status.message()));
  result.loss = loss_sum / static_cast<double>(result.samples);
  result.accuracy = static_cast<double>(correct) / static_cast<double>(result.samples);
  return result;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace lanewise
