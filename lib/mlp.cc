// SPDX-License-Identifier: Apache-2.0

#include "lanewise/mlp.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include "aligned.h"
#include "format.h"
#include "gather.h"
#include "gemm_run.h"
#include "kernel_table.h"
#include "lanewise/gemm.h"
#include "lanewise/random.h"
#include "view_check.h"

namespace lanewise {

namespace {

Status NoMemory(const char* for_what) { return Status(StatusCode::kOutOfMemory, Format("no memory for {}", for_what)); }

// What the variance of initial weights is inversely proportional to.
double Fan(const LayerShape& layer) {
  const auto inputs = static_cast<double>(layer.inputs);
  constexpr double kSlope = kernels::kLeakyReluSlope;
  if (layer.activation == Activation::kRelu) return inputs;
  if (layer.activation == Activation::kLeakyRelu) return (1 + kSlope * kSlope) * inputs;
  return inputs + static_cast<double>(layer.outputs);
}

// The number of parameters of a layer; false if it does not fit.
bool CountParameters(const LayerShape& layer, std::ptrdiff_t* count) {
  return !__builtin_mul_overflow(layer.inputs, layer.outputs, count) &&
         !__builtin_add_overflow(*count, layer.outputs, count);
}

}  // namespace

template <typename T>
Result<Mlp<T>> Mlp<T>::Create(std::vector<LayerShape> layers) {
  const auto invalid = [](std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); };
  if (layers.empty()) return invalid("a network needs at least one layer");
  Mlp network;
  try {
    std::ptrdiff_t total = 0;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const LayerShape& layer = layers[l];
      if (layer.inputs < 1 || layer.outputs < 1) {
        return invalid(Format("layer {} is {} x {}; sizes must be at least 1", l, layer.inputs, layer.outputs));
      }
      if (l > 0 && layer.inputs != layers[l - 1].outputs) {
        return invalid(Format("layer {} takes {} inputs, but layer {} gives {} outputs", l, layer.inputs, l - 1,
                              layers[l - 1].outputs));
      }
      network.offsets_.push_back(static_cast<std::size_t>(total));
      std::ptrdiff_t count = 0;
      if (!CountParameters(layer, &count) || __builtin_add_overflow(total, count, &total) ||
          total > PTRDIFF_MAX / static_cast<std::ptrdiff_t>(sizeof(T))) {
        return invalid(Format("layer {} of {} x {} does not fit in the address space", l, layer.inputs, layer.outputs));
      }
    }
    network.parameters_.resize(static_cast<std::size_t>(total));
  } catch (const std::bad_alloc&) {
    return NoMemory("the parameters of the network");
  }
  network.layers_ = std::move(layers);
  return network;
}

template <typename T>
void Mlp<T>::Initialise(std::uint64_t seed) {
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const LayerShape& layer = layers_[l];
    const double range = std::sqrt(6.0 / Fan(layer));
    Random random(seed, Stream::kInitialise, static_cast<std::uint32_t>(l));
    T* w = parameters_.data() + offsets_[l];
    const std::ptrdiff_t count = layer.inputs * layer.outputs;
    for (std::ptrdiff_t i = 0; i < count; ++i) w[i] = static_cast<T>((2.0 * random.UniformDouble() - 1.0) * range);
    std::ranges::fill(bias(l), T{0});
  }
}

template <typename T>
MatrixView<const T> Mlp<T>::weights(std::size_t layer) const {
  return {parameters_.data() + offsets_[layer], layers_[layer].inputs, layers_[layer].outputs};
}
template <typename T>
MatrixView<T> Mlp<T>::weights(std::size_t layer) {
  return {parameters_.data() + offsets_[layer], layers_[layer].inputs, layers_[layer].outputs};
}
template <typename T>
std::span<const T> Mlp<T>::bias(std::size_t layer) const {
  const MatrixView<const T> w = weights(layer);
  return {w.data + w.rows * w.cols, static_cast<std::size_t>(w.cols)};
}
template <typename T>
std::span<T> Mlp<T>::bias(std::size_t layer) {
  const MatrixView<T> w = weights(layer);
  return {w.data + w.rows * w.cols, static_cast<std::size_t>(w.cols)};
}

template <typename T>
bool Mlp<T>::IsFinite(std::size_t layer) const {
  const MatrixView<const T> w = weights(layer);  // followed by the bias
  return std::all_of(w.data, w.data + (w.rows + 1) * w.cols, [](T x) { return std::isfinite(x); });
}

// ---- Prediction ------------------------------------------------------------------------------------------------

namespace {

// Enough rows for every tile to be full, or nearly.
constexpr std::ptrdiff_t kLeastBlockRows = 32;

}  // namespace

template <typename T>
Result<PackedMlp<T>> PackedMlp<T>::Pack(const Kernels& kernels, const Mlp<T>& network) {
  PackedMlp packed;
  try {
    packed.layers_ = network.layers();
    packed.widest_ = network.inputs();
    for (std::size_t l = 0; l < network.layers().size(); ++l) {
      Result<PackedMatrix<T>> weights = PackedMatrix<T>::Pack(kernels, network.weights(l));
      if (!weights.ok()) return weights.status();
      packed.weights_.push_back(*std::move(weights));
      packed.biases_.emplace_back(network.bias(l).begin(), network.bias(l).end());
      packed.widest_ = std::max(packed.widest_, network.layers()[l].outputs);
    }
  } catch (const std::bad_alloc&) {
    return NoMemory("the packed weights of the network");
  }
  return packed;
}

// Rows that go through all layers together: what lies between two layers, twice, takes a quarter of L2.
template <typename T>
std::ptrdiff_t PackedMlp<T>::BlockRows(const Context& context) const {
  const std::size_t row_bytes = 2 * static_cast<std::size_t>(widest_) * sizeof(T);
  const auto rows = static_cast<std::ptrdiff_t>(context.machine().l2 / 4 / row_bytes);
  return std::clamp<std::ptrdiff_t>(rows, kLeastBlockRows, 1024) * std::max(1, context.executor().Threads());
}

template <typename T>
std::ptrdiff_t PackedMlp<T>::BlockRows(const Context& context, std::ptrdiff_t rows) const {
  return rows <= kLeastBlockRows ? std::max<std::ptrdiff_t>(rows, 1) : std::min(rows, BlockRows(context));
}

// One block through all layers. What one layer gives and the next takes alternates between `even` and `odd`.
template <typename T>
Status PackedMlp<T>::PredictBlock(Context& context, const MatrixView<const T>& x, const MatrixView<T>& y, T* even,
                                  T* odd) const {
  MatrixView<const T> input = x;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const bool last = l + 1 == layers_.size();
    const MatrixView<T> output = last ? y : MatrixView<T>(l % 2 == 0 ? even : odd, x.rows, layers_[l].outputs);
    GemmOptions<T> options;
    options.bias = biases_[l].data();
    options.activation = layers_[l].activation;
    Status status = internal::PlanAndRunGemm(context, input, weights_[l], output, options);
    if (!status.ok()) return status;
    input = output;
  }
  return Status();
}

template <typename T>
Status PackedMlp<T>::WhatIsWrong(const MatrixView<const T>& x, const MatrixView<T>& y) const {
  if (x.cols != inputs() || y.cols != outputs() || x.rows != y.rows) {
    return Status(StatusCode::kInvalidArgument,
                  Format("shapes do not match: x is {} x {}, y is {} x {}, the network takes {} inputs and gives {} "
                         "outputs",
                         x.rows, x.cols, y.rows, y.cols, inputs(), outputs()));
  }
  const Result<internal::ByteRange> y_range = internal::CheckOutput<T>("y", y);
  if (!y_range.ok()) return y_range.status();
  const Result<internal::ByteRange> x_range = internal::CheckInput<T>("x", x);
  if (!x_range.ok()) return x_range.status();
  return Status(StatusCode::kInvalidArgument, "y overlaps x; the answers need memory of their own");
}

template <typename T>
Status PackedMlp<T>::Predict(Context& context, const MatrixView<const T>& x, const MatrixView<T>& y) const {
  const internal::ByteRange x_range = internal::RangeOf(x);
  const internal::ByteRange y_range = internal::RangeOf(y);
  if (x.cols != inputs() || y.cols != outputs() || x.rows != y.rows || !x_range.IsValid() || !y_range.IsValid() ||
      !internal::IsWritable(y) || y_range.Overlaps(x_range)) {
    return WhatIsWrong(x, y);
  }
  const std::ptrdiff_t block = BlockRows(context, x.rows);
  const std::size_t half = internal::RoundUpToLine<T>(static_cast<std::size_t>(block * widest_));
  T* even = static_cast<T*>(context.ScratchMemory(Scratch::kActivations, 2 * half * sizeof(T)));
  if (even == nullptr) return NoMemory("the activations of a block of rows");
  for (std::ptrdiff_t i = 0; i < x.rows; i += block) {
    const std::ptrdiff_t rows = std::min(block, x.rows - i);
    Status status = PredictBlock(context, x.Rows(i, rows), y.Rows(i, rows), even, even + half);
    if (!status.ok()) return status;
  }
  return Status();
}

template <typename T>
Status PackedMlp<T>::Predict(Context& context, const Dataset& data, std::ptrdiff_t first, T input_scale,
                             const MatrixView<T>& y) const {
  if (data.features != inputs() || y.cols != outputs()) {
    return Status(StatusCode::kInvalidArgument,
                  Format("shapes do not match: the data set has {} features, y is {} x {}, the network takes {} "
                         "inputs and gives {} outputs",
                         data.features, y.rows, y.cols, inputs(), outputs()));
  }
  const Result<internal::ByteRange> y_range = internal::CheckOutput<T>("y", y);
  if (!y_range.ok()) return y_range.status();
  if (first < 0 || first > data.samples || y.rows > data.samples - first) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{} samples from {} on were asked for; the data set has {}", y.rows, first, data.samples));
  }
  const std::size_t data_inputs = data.bytes.empty() ? data.values.size() : data.bytes.size();
  if (data_inputs / static_cast<std::size_t>(data.features) < static_cast<std::size_t>(data.samples)) {
    return Status(StatusCode::kInvalidArgument, Format("the data set has {} inputs for {} samples of {} features",
                                                       data_inputs, data.samples, data.features));
  }
  const std::ptrdiff_t block = BlockRows(context, y.rows);
  const std::size_t third = internal::RoundUpToLine<T>(static_cast<std::size_t>(block * widest_));
  T* even = static_cast<T*>(context.ScratchMemory(Scratch::kActivations, 3 * third * sizeof(T)));
  if (even == nullptr) return NoMemory("the activations of a block of samples");
  T* x = even + 2 * third;
  for (std::ptrdiff_t i = 0; i < y.rows; i += block) {
    const std::ptrdiff_t rows = std::min(block, y.rows - i);
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
      internal::ReadSample(context.kernels().table(), data, first + i + r, input_scale, x + r * data.features);
    }
    Status status = PredictBlock(context, {x, rows, data.features}, y.Rows(i, rows), even, even + third);
    if (!status.ok()) return status;
  }
  return Status();
}

// ---- Evaluation ------------------------------------------------------------------------------------------------

template <typename T>
Result<Evaluation> Evaluate(Context& context, const PackedMlp<T>& network, const Dataset& data, T input_scale) {
  const Status fits = internal::CheckTargets(data, network.inputs(), network.outputs());
  if (!fits.ok()) return fits;
  const std::ptrdiff_t outputs = network.outputs();
  Evaluation result;
  result.samples = data.samples;
  try {
    if (!data.labels.empty()) {
      result.classes = static_cast<std::int32_t>(std::max<std::ptrdiff_t>(outputs, 2));
      if (result.classes <= kMostConfusionClasses) {
        result.confusion.resize(static_cast<std::size_t>(result.classes) * static_cast<std::size_t>(result.classes));
      }
    }
    constexpr std::ptrdiff_t kBlock = 1024;
    std::vector<T> y(static_cast<std::size_t>(kBlock * outputs));
    std::vector<T> target(static_cast<std::size_t>(outputs));
    for (std::ptrdiff_t i = 0; i < data.samples; i += kBlock) {
      const std::ptrdiff_t rows = std::min(kBlock, data.samples - i);
      Status status = network.Predict(context, data, i, input_scale, {y.data(), rows, outputs});
      if (!status.ok()) return status;
      for (std::ptrdiff_t r = 0; r < rows; ++r) {
        const std::span<const T> row(y.data() + r * outputs, static_cast<std::size_t>(outputs));
        internal::ReadTarget<T>(data, i + r, target);
        for (std::size_t j = 0; j < row.size(); ++j) {
          const double error = static_cast<double>(row[j]) - static_cast<double>(target[j]);
          result.squared_error += error * error;
        }
        if (data.labels.empty()) continue;
        const std::int32_t label = data.labels[static_cast<std::size_t>(i + r)];
        const std::int32_t predicted = internal::PredictedClass(row);
        if (!result.confusion.empty()) {
          ++result.confusion[static_cast<std::size_t>(label) * static_cast<std::size_t>(result.classes) +
                             static_cast<std::size_t>(predicted)];
        }
        result.correct += predicted == label;
      }
    }
  } catch (const std::exception&) {  // bad_alloc, or length_error for what no vector can hold
    return NoMemory("evaluating a block of samples");
  }
  result.squared_error /= static_cast<double>(data.samples) * static_cast<double>(outputs);
  result.accuracy = static_cast<double>(result.correct) / static_cast<double>(data.samples);
  return result;
}

#define LANEWISE_INSTANTIATE(T) \
  template class Mlp<T>;        \
  template class PackedMlp<T>;  \
  template Result<Evaluation> Evaluate(Context&, const PackedMlp<T>&, const Dataset&, T);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
#undef LANEWISE_INSTANTIATE

}  // namespace lanewise
