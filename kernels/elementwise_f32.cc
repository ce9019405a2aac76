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

constexpr kernels::UnaryKernel<float> exp_f32{RunFunction<float, Exp>};
constexpr kernels::UnaryKernel<float> log_f32{RunFunction<float, Log>};
constexpr kernels::UnaryKernel<float> log1p_f32{RunFunction<float, Log1p>};
constexpr kernels::UnaryKernel<float> sigmoid_f32{RunFunction<float, Sigmoid>};
constexpr kernels::UnaryKernel<float> tanh_f32{RunFunction<float, Tanh>};
constexpr kernels::UnaryKernel<float> relu_f32{RunUnary<float, Relu>};
constexpr kernels::UnaryKernel<float> leaky_relu_f32{RunUnary<float, LeakyRelu>};

constexpr kernels::GradientKernel<float> exp_gradient_f32{RunGradient<float, ExpGradient>};
constexpr kernels::GradientKernel<float> log_gradient_f32{RunGradient<float, LogGradient>};
constexpr kernels::GradientKernel<float> sigmoid_gradient_f32{RunGradient<float, SigmoidGradient>};
constexpr kernels::GradientKernel<float> tanh_gradient_f32{RunGradient<float, TanhGradient>};
constexpr kernels::GradientKernel<float> relu_gradient_f32{RunGradient<float, ReluGradient>};
constexpr kernels::GradientKernel<float> leaky_relu_gradient_f32{RunGradient<float, LeakyReluGradient>};

constexpr kernels::SgdKernel<float> sgd_f32{RunSgd<float>};
constexpr kernels::ConvertKernel<float> convert_u8_f32{RunConvert<float>};

}  // namespace lanewise::HWY_NAMESPACE
