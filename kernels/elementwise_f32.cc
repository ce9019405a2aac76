// SPDX-License-Identifier: Apache-2.0
//
// The elementwise rows of float: the kernels of elementwise-inl.h, exp-inl.h, log-inl.h and arithmetic-inl.h, once per
// target. One source file per type, so that they compile in parallel.

#include "targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "elementwise_f32.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "arithmetic-inl.h"
#include "elementwise-inl.h"
#include "exp-inl.h"
#include "log-inl.h"

namespace lanewise::HWY_NAMESPACE {

constexpr UnaryKernel<float> exp_f32{RunFunction<float, Exp>};
constexpr UnaryKernel<float> log_f32{RunFunction<float, Log>};
constexpr UnaryKernel<float> log1p_f32{RunFunction<float, Log1p>};
constexpr UnaryKernel<float> sigmoid_f32{RunFunction<float, Sigmoid>};
constexpr UnaryKernel<float> tanh_f32{RunFunction<float, Tanh>};
constexpr UnaryKernel<float> relu_f32{RunUnary<float, Relu>};

constexpr GradientKernel<float> exp_gradient_f32{RunGradient<float, ExpGradient>};
constexpr GradientKernel<float> log_gradient_f32{RunGradient<float, LogGradient>};
constexpr GradientKernel<float> sigmoid_gradient_f32{RunGradient<float, SigmoidGradient>};
constexpr GradientKernel<float> tanh_gradient_f32{RunGradient<float, TanhGradient>};
constexpr GradientKernel<float> relu_gradient_f32{RunGradient<float, ReluGradient>};

constexpr SgdKernel<float> sgd_f32{RunSgd<float>};
constexpr ConvertKernel<float> convert_u8_f32{RunConvert<float>};

}  // namespace lanewise::HWY_NAMESPACE
