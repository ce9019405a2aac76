// SPDX-License-Identifier: Apache-2.0
//
// Losses and their gradients at the last layer.

#pragma once

#include <cstdint>
#include <span>

#include "kernel_table.h"
#include "lanewise/activation.h"
#include "lanewise/matrix_view.h"
#include "lanewise/trainer.h"

namespace lanewise::internal {

// What the last layer computes while training: the cross-entropies are computed from log-softmax and from the
// pre-activations, which stay finite where a probability rounds to 0 or 1; the squared error from its own output.
Activation ForwardActivation(Loss loss, Activation activation);

template <typename T>
struct LossArgs {
  Loss loss;
  Activation activation;                 // of the network
  MatrixView<const T> outputs;           // rows x outputs, by ForwardActivation; dense, as the two below
  std::span<const std::int32_t> labels;  // kSoftmaxCrossEntropy
  MatrixView<const T> targets;           // the others
  MatrixView<T> predictions;             // out: what the network answers
  MatrixView<T> gradient;                // out: of the loss, with respect to the last pre-activations
  T* terms;                              // scratch, rows x outputs
};

// The mean loss of the batch.
template <typename T>
double ComputeLoss(const kernels::KernelTable& table, const LossArgs<T>& args);

}  // namespace lanewise::internal
