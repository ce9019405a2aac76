// SPDX-License-Identifier: Apache-2.0

#include "training_step.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "apply_activation.h"
#include "format.h"
#include "gemm_run.h"
#include "loss.h"
#include "typed_rows.h"
#include "view_check.h"

namespace lanewise::internal {

namespace {

Status Invalid(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

template <typename T>
GemmPlan PlanProduct(const Context& context, const MatrixView<const T>& a, const MatrixView<const T>& b) {
  return PlanGemm(ShapeOf(a, b), context.kernels(), context.machine(), context.executor().Threads());
}

}  // namespace

template <typename T>
TrainingStep<T>::TrainingStep(const Mlp<T>& network, const TrainerOptions& options) {
  std::ptrdiff_t widest = 0;
  for (const LayerShape& layer : network.layers()) {
    outputs_.emplace_back(static_cast<std::size_t>(options.batch * layer.outputs));
    widest = std::max(widest, layer.outputs);
  }
  layers_.resize(network.layers().size());
  const auto batch_outputs = static_cast<std::size_t>(options.batch * network.outputs());
  for (AlignedVector<T>& dz : dz_) dz.resize(static_cast<std::size_t>(options.batch * widest));
  gradient_.resize(network.parameters().size());
  velocity_.resize(network.parameters().size());
  loss_terms_.resize(batch_outputs);
  predictions_.resize(batch_outputs);
}

// Checks x, and prepares the layers unless the last step's are right.
template <typename T>
Status TrainingStep<T>::Prepare(const Context& context, const Mlp<T>& network, const TrainerOptions& options,
                                const MatrixView<const T>& x) {
  if (x.cols != network.inputs()) {
    return Invalid(Format("x has {} columns, the network takes {} inputs", x.cols, network.inputs()));
  }
  if (x.rows < 1 || x.rows > options.batch) {
    return Invalid(Format("x has {} rows; a step takes 1 to {} (the batch size)", x.rows, options.batch));
  }
  const ByteRange x_range = RangeOf(x);
  if (!x_range.IsValid()) return CheckInput<T>("x", x).status();
  if (x_range.Overlaps(RangeOf(gradient_.data(), static_cast<std::ptrdiff_t>(gradient_.size())))) {
    return Invalid("x overlaps the gradient, which a step writes");
  }

  const Key key{.rows = x.rows,
                .x_row_stride = x.row_stride,
                .x_column_stride = x.col_stride,
                .tier = GemmRow<T>(context.kernels().table()).tier,
                .threads = context.executor().Threads(),
                .machine = context.machine()};
  if (key == prepared_for_) return Status();
  MatrixView<const T> input = x;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const LayerShape& shape = network.layers()[l];
    const bool last = l + 1 == layers_.size();
    Layer& layer = layers_[l];
    layer.w = network.weights(l);
    layer.dw = {gradient_.data() + (layer.w.data - network.parameters().data()), shape.inputs, shape.outputs};
    layer.output = {outputs_[l].data(), x.rows, shape.outputs};
    layer.dz = {dz_[l % 2].data(), x.rows, shape.outputs};
    layer.activation = shape.activation;
    layer.options.bias = network.bias(l).data();
    layer.options.activation = last ? ForwardActivation(options.loss, shape.activation) : shape.activation;
    layer.forward = PlanProduct<T>(context, input, layer.w);
    layer.weights = PlanProduct<T>(context, input.Transposed(), layer.dz);
    if (l > 0) layer.input_gradient = PlanProduct<T>(context, layer.dz, layer.w.Transposed());
    input = layer.output;
  }
  prepared_for_ = key;
  return Status();
}

template <typename T>
Status TrainingStep<T>::Forward(Context& context, const MatrixView<const T>& x) {
  MatrixView<const T> input = x;
  for (const Layer& layer : layers_) {
    Status status = RunGemm(context, layer.forward, input, layer.w, layer.output, layer.options);
    if (!status.ok()) return status;
    input = layer.output;
  }
  return Status();
}

template <typename T>
Status TrainingStep<T>::Backward(Context& context, const MatrixView<const T>& x) {
  const kernels::KernelTable& table = context.kernels().table();
  const GemmOptions<T> plain;
  for (std::size_t l = layers_.size(); l-- > 0;) {
    const Layer& layer = layers_[l];
    const MatrixView<const T> input = l == 0 ? x : layers_[l - 1].output;
    const MatrixView<const T> dz = layer.dz;
    Status status = RunGemm(context, layer.weights, input.Transposed(), dz, layer.dw, plain);
    if (!status.ok()) return status;
    LANEWISE_ROW_OF(T, table, column_sum)
        .run(dz.data, dz.row_stride, static_cast<std::size_t>(dz.rows), static_cast<std::size_t>(dz.cols),
             layer.dw.data + layer.dw.rows * layer.dw.cols);
    if (l == 0) break;
    const MatrixView<T>& dx = layers_[l - 1].dz;
    status = RunGemm(context, layer.input_gradient, dz, layer.w.Transposed(), dx, plain);
    if (!status.ok()) return status;
    ActivationGradientRows<T>(table, layers_[l - 1].activation, input, dx, dx);
  }
  return Status();
}

template <typename T>
Result<double> TrainingStep<T>::LossAndGradient(Context& context, const Mlp<T>& network, const TrainerOptions& options,
                                                const Batch<T>& batch) {
  Status status = Prepare(context, network, options, batch.x);
  if (!status.ok()) return status;
  status = Forward(context, batch.x);
  if (!status.ok()) return status;
  const Layer& last = layers_.back();
  const double loss = ComputeLoss<T>(context.kernels().table(),
                                     {.loss = options.loss,
                                      .activation = last.activation,
                                      .outputs = last.output,
                                      .labels = batch.labels,
                                      .targets = batch.targets,
                                      .predictions = {predictions_.data(), last.output.rows, last.output.cols},
                                      .gradient = last.dz,
                                      .terms = loss_terms_.data()});
  if (!std::isfinite(loss)) {
    return Status(StatusCode::kDiverged,
                  Format("the loss is {}: training has diverged; a smaller learning rate may help", loss));
  }
  status = Backward(context, batch.x);
  if (!status.ok()) return status;
  return loss;
}

template <typename T>
void TrainingStep<T>::Update(const Context& context, Mlp<T>& network, const TrainerOptions& options) {
  LANEWISE_ROW_OF(T, context.kernels().table(), sgd)
      .run(network.parameters().data(), velocity_.data(), gradient_.data(), gradient_.size(),
           static_cast<T>(options.learning_rate), static_cast<T>(options.momentum));
}

template class TrainingStep<float>;
template class TrainingStep<double>;

}  // namespace lanewise::internal
