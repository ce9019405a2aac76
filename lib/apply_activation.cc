// SPDX-License-Identifier: Apache-2.0

#include "apply_activation.h"

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "typed_rows.h"

namespace lanewise::internal {

namespace {

// Integers have no other activation, and no kernel for it: beside their products it does not count.
template <typename T>
void IntegerRelu(const T* x, T* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = std::max(x[i], T{0});
}

// Null: none.
template <typename T>
auto ElementwiseKernelOf(const kernels::KernelTable& table, Activation activation)
    -> void (*)(const T*, T*, std::size_t) {
  if constexpr (std::is_integral_v<T>) {
    return activation == Activation::kRelu ? IntegerRelu<T> : nullptr;
  } else {
    switch (activation) {
      case Activation::kRelu:
        return LANEWISE_ROW_OF(T, table, relu).run;
      case Activation::kLeakyRelu:
        return LANEWISE_ROW_OF(T, table, leaky_relu).run;
      case Activation::kSigmoid:
        return LANEWISE_ROW_OF(T, table, sigmoid).run;
      case Activation::kTanh:
        return LANEWISE_ROW_OF(T, table, tanh).run;
      case Activation::kIdentity:
      case Activation::kSoftmax:
      case Activation::kLogSoftmax:
        break;
    }
    return nullptr;
  }
}

}  // namespace

template <typename T>
void ActivateRows(const kernels::KernelTable& table, Activation activation, const MatrixView<T>& x) {
  if constexpr (!std::is_integral_v<T>) {
    if (!IsElementwise(activation)) {
      const auto& kernel = activation == Activation::kSoftmax ? LANEWISE_ROW_OF(T, table, softmax)
                                                              : LANEWISE_ROW_OF(T, table, log_softmax);
      kernel.run(x.data, x.row_stride, x.data, x.row_stride, static_cast<std::size_t>(x.rows),
                 static_cast<std::size_t>(x.cols));
      return;
    }
  }
  void (*const run)(const T*, T*, std::size_t) = ElementwiseKernelOf<T>(table, activation);
  if (run == nullptr) return;
  if (x.row_stride == x.cols) {
    run(x.data, x.data, static_cast<std::size_t>(x.rows * x.cols));  // dense: one long row
    return;
  }
  for (std::ptrdiff_t i = 0; i < x.rows; ++i) {
    T* row = x.data + i * x.row_stride;
    run(row, row, static_cast<std::size_t>(x.cols));
  }
}

template <typename T>
void ActivationGradientRows(const kernels::KernelTable& table, Activation activation, const MatrixView<const T>& y,
                            const MatrixView<const T>& dy, const MatrixView<T>& dx) {
  void (*run)(const T*, const T*, T*, std::size_t) = nullptr;
  switch (activation) {
    case Activation::kIdentity:
      for (std::ptrdiff_t i = 0; i < dy.rows && dy.data != dx.data; ++i) {
        std::copy_n(dy.data + i * dy.row_stride, dy.cols, dx.data + i * dx.row_stride);
      }
      return;
    case Activation::kRelu:
      run = LANEWISE_ROW_OF(T, table, relu_gradient).run;
      break;
    case Activation::kLeakyRelu:
      run = LANEWISE_ROW_OF(T, table, leaky_relu_gradient).run;
      break;
    case Activation::kSigmoid:
      run = LANEWISE_ROW_OF(T, table, sigmoid_gradient).run;
      break;
    case Activation::kTanh:
      run = LANEWISE_ROW_OF(T, table, tanh_gradient).run;
      break;
    case Activation::kSoftmax:
      run = LANEWISE_ROW_OF(T, table, softmax_gradient).run;
      break;
    case Activation::kLogSoftmax:
      run = LANEWISE_ROW_OF(T, table, log_softmax_gradient).run;
      break;
  }
  if (IsElementwise(activation) && y.row_stride == y.cols && dy.row_stride == y.cols && dx.row_stride == y.cols) {
    run(y.data, dy.data, dx.data, static_cast<std::size_t>(y.rows * y.cols));  // dense: one long row
    return;
  }
  for (std::ptrdiff_t i = 0; i < y.rows; ++i) {
    run(y.data + i * y.row_stride, dy.data + i * dy.row_stride, dx.data + i * dx.row_stride,
        static_cast<std::size_t>(y.cols));
  }
}

#define LANEWISE_INSTANTIATE(T)                                                                             \
  template void ActivateRows(const kernels::KernelTable&, Activation, const MatrixView<T>&);                \
  template void ActivationGradientRows(const kernels::KernelTable&, Activation, const MatrixView<const T>&, \
                                       const MatrixView<const T>&, const MatrixView<T>&);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
#undef LANEWISE_INSTANTIATE
template void ActivateRows(const kernels::KernelTable&, Activation, const MatrixView<std::int32_t>&);
template void ActivateRows(const kernels::KernelTable&, Activation, const MatrixView<std::int64_t>&);

}  // namespace lanewise::internal
