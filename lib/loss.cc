// SPDX-License-Identifier: Apache-2.0

#include "loss.h"

#include <algorithm>
#include <cmath>

#include "apply_activation.h"
#include "typed_rows.h"

namespace lanewise {

namespace {
constexpr std::string_view kNames[] = {"softmax-cross-entropy", "sigmoid-cross-entropy", "squared-error"};
}

std::string_view Name(Loss loss) { return kNames[static_cast<int>(loss)]; }

std::optional<Loss> LossFromName(std::string_view name) {
  for (int i = 0; i < static_cast<int>(std::size(kNames)); ++i) {
    if (kNames[i] == name) return static_cast<Loss>(i);
  }
  return std::nullopt;
}

namespace internal {

namespace {

// With l = log-softmax(z), p = exp(l): the mean of -l[label]; dz = (p - onehot(label)) / rows.
template <typename T>
double SoftmaxCrossEntropy(const kernels::KernelTable& table, const LossArgs<T>& args) {
  const std::ptrdiff_t rows = args.outputs.rows;
  const std::ptrdiff_t cols = args.outputs.cols;
  const T scale = static_cast<T>(1.0 / static_cast<double>(rows));
  LANEWISE_ROW_OF(T, table, exp).run(args.outputs.data, args.predictions.data, static_cast<std::size_t>(rows * cols));
  for (std::ptrdiff_t i = 0; i < rows; ++i) {
    const std::ptrdiff_t label = args.labels[static_cast<std::size_t>(i)];
    args.terms[i] = -args.outputs(i, label);
    const T* p = args.predictions.data + i * cols;
    T* dz = args.gradient.data + i * cols;
    for (std::ptrdiff_t j = 0; j < cols; ++j) dz[j] = p[j] * scale;
    dz[label] = (p[label] - T{1}) * scale;
  }
  const T sum = LANEWISE_ROW_OF(T, table, sum).run(args.terms, static_cast<std::size_t>(rows));
  return static_cast<double>(sum) / static_cast<double>(rows);
}

// With y = sigmoid(z): the mean of relu(z) - z t + log1p(exp(-|z|)); dz = (y - t) / (rows * outputs).
template <typename T>
double SigmoidCrossEntropy(const kernels::KernelTable& table, const LossArgs<T>& args) {
  const std::ptrdiff_t count = args.outputs.rows * args.outputs.cols;
  const auto n = static_cast<std::size_t>(count);
  const T* z = args.outputs.data;
  const T scale = static_cast<T>(1.0 / static_cast<double>(count));
  for (std::ptrdiff_t i = 0; i < count; ++i) args.terms[i] = -std::fabs(z[i]);
  LANEWISE_ROW_OF(T, table, exp).run(args.terms, args.terms, n);
  LANEWISE_ROW_OF(T, table, log1p).run(args.terms, args.terms, n);
  LANEWISE_ROW_OF(T, table, sigmoid).run(z, args.predictions.data, n);
  for (std::ptrdiff_t i = 0; i < args.outputs.rows; ++i) {
    for (std::ptrdiff_t j = 0; j < args.outputs.cols; ++j) {
      const std::ptrdiff_t at = i * args.outputs.cols + j;
      const T t = args.targets(i, j);
      const T linear = z[at] * t;
      args.terms[at] = ((z[at] < T{0} ? T{0} : z[at]) - linear) + args.terms[at];
      args.gradient.data[at] = (args.predictions.data[at] - t) * scale;
    }
  }
  const T sum = LANEWISE_ROW_OF(T, table, sum).run(args.terms, n);
  return static_cast<double>(sum) / static_cast<double>(count);
}

// The mean of (y - t)^2; dy = (y - t) * 2 / (rows * outputs), then through the activation.
template <typename T>
double SquaredError(const kernels::KernelTable& table, const LossArgs<T>& args) {
  const std::ptrdiff_t count = args.outputs.rows * args.outputs.cols;
  const T scale = static_cast<T>(2.0 / static_cast<double>(count));
  std::copy_n(args.outputs.data, count, args.predictions.data);
  for (std::ptrdiff_t i = 0; i < args.outputs.rows; ++i) {
    for (std::ptrdiff_t j = 0; j < args.outputs.cols; ++j) {
      const std::ptrdiff_t at = i * args.outputs.cols + j;
      const T error = args.outputs.data[at] - args.targets(i, j);
      args.terms[at] = error * error;
      args.gradient.data[at] = error * scale;
    }
  }
  ActivationGradientRows<T>(table, args.activation, args.outputs, args.gradient, args.gradient);
  const T sum = LANEWISE_ROW_OF(T, table, sum).run(args.terms, static_cast<std::size_t>(count));
  return static_cast<double>(sum) / static_cast<double>(count);
}

}  // namespace

Activation ForwardActivation(Loss loss, Activation activation) {
  switch (loss) {
    case Loss::kSoftmaxCrossEntropy:
      return Activation::kLogSoftmax;
    case Loss::kSigmoidCrossEntropy:
      return Activation::kIdentity;
    case Loss::kSquaredError:
      break;
  }
  return activation;
}

template <typename T>
double ComputeLoss(const kernels::KernelTable& table, const LossArgs<T>& args) {
  switch (args.loss) {
    case Loss::kSoftmaxCrossEntropy:
      return SoftmaxCrossEntropy(table, args);
    case Loss::kSigmoidCrossEntropy:
      return SigmoidCrossEntropy(table, args);
    case Loss::kSquaredError:
      break;
  }
  return SquaredError(table, args);
}

template double ComputeLoss(const kernels::KernelTable&, const LossArgs<float>&);
template double ComputeLoss(const kernels::KernelTable&, const LossArgs<double>&);

}  // namespace internal
}  // namespace lanewise
