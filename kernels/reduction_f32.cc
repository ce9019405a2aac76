// SPDX-License-Identifier: Apache-2.0
//
// The reducing rows of float: the kernels of reduction-inl.h, once per target.

#include "targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "reduction_f32.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "reduction-inl.h"

namespace lanewise::HWY_NAMESPACE {

constexpr kernels::RowKernel<float> softmax_f32{RunSoftmax<float>};
constexpr kernels::RowKernel<float> log_softmax_f32{RunLogSoftmax<float>};
constexpr kernels::RowGradientKernel<float> softmax_gradient_f32{RunSoftmaxGradient<float>};
constexpr kernels::RowGradientKernel<float> log_softmax_gradient_f32{RunLogSoftmaxGradient<float>};
constexpr kernels::SumKernel<float> sum_f32{RunSum<float>};
constexpr kernels::ColumnSumKernel<float> column_sum_f32{RunColumnSum<float>};

}  // namespace lanewise::HWY_NAMESPACE
