// SPDX-License-Identifier: Apache-2.0

#include "apply_activation.h"

#include <algorithm>

#include "typed_rows.h"

namespace lanewise::internal {

template <typename T>
void ActivateRows(const kernels::KernelTable& table, Activation activation, MatrixView<T> x) {
  void (*run)(const T*, T*, std::size_t) = nullptr;
  switch (activation) {
    case Activation::kIdentity:
      return;
    case Activation::kRelu:
      run = LANEWISE_ROW_OF(T, table, relu).run;
      break;
    case Activation::kSigmoid:
      run = LANEWISE_ROW_OF(T, table, sigmoid).run;
      break;
    case Activation::kTanh:
      run = LANEWISE_ROW_OF(T, table, tanh).run;
      break;
    case Activation::kSoftmax:
      run = LANEWISE_ROW_OF(T, table, softmax).run;
      break;
    case Activation::kLogSoftmax:
      run = LANEWISE_ROW_OF(T, table, log_softmax).run;
      break;
  }
  if (IsElementwise(activation) && x.row_stride == x.cols) {
    run(x.data, x.data, static_cast<std::size_t>(x.rows * x.cols));  // dense: one long row
    return;
  }
  for (std::ptrdiff_t i = 0; i < x.rows; ++i) {
    T* row = x.data + i * x.row_stride;
    run(row, row, static_cast<std::size_t>(x.cols));
  }
}

template <typename T>
void ActivationGradientRows(const kernels::KernelTable& table, Activation activation, MatrixView<const T> y,
                            MatrixView<const T> dy, MatrixView<T> dx) {
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
  for (std::ptrdiff_t i = 0; i < y.rows; ++i) {
    run(y.data + i * y.row_stride, dy.data + i * dy.row_stride, dx.data + i * dx.row_stride,
        static_cast<std::size_t>(y.cols));
  }
}

#define LANEWISE_INSTANTIATE(T)                                                                      \
  template void ActivateRows(const kernels::KernelTable&, Activation, MatrixView<T>);                \
  template void ActivationGradientRows(const kernels::KernelTable&, Activation, MatrixView<const T>, \
                                       MatrixView<const T>, MatrixView<T>);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
#undef LANEWISE_INSTANTIATE

}  // namespace lanewise::internal
