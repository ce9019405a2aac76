// SPDX-License-Identifier: Apache-2.0
//
// Trainer<T>: mini-batch gradient descent with momentum.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "lanewise/context.h"
#include "lanewise/dataset.h"
#include "lanewise/mlp.h"
#include "lanewise/status.h"

namespace lanewise {

namespace internal {
template <typename T>
struct Batch;
}

// What is minimised, for a batch of B samples with N outputs y and targets t. Means are over the batch and, but for the
// first, over the outputs (as PyTorch's CrossEntropyLoss, BCELoss and MSELoss).
//
// Operation by operation, with the functions of functions.h, every other operation rounded once, and z the last layer's
// sums, before its activation:
//
//   kSoftmaxCrossEntropy   l = LogSoftmax(z), p = Exp(l); term of a sample: -l[label]
//                          dz = p * s, at the label (p - 1) * s;  s = 1 / B
//   kSigmoidCrossEntropy   y = Sigmoid(z); terms: (Relu(z) - z * t) + Log1p(Exp(-|z|))
//                          dz = (y - t) * s;  s = 1 / (B * N)
//   kSquaredError          terms: (y - t) * (y - t)
//                          dy = (y - t) * s, dz by the activation's gradient from y and dy;  s = 2 / (B * N)
//
// s is divided in double and then rounded to T. The loss is the sum of the terms, as a double, divided by B, or B * N.
// The sum is one of T over 16 lanes: term i, row by row, goes to lane i mod 16, ascending, from +0; then the lanes are
// added over a binary tree of neighbours. The cross-entropies stay finite where a probability rounds to 0 or 1.
enum class Loss : std::uint8_t {
  kSoftmaxCrossEntropy,  // - log y[label]; the last layer's activation must be softmax
  kSigmoidCrossEntropy,  // - t log y - (1 - t) log(1 - y); the last activation must be sigmoid
  kSquaredError,         // (y - t)^2; any activation
};

// "softmax-cross-entropy", "sigmoid-cross-entropy", "squared-error".
std::string_view Name(Loss loss);

// The loss of that name, if there is one.
std::optional<Loss> LossFromName(std::string_view name);

struct TrainerOptions {
  Loss loss = Loss::kSoftmaxCrossEntropy;
  double learning_rate = 0.1;  // > 0, and neither 0 nor infinite as T
  double momentum = 0.9;       // in [0, 1), as T too
  std::ptrdiff_t batch = 128;  // rows per step, at most; >= 1
  std::uint64_t seed = 1;      // of the order of samples
  double input_scale = 1;      // a data set's inputs are multiplied by it: 1/255 for images; finite as T

  friend bool operator==(const TrainerOptions&, const TrainerOptions&) = default;
};

struct EpochResult {
  double loss = 0;      // mean over the samples, each as it was when its batch came
  double accuracy = 0;  // the share of samples classified rightly, likewise; 0 without labels
  std::ptrdiff_t samples = 0;
  // What the two are means of; an epoch that goes on adds to them.
  double loss_sum = 0;
  std::ptrdiff_t correct = 0;
};

// Trains one network. The parameters after a number of steps are the same bits on every tier of a numeric class and for
// any number of threads. Each step is, in this order (v starts at 0):
//   forward over the batch; the loss and its gradient dz; for each layer from the last to the first
//     dW = x' dz, a product as Gemm's (its K are the batch's rows)
//     db = the column sums of dz: each chunk of 256 rows, ascending, from +0, and their sums, ascending, from +0
//     dz of the layer before: dy = dz W', as Gemm's, and the activation's gradient from its output y and dy
//   v = momentum * v + gradient; w = w - learning_rate * v, each a multiply-add:
//     an fma, in the class mul-add with two roundings
// Not shared between threads.
template <typename T>
class Trainer {
 public:
  // Takes the network as it is (see Mlp::Initialise), and v as another trainer's velocity() or zero. kInvalidArgument
  // for options out of range, a loss that does not go with the last activation, naming what would, or a velocity that
  // has not one finite number for each parameter; kOutOfMemory.
  static Result<Trainer> Create(Mlp<T> network, const TrainerOptions& options, std::span<const T> velocity = {});

  // One step on a batch: x (rows x inputs), and labels (one per row) or targets (rows x outputs). Returns the loss
  // before the step. kInvalidArgument for shapes that do not match, more rows than options.batch, labels without a
  // class, targets outside [0, 1] for kSigmoidCrossEntropy, or an x that overlaps what Gradient returned, which every
  // step overwrites; kDiverged if the loss is not finite (the parameters are
  // then as before the step) or a parameter is not after it, naming its layer; errors of Gemm.
  Result<double> Step(Context& context, const MatrixView<const T>& x, std::span<const std::int32_t> labels);
  Result<double> Step(Context& context, const MatrixView<const T>& x, const MatrixView<const T>& targets);

  // Once over all samples, in the order that (seed, epoch) shuffles them into; the last batch may be smaller. Calls
  // progress(samples done) after each step; a return of false stops there (the result counts what was done). With such
  // a result as `done` the epoch goes on behind its samples, and returns what it would have returned without the stop.
  // Errors: kInvalidArgument if the data set does not fit the network and loss, or `done` is no result of batches of
  // this data set; kDiverged if a loss or a parameter is not finite, naming the step or the layer.
  Result<EpochResult> Epoch(Context& context, const Dataset& data, std::uint32_t epoch,
                            const std::function<bool(std::ptrdiff_t)>& progress = nullptr,
                            const EpochResult& done = {});

  // The gradient of the loss at x with respect to all parameters (in the order of Mlp::parameters), without a step; for
  // checks. Valid until the next call. Errors as Step's.
  Result<std::span<const T>> Gradient(Context& context, const MatrixView<const T>& x,
                                      std::span<const std::int32_t> labels);
  Result<std::span<const T>> Gradient(Context& context, const MatrixView<const T>& x,
                                      const MatrixView<const T>& targets);

  // For schedules: the learning rate of the steps to come. kInvalidArgument unless it is a positive number.
  Status set_learning_rate(double learning_rate);

  const Mlp<T>& network() const { return network_; }
  const TrainerOptions& options() const { return options_; }
  // v, in the order of Mlp::parameters. Valid until the trainer is moved or ends.
  std::span<const T> velocity() const;

  Trainer(Trainer&&) noexcept;
  Trainer& operator=(Trainer&&) noexcept;
  ~Trainer();

 private:
  struct Buffers;
  Trainer(Mlp<T> network, const TrainerOptions& options);
  Result<double> StepOn(Context& context, const internal::Batch<T>& batch);
  Result<double> CheckedStep(Context& context, const internal::Batch<T>& batch);
  Result<std::span<const T>> GradientOf(Context& context, const internal::Batch<T>& batch);
  Status CheckParameters(const Context& context) const;

  Mlp<T> network_;
  TrainerOptions options_;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace lanewise
