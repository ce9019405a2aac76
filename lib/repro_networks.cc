// SPDX-License-Identifier: Apache-2.0
//
// The fixed work: losses and their gradients, forward passes, training and its model file.

#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "format.h"
#include "lanewise/mlp.h"
#include "lanewise/model_file.h"
#include "lanewise/trainer.h"
#include "lanewise/verify.h"
#include "repro_parts.h"

namespace lanewise::internal {
namespace {

using enum Activation;

template <typename T>
Result<Mlp<T>> MakeNetwork(const std::vector<LayerShape>& layers) {
  Result<Mlp<T>> network = Mlp<T>::Create(layers);
  if (network.ok()) network->Initialise(1);
  return network;
}

std::string Describe(const std::vector<LayerShape>& layers) {
  std::string text = std::to_string(layers[0].inputs);
  for (const LayerShape& layer : layers) text += Format("-{} {}", layer.outputs, Name(layer.activation));
  return text;
}

template <typename T>
void VisitForward(Visitor& visitor) {
  constexpr std::ptrdiff_t kRows = 100;
  for (const std::vector<LayerShape>& layers : {std::vector<LayerShape>{{10, 20, kRelu}, {20, 5, kSigmoid}},
                                                {{784, 30, kSigmoid}, {30, 10, kSoftmax}},
                                                {{101, 10, kTanh}, {10, 1, kSigmoid}}}) {
    Random random = visitor.Numbers();
    const std::ptrdiff_t inputs = layers.front().inputs;
    const std::ptrdiff_t outputs = layers.back().outputs;
    const std::vector<T> values = Uniform<T>(kRows * inputs, -1, 1, random);
    Dataset pixels{.samples = kRows, .features = inputs};
    for (std::ptrdiff_t i = 0; i < kRows * inputs; ++i) {
      pixels.bytes.push_back(static_cast<std::uint8_t>(random.Below(256)));
    }
    for (const bool bytes : {false, true}) {
      visitor.Visit({Format("forward {}", kType<T>),
                     Format("{}, {} rows{}", Describe(layers), kRows, bytes ? " of bytes" : ""), outputs,
                     [&](Context& context, const Variation& v, Elements& out) {
                       const Result<Mlp<T>> network = MakeNetwork<T>(layers);
                       if (!network.ok()) return network.status();
                       const Result<PackedMlp<T>> packed = PackedMlp<T>::Pack(context.kernels(), *network);
                       if (!packed.ok()) return packed.status();
                       const ShiftedMatrix<T> x(values, kRows, inputs, false, v.offset, v.offset);
                       const ShiftedMatrix<T> y(values, kRows, outputs, false, v.offset, v.offset);
                       Status status = InBatches(kRows, v.batch, [&](std::ptrdiff_t first, std::ptrdiff_t count) {
                         const MatrixView<T> rows = y.view.Rows(first, count);
                         return bytes ? packed->Predict(context, pixels, first, T{1} / T{255}, rows)
                                      : packed->Predict(context, x.view.Rows(first, count), rows);
                       });
                       Append<T>(y.view, out);
                       return status;
                     }});
    }
  }
}

template <typename T>
void VisitLosses(Visitor& visitor) {
  constexpr std::ptrdiff_t kRows = 300;  // more than one chunk of the gradient's sums
  constexpr std::ptrdiff_t kInputs = 12;
  constexpr std::ptrdiff_t kOutputs = 5;
  constexpr std::pair<Loss, Activation> kLosses[] = {
      {Loss::kSoftmaxCrossEntropy, kSoftmax}, {Loss::kSigmoidCrossEntropy, kSigmoid}, {Loss::kSquaredError, kIdentity},
      {Loss::kSquaredError, kRelu},           {Loss::kSquaredError, kSigmoid},        {Loss::kSquaredError, kTanh},
      {Loss::kSquaredError, kSoftmax},        {Loss::kSquaredError, kLeakyRelu}};
  for (const auto& [loss, activation] : kLosses) {
    Random random = visitor.Numbers();
    const std::vector<T> x_values = Uniform<T>(kRows * kInputs, -3, 3, random);
    const std::vector<T> target_values = Uniform<T>(kRows * kOutputs, 0, 1, random);
    std::vector<std::int32_t> labels(kRows);
    for (std::int32_t& label : labels) label = static_cast<std::int32_t>(random.Below(kOutputs));
    visitor.Visit({Format("losses {}", kType<T>), Format("{} of {}: loss, gradient", Name(loss), Name(activation)), 0,
                   [&, l = loss, a = activation](Context& context, const Variation& v, Elements& out) {
                     Result<Mlp<T>> network = MakeNetwork<T>({{kInputs, 9, kTanh}, {9, kOutputs, a}});
                     if (!network.ok()) return network.status();
                     Result<Trainer<T>> trainer = Trainer<T>::Create(*std::move(network), {.loss = l, .batch = kRows});
                     if (!trainer.ok()) return trainer.status();
                     const ShiftedMatrix<T> x(x_values, kRows, kInputs, false, v.offset, v.offset);
                     const ShiftedMatrix<T> targets(target_values, kRows, kOutputs, false, v.offset, v.offset);
                     const bool by_label = l == Loss::kSoftmaxCrossEntropy;
                     const auto gradient = by_label ? trainer->Gradient(context, x.view, labels)
                                                    : trainer->Gradient(context, x.view, targets.view);
                     if (!gradient.ok()) return gradient.status();
                     const std::vector<T> kept(gradient->begin(), gradient->end());
                     const Result<double> value = by_label ? trainer->Step(context, x.view, labels)
                                                           : trainer->Step(context, x.view, targets.view);
                     if (!value.ok()) return value.status();
                     Append<double>({&*value, 1, 1}, out);
                     Append<T>({kept.data(), 1, std::ssize(kept)}, out);
                     return Status();
                   }});
  }
}

// ---- Training: 50 steps, 5 epochs of 10 ---------------------------------------------------------------------------

constexpr std::ptrdiff_t kSamples = 640;
constexpr std::ptrdiff_t kFeatures = 20;
constexpr std::ptrdiff_t kBatch = 64;
constexpr double kScale = 1.0 / 255;

Dataset MakeDataset(Random random) {
  Dataset data{.samples = kSamples, .features = kFeatures, .classes = 5};
  for (std::ptrdiff_t i = 0; i < kSamples; ++i) {
    data.labels.push_back(static_cast<std::int32_t>(random.Below(5)));
    for (std::ptrdiff_t j = 0; j < kFeatures; ++j) {
      data.bytes.push_back(static_cast<std::uint8_t>(random.Below(128) + (j % 5 == data.labels.back() ? 64 : 0)));
    }
  }
  return data;
}

// An epoch as lanewise/trainer.h describes it, batch after batch; each lies `offset` elements after a boundary.
template <typename T>
Result<double> EpochByHand(Context& context, const Dataset& data, std::uint32_t epoch, std::ptrdiff_t offset,
                           Trainer<T>& trainer) {
  std::vector<std::uint32_t> order(kSamples);
  std::iota(order.begin(), order.end(), 0U);
  Random random(trainer.options().seed, Stream::kShuffle, epoch);
  Shuffle(std::span(order), random);
  double loss_sum = 0;
  for (std::ptrdiff_t first = 0; first < kSamples; first += kBatch) {
    std::vector<T> x;
    std::vector<std::int32_t> labels;
    for (std::ptrdiff_t r = first; r < first + kBatch; ++r) {
      const std::size_t sample = order[static_cast<std::size_t>(r)];
      labels.push_back(data.labels[sample]);
      for (std::size_t j = 0; j < kFeatures; ++j) {
        x.push_back(static_cast<T>(data.bytes[sample * kFeatures + j]) * static_cast<T>(kScale));
      }
    }
    const ShiftedMatrix<T> rows(x, kBatch, kFeatures, false, offset, offset);
    const Result<double> loss = trainer.Step(context, rows.view, labels);
    if (!loss.ok()) return loss.status();
    loss_sum += *loss * static_cast<double>(kBatch);
  }
  return loss_sum / static_cast<double>(kSamples);
}

template <typename T>
struct Trained {
  Mlp<T> network;
  std::vector<double> losses;  // of the epochs
};

// Where arrays are to be aligned, the trainer makes the batches itself.
template <typename T>
Result<Trained<T>> Train(Context& context, const Variation& v, const Dataset& data) {
  Result<Mlp<T>> network = MakeNetwork<T>({{kFeatures, 40, kTanh}, {40, 30, kRelu}, {30, 5, kSoftmax}});
  if (!network.ok()) return network.status();
  Result<Trainer<T>> trainer =
      Trainer<T>::Create(*std::move(network), {.learning_rate = 0.05, .batch = kBatch, .input_scale = kScale});
  if (!trainer.ok()) return trainer.status();
  std::vector<double> losses;
  for (std::uint32_t epoch = 0; epoch < 5; ++epoch) {
    if (v.offset != 0) {
      const Result<double> loss = EpochByHand(context, data, epoch, v.offset, *trainer);
      if (!loss.ok()) return loss.status();
      losses.push_back(*loss);
    } else {
      const Result<EpochResult> result = trainer->Epoch(context, data, epoch);
      if (!result.ok()) return result.status();
      losses.push_back(result->loss);
    }
  }
  return Trained<T>{trainer->network(), std::move(losses)};
}

template <typename T>
void VisitTraining(Visitor& visitor) {
  const Dataset data = MakeDataset(visitor.Numbers());
  const std::string topic = Format("training {}", kType<T>);
  visitor.Visit({topic, "20-40-30-5, 50 steps: the losses of 5 epochs, the parameters", 0,
                 [&](Context& context, const Variation& v, Elements& out) {
                   const Result<Trained<T>> trained = Train<T>(context, v, data);
                   if (!trained.ok()) return trained.status();
                   Append<double>({trained->losses.data(), 1, std::ssize(trained->losses)}, out);
                   const std::span<const T> parameters = trained->network.parameters();
                   Append<T>({parameters.data(), 1, std::ssize(parameters)}, out);
                   return Status();
                 }});
  visitor.Visit({topic, "20-40-30-5, 50 steps: the bytes of the model file", 0,
                 [&](Context& context, const Variation& v, Elements& out) {
                   Result<Trained<T>> trained = Train<T>(context, v, data);
                   if (!trained.ok()) return trained.status();
                   Model<T> model{.network = std::move(trained->network), .input_scale = kScale};
                   Status status = AddGoldenCases(context, model);
                   if (!status.ok()) return status;
                   const Result<std::string> bytes = ModelBytes(model);
                   if (!bytes.ok()) return bytes.status();
                   for (const char byte : *bytes) out.push_back(ElementOf<float>(static_cast<unsigned char>(byte)));
                   return Status();
                 }});
}

}  // namespace

template <typename T>
void VisitNetworks(Visitor& visitor) {
  VisitLosses<T>(visitor);
  VisitForward<T>(visitor);
  VisitTraining<T>(visitor);
}

template void VisitNetworks<float>(Visitor&);
template void VisitNetworks<double>(Visitor&);

}  // namespace lanewise::internal
