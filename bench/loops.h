// SPDX-License-Identifier: Apache-2.0
//
// A network of dense layers in plain loops, for two purposes: in the arithmetic of a textbook it is what people start
// from, and timed; in that of the numerics contract it must give every bit that the library gives. Sigmoid and ReLU,
// squared error, gradient descent without momentum.

#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "kernel_table.h"
#include "lanewise/activation.h"
#include "lanewise/mlp.h"
#include "oracle.h"
#include "reference.h"
#include "typed_rows.h"
#include "wrapping.h"

namespace lanewise::bench {

// C = A B + bias (bias may be null), as in a textbook; integers wrap around.
template <typename T>
void NaiveProduct(MatrixView<const T> a, MatrixView<const T> b, const T* bias, MatrixView<T> c) {
  for (std::ptrdiff_t i = 0; i < c.rows; ++i) {
    for (std::ptrdiff_t j = 0; j < c.cols; ++j) {
      T sum = bias == nullptr ? T{0} : bias[j];
      for (std::ptrdiff_t k = 0; k < a.cols; ++k) sum = kernels::Plus(sum, kernels::Times(a(i, k), b(k, j)));
      c(i, j) = sum;
    }
  }
}

template <typename T>
T NaiveSigmoid(T x) {
  return 1 / (1 + std::exp(-x));
}

template <typename T>
struct NaiveArithmetic {
  T MultiplyAdd(T a, T b, T c) const { return a * b + c; }
  T Sigmoid(T x) const { return NaiveSigmoid(x); }
  void Product(MatrixView<const T> a, MatrixView<const T> b, const T* bias, MatrixView<T> c) const {
    NaiveProduct(a, b, bias, c);
  }
};

// The contract's, of one tier; of its kernels the sigmoid alone, one element at a time.
template <typename T>
struct ContractArithmetic {
  Tier tier;

  T MultiplyAdd(T a, T b, T c) const { return test::MultiplyAdd(ClassOf(tier), a, b, c); }
  T Sigmoid(T x) const {
    T y;
    LANEWISE_ROW_OF(T, *kernels::CompiledTable(tier), sigmoid).run(&x, &y, 1);
    return y;
  }
  void Product(MatrixView<const T> a, MatrixView<const T> b, const T* bias, MatrixView<T> c) const {
    test::OracleGemm<T>(ClassOf(tier), 1, a, b, 0, bias, c);
  }
};

template <typename T, class Arithmetic>
class Loops {
 public:
  explicit Loops(Mlp<T> network, Arithmetic arithmetic = {}) : network_(std::move(network)), arithmetic_(arithmetic) {}

  // What the network answers to the rows of x, rows x outputs.
  const std::vector<T>& Predict(MatrixView<const T> x) {
    outputs_.resize(network_.layers().size());
    MatrixView<const T> input = x;
    for (std::size_t l = 0; l < outputs_.size(); ++l) {
      const LayerShape& layer = network_.layers()[l];
      outputs_[l].resize(static_cast<std::size_t>(x.rows * layer.outputs));
      const MatrixView<T> output(outputs_[l].data(), x.rows, layer.outputs);
      arithmetic_.Product(input, network_.weights(l), network_.bias(l).data(), output);
      for (T& y : outputs_[l]) y = layer.activation == Activation::kRelu ? (y < 0 ? T{0} : y) : arithmetic_.Sigmoid(y);
      input = output;
    }
    return outputs_.back();
  }

  // One step of gradient descent on the mean of (y - target)^2; all layers are sigmoid layers.
  void Step(MatrixView<const T> x, MatrixView<const T> targets, T learning_rate) {
    const std::vector<T>& y = Predict(x);
    const T scale = static_cast<T>(2.0 / static_cast<double>(y.size()));
    gradient_.resize(network_.parameters().size());
    dz_.resize(y.size());
    for (std::size_t i = 0; i < y.size(); ++i) dz_[i] = SigmoidGradient(y[i], (y[i] - targets.data[i]) * scale);
    for (std::size_t l = outputs_.size(); l-- > 0;) {
      const LayerShape& layer = network_.layers()[l];
      const MatrixView<const T> dz(dz_.data(), x.rows, layer.outputs);
      const MatrixView<const T> input = l == 0 ? x : MatrixView<const T>(outputs_[l - 1].data(), x.rows, layer.inputs);
      // The gradient lies as the parameters do: W, then b.
      T* dw = gradient_.data() + (network_.weights(l).data - network_.parameters().data());
      arithmetic_.Product(input.Transposed(), dz, nullptr, {dw, layer.inputs, layer.outputs});
      const std::vector<T> db = test::ReferenceColumnSum(dz.data, dz.row_stride, static_cast<std::size_t>(dz.rows),
                                                         static_cast<std::size_t>(dz.cols));
      std::copy(db.begin(), db.end(), dw + layer.inputs * layer.outputs);
      if (l == 0) break;
      dx_.resize(static_cast<std::size_t>(x.rows * layer.inputs));
      const MatrixView<const T> w = network_.weights(l);
      arithmetic_.Product(dz, w.Transposed(), nullptr, {dx_.data(), x.rows, layer.inputs});
      for (std::size_t i = 0; i < dx_.size(); ++i) dx_[i] = SigmoidGradient(input.data[i], dx_[i]);
      std::swap(dz_, dx_);
    }
    for (std::size_t i = 0; i < gradient_.size(); ++i) {
      T& parameter = network_.parameters()[i];
      parameter = arithmetic_.MultiplyAdd(-learning_rate, gradient_[i], parameter);
    }
  }

  const Mlp<T>& network() const { return network_; }

 private:
  static T SigmoidGradient(T y, T dy) { return dy * (y * (1 - y)); }

  Mlp<T> network_;
  Arithmetic arithmetic_;
  std::vector<std::vector<T>> outputs_;  // of each layer
  std::vector<T> dz_, dx_, gradient_;
};

}  // namespace lanewise::bench
