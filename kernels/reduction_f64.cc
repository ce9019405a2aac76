// SPDX-License-Identifier: Apache-2.0
//
// The reducing rows of double: the kernels of reduction-inl.h, once per target.

#include "targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "reduction_f64.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "reduction-inl.h"

namespace lanewise::HWY_NAMESPACE {

constexpr kernels::RowKernel<double> softmax_f64{RunSoftmax<double>};
constexpr kernels::RowKernel<double> log_softmax_f64{RunLogSoftmax<double>};
constexpr kernels::RowGradientKernel<double> softmax_gradient_f64{RunSoftmaxGradient<double>};
constexpr kernels::RowGradientKernel<double> log_softmax_gradient_f64{RunLogSoftmaxGradient<double>};
constexpr kernels::SumKernel<double> sum_f64{RunSum<double>};
constexpr kernels::ColumnSumKernel<double> column_sum_f64{RunColumnSum<double>};

}  // namespace lanewise::HWY_NAMESPACE
