// SPDX-License-Identifier: Apache-2.0
//
// One step of training, operation by operation: what is computed here decides the bits of every model, so nothing but
// kernels, IEEE arithmetic in a stated order and sqrt takes part in it. Knows nothing of data sets and epochs; its
// callers have checked labels and targets.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lanewise/aligned_vector.h"
#include "lanewise/gemm.h"
#include "lanewise/mlp.h"
#include "lanewise/trainer.h"

namespace lanewise::internal {

// What Trainer::Create asks of the options of a network that ends in `last`. kInvalidArgument.
template <typename T>
Status CheckOptions(const TrainerOptions& options, Activation last);

// Whether that is one finite number for each of so many parameters.
template <typename T>
bool IsVelocity(std::span<const T> velocity, std::size_t parameters);

// Whether sums and counts of an epoch can be what they say.
bool IsPossible(const EpochResult& result);

// The means, from the sums.
void SetMeans(EpochResult& result);

// Some samples, and the labels or the targets that the loss takes.
template <typename T>
struct Batch {
  MatrixView<const T> x;
  std::span<const std::int32_t> labels;
  MatrixView<const T> targets;
};

// The memory of the steps of one network, and what can be prepared for them. Matrices have room for options.batch rows,
// of which a step uses the first.
template <typename T>
class TrainingStep {
 public:
  // std::bad_alloc or std::length_error.
  TrainingStep(const Mlp<T>& network, const TrainerOptions& options);

  // The loss of the batch, and its gradient with respect to all parameters. Every call takes the network that the step
  // was made for, whose parameters stay where they are.
  Result<double> LossAndGradient(Context& context, const Mlp<T>& network, const TrainerOptions& options,
                                 const Batch<T>& batch);

  // v = momentum * v + gradient; w = w - learning_rate * v
  void Update(const Context& context, Mlp<T>& network, const TrainerOptions& options);

  std::span<const T> gradient() const { return gradient_; }
  std::span<const T> velocity() const { return velocity_; }
  std::span<T> velocity() { return velocity_; }
  // What the network answered to the last batch, one row after the other.
  std::span<const T> predictions() const { return predictions_; }

 private:
  // What plans depend on besides the network.
  struct Key {
    std::ptrdiff_t rows = 0, x_row_stride = 0, x_column_stride = 0;
    Tier tier = Tier::kPortable;
    int threads = 0;
    Machine machine;
    friend bool operator==(const Key&, const Key&) = default;
  };

  // A layer in a step of so many rows.
  struct Layer {
    GemmPlan forward;         // input * W
    GemmPlan weights;         // input' * dz
    GemmPlan input_gradient;  // dz * W'; not of the first layer
    MatrixView<const T> w;    // inputs x outputs
    MatrixView<T> dw;         // likewise, in the gradient; db lies behind it
    MatrixView<T> output;     // rows x outputs; of the last layer what its loss is computed from (see loss.h)
    MatrixView<T> dz;         // rows x outputs: the gradient with respect to what the activation was given
    GemmOptions<T> options;   // of `forward`
    Activation activation;    // of the network
  };

  Status Prepare(const Context& context, const Mlp<T>& network, const TrainerOptions& options,
                 const MatrixView<const T>& x);
  Status Forward(Context& context, const MatrixView<const T>& x);
  Status Backward(Context& context, const MatrixView<const T>& x);

  Key prepared_for_;
  std::vector<Layer> layers_;
  std::vector<AlignedVector<T>> outputs_;  // of each layer
  AlignedVector<T> dz_[2];                 // of a layer and the one before it, in turn
  AlignedVector<T> gradient_;
  AlignedVector<T> velocity_;
  AlignedVector<T> loss_terms_;  // room for the loss: batch x outputs
  AlignedVector<T> predictions_;
};

}  // namespace lanewise::internal
