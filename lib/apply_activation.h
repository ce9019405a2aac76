// SPDX-License-Identifier: Apache-2.0
//
// Activations and their gradients over matrices, by the kernels of a table.

#pragma once

#include "kernel_table.h"
#include "lanewise/activation.h"
#include "lanewise/matrix_view.h"

namespace lanewise::internal {

// Whether each output depends on its own input alone.
constexpr bool IsElementwise(Activation activation) {
  return activation != Activation::kSoftmax && activation != Activation::kLogSoftmax;
}

// x = act(x), in place. Of integers, the identity and ReLU alone.
template <typename T>
void ActivateRows(const kernels::KernelTable& table, Activation activation, const MatrixView<T>& x);

// dx = dy * act'(.), given the activation's output y; dx may be dy.
template <typename T>
void ActivationGradientRows(const kernels::KernelTable& table, Activation activation, const MatrixView<const T>& y,
                            const MatrixView<const T>& dy, const MatrixView<T>& dx);

}  // namespace lanewise::internal
