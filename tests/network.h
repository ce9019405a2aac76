// SPDX-License-Identifier: Apache-2.0
//
// Networks and values for the tests of what is built on GEMM and the functions, and a naive forward pass: the oracle's
// products, and each activation by the tier's own kernel, one element or one row at a time.

#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bits.h"
#include "doctest/doctest.h"
#include "kernel_table.h"
#include "lanewise/context.h"
#include "lanewise/executor.h"
#include "lanewise/mlp.h"
#include "lanewise/random.h"
#include "oracle.h"
#include "tiers.h"
#include "typed_rows.h"

namespace lanewise::test {

// Uniform in [-1, 1).
template <typename T>
std::vector<T> RandomValues(std::ptrdiff_t count, std::uint64_t seed) {
  Random random(seed, Stream::kUser);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& x : values) x = static_cast<T>(2 * random.UniformDouble() - 1);
  return values;
}

// Random weights, and random biases too.
template <typename T>
Mlp<T> RandomNetwork(std::vector<LayerShape> layers, std::uint64_t seed) {
  Result<Mlp<T>> network = Mlp<T>::Create(std::move(layers));
  REQUIRE_MESSAGE(network.ok(), network.status().message());
  network->Initialise(seed);
  for (std::size_t l = 0; l < network->layers().size(); ++l) {
    const std::vector<T> bias = RandomValues<T>(std::ssize(network->bias(l)), seed + l);
    std::copy(bias.begin(), bias.end(), network->bias(l).begin());
  }
  return *std::move(network);
}

// A context that splits even the smallest product over the executor's threads.
inline Context ContextOn(Tier tier, Executor& executor) {
  Context context(KernelsOf(tier), executor);
  Machine machine = context.machine();
  machine.thread_break_even = 1;
  context.set_machine(machine);
  return context;
}

template <typename T>
bool SameBits(std::span<const T> x, std::span<const T> y) {
  return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](T a, T b) { return SameBits(a, b); });
}

template <typename T>
void NaiveActivate(const kernels::KernelTable& table, Activation activation, MatrixView<T> x) {
  for (std::ptrdiff_t i = 0; i < x.rows; ++i) {
    if (activation == Activation::kSoftmax || activation == Activation::kLogSoftmax) {
      const kernels::RowKernel<T>& row = activation == Activation::kSoftmax ? LANEWISE_ROW_OF(T, table, softmax)
                                                                            : LANEWISE_ROW_OF(T, table, log_softmax);
      row.run(&x(i, 0), 0, &x(i, 0), 0, 1, static_cast<std::size_t>(x.cols));
      continue;
    }
    for (std::ptrdiff_t j = 0; j < x.cols; ++j) {
      T& value = x(i, j);
      if (activation == Activation::kRelu && value < 0) value = 0;
      if (activation == Activation::kLeakyRelu && value < 0) value *= static_cast<T>(0.01);
      if (activation == Activation::kSigmoid) LANEWISE_ROW_OF(T, table, sigmoid).run(&value, &value, 1);
      if (activation == Activation::kTanh) LANEWISE_ROW_OF(T, table, tanh).run(&value, &value, 1);
    }
  }
}

// The outputs of every layer, rows x outputs each.
template <typename T>
std::vector<std::vector<T>> NaiveForward(Tier tier, const kernels::KernelTable& table, const Mlp<T>& network,
                                         MatrixView<const T> x) {
  std::vector<std::vector<T>> outputs;
  MatrixView<const T> input = x;
  for (std::size_t l = 0; l < network.layers().size(); ++l) {
    const LayerShape& layer = network.layers()[l];
    outputs.emplace_back(static_cast<std::size_t>(x.rows * layer.outputs));
    const MatrixView<T> output(outputs.back().data(), x.rows, layer.outputs);
    OracleGemm<T>(ClassOf(tier), 1, input, network.weights(l), 0, network.bias(l).data(), output);
    NaiveActivate(table, layer.activation, output);
    input = output;
  }
  return outputs;
}

}  // namespace lanewise::test
