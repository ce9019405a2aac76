// SPDX-License-Identifier: Apache-2.0
//
// Mlp<T>: a multi-layer perceptron as plain parameters; PackedMlp<T>: the same ready to predict.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lanewise/activation.h"
#include "lanewise/aligned_vector.h"
#include "lanewise/context.h"
#include "lanewise/dataset.h"
#include "lanewise/matrix_view.h"
#include "lanewise/packed_matrix.h"
#include "lanewise/status.h"

namespace lanewise {

// One dense layer: y = act(x W + b), with W inputs x outputs.
struct LayerShape {
  std::ptrdiff_t inputs = 0;
  std::ptrdiff_t outputs = 0;
  Activation activation = Activation::kIdentity;

  friend bool operator==(const LayerShape&, const LayerShape&) = default;
};

// Layers and their parameters in one block, which makes copying, storing and optimising trivial. T is float or double.
// A value type; may be shared between threads while nobody changes it.
template <typename T>
class Mlp {
 public:
  // A network whose parameters are all zero. kInvalidArgument unless there is at least one layer, all sizes are
  // positive, each layer takes what the one before gives, and the parameters fit in memory; kOutOfMemory.
  static Result<Mlp> Create(std::vector<LayerShape> layers);

  // Draws weights uniformly from [-r, r) and sets biases to zero: r = sqrt(6 / inputs) before ReLU and
  // r = sqrt(6 / ((1 + slope^2) inputs)) before leaky ReLU (He et al., 2015), r = sqrt(6 / (inputs + outputs))
  // otherwise (Glorot and Bengio, 2010). Layer l takes Random(seed, kInitialise, l), weights in row-major order of W:
  // equal on every platform.
  void Initialise(std::uint64_t seed);

  const std::vector<LayerShape>& layers() const { return layers_; }
  std::ptrdiff_t inputs() const { return layers_.front().inputs; }
  std::ptrdiff_t outputs() const { return layers_.back().outputs; }

  // W of a layer, inputs x outputs, and its `outputs` biases. Here and below layer < layers().size(), unchecked.
  MatrixView<const T> weights(std::size_t layer) const;
  MatrixView<T> weights(std::size_t layer);
  std::span<const T> bias(std::size_t layer) const;
  std::span<T> bias(std::size_t layer);
  // Whether all parameters of a layer are finite numbers.
  bool IsFinite(std::size_t layer) const;

  // All parameters: for each layer W (row-major), then b.
  std::span<const T> parameters() const { return parameters_; }
  std::span<T> parameters() { return parameters_; }

 private:
  Mlp() = default;
  std::vector<LayerShape> layers_;
  std::vector<std::size_t> offsets_;  // of each layer's W in parameters_
  AlignedVector<T> parameters_;
};

// The weights of a network, packed for the kernels of a selection. Immutable; may be shared between threads.
template <typename T>
class PackedMlp {
 public:
  // kOutOfMemory.
  static Result<PackedMlp> Pack(const Kernels& kernels, const Mlp<T>& network);

  const std::vector<LayerShape>& layers() const { return layers_; }
  std::ptrdiff_t inputs() const { return layers_.front().inputs; }
  std::ptrdiff_t outputs() const { return layers_.back().outputs; }

  // y (M x outputs) = the network's answer to the rows of x (M x inputs). A row's answer is the same bits in any batch.
  // Errors (y is untouched): those of Gemm (shapes, strides, overlap of x and y, kLayoutMismatch if the context has
  // other kernels, kOutOfMemory).
  Status Predict(Context& context, const MatrixView<const T>& x, const MatrixView<T>& y) const;

  // How many rows of a batch go through all layers together, so that what lies between two layers stays in the cache:
  // Predict's products have so many rows, or the rest of the batch.
  std::ptrdiff_t BlockRows(const Context& context) const;

  // Predict for samples [first, first + y.rows) of a data set, whose inputs are multiplied by `input_scale` as they
  // are read (bytes become numbers block by block; there is no copy of the data set). kInvalidArgument if the data
  // set's features are not the network's inputs, it has not so many samples, or not as many inputs as it says.
  Status Predict(Context& context, const Dataset& data, std::ptrdiff_t first, T input_scale,
                 const MatrixView<T>& y) const;

 private:
  PackedMlp() = default;
  Status WhatIsWrong(const MatrixView<const T>& x, const MatrixView<T>& y) const;  // with operands that are refused
  std::ptrdiff_t BlockRows(const Context& context, std::ptrdiff_t rows) const;     // of a batch of so many rows
  Status PredictBlock(Context& context, const MatrixView<const T>& x, const MatrixView<T>& y, T* even, T* odd) const;

  std::vector<LayerShape> layers_;
  std::vector<PackedMatrix<T>> weights_;
  std::vector<std::vector<T>> biases_;
  std::ptrdiff_t widest_ = 0;  // values of one sample between two layers, at most; the inputs included
};

// Classes up to which Evaluation::confusion is counted: its memory grows with their square (128 MiB here).
inline constexpr std::int32_t kMostConfusionClasses = 4096;

// How well a network does on a data set that has labels or targets.
struct Evaluation {
  std::ptrdiff_t samples = 0;
  // With labels, and 0 or empty where there are targets alone. The predicted class is the one with the largest output
  // (the first of equals); a single output stands for two classes and predicts 1 if it is at least one half, else 0.
  std::ptrdiff_t correct = 0;           // samples whose predicted class is the label
  double accuracy = 0;                  // their share
  std::int32_t classes = 0;             // the number of outputs, 2 for a single one
  std::vector<std::int64_t> confusion;  // counts, at [label * classes + predicted]; empty above kMostConfusionClasses
  // The mean over samples and outputs of (output - target)^2. For labels the target is 1 at the label and 0 elsewhere,
  // for a single output the label itself, 0 or 1. Labels count where there are targets too.
  double squared_error = 0;
};

// Errors: those of PackedMlp::Predict; kInvalidArgument if the data set has neither labels nor targets, more classes
// than the network has outputs (one output serves two), or another number of targets.
template <typename T>
Result<Evaluation> Evaluate(Context& context, const PackedMlp<T>& network, const Dataset& data, T input_scale);

}  // namespace lanewise
