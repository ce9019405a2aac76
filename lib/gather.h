// SPDX-License-Identifier: Apache-2.0
//
// Samples of a data set as a network takes them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel_table.h"
#include "lanewise/dataset.h"
#include "lanewise/status.h"

namespace lanewise::internal {

// The features of a sample times `scale`, each rounded once, to x.
template <typename T>
void ReadSample(const kernels::KernelTable& table, const Dataset& data, std::ptrdiff_t sample, T scale, T* x);

// The target of a sample: its regression targets; or for its label 1 at the label and 0 elsewhere, for a single output
// the label itself.
template <typename T>
void ReadTarget(const Dataset& data, std::ptrdiff_t sample, std::span<T> target);

// The class that a row of outputs stands for: the first of the largest, or for a single output whether it is at least
// one half.
template <typename T>
std::int32_t PredictedClass(std::span<const T> outputs);

// Whether the data set has samples of `inputs` features, and labels or targets for `outputs` outputs.
Status CheckTargets(const Dataset& data, std::ptrdiff_t inputs, std::ptrdiff_t outputs);

}  // namespace lanewise::internal
