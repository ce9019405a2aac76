// SPDX-License-Identifier: Apache-2.0
//
// The elementwise rows of double: the kernels of elementwise-inl.h, exp-inl.h, log-inl.h and arithmetic-inl.h, once per
// target. One source file per type, so that they compile in parallel.

#include "targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "elementwise_f64.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "arithmetic-inl.h"
#include "elementwise-inl.h"
#include "exp-inl.h"
#include "log-inl.h"

namespace lanewise::HWY_NAMESPACE {

constexpr kernels::UnaryKernel<double> exp_f64{RunFunction<double, Exp>};
constexpr kernels::UnaryKernel<double> log_f64{RunFunction<double, Log>};
constexpr kernels::UnaryKernel<double> log1p_f64{RunFunction<double, Log1p>};
constexpr kernels::UnaryKernel<double> sigmoid_f64{RunFunction<double, Sigmoid>};
constexpr kernels::UnaryKernel<double> tanh_f64{RunFunction<double, Tanh>};
constexpr kernels::UnaryKernel<double> relu_f64{RunUnary<double, Relu>};
constexpr kernels::UnaryKernel<double> leaky_relu_f64{RunUnary<double, LeakyRelu>};

constexpr kernels::GradientKernel<double> exp_gradient_f64{RunGradient<double, ExpGradient>};
constexpr kernels::GradientKernel<double> log_gradient_f64{RunGradient<double, LogGradient>};
constexpr kernels::GradientKernel<double> sigmoid_gradient_f64{RunGradient<double, SigmoidGradient>};
constexpr kernels::GradientKernel<double> tanh_gradient_f64{RunGradient<double, TanhGradient>};
constexpr kernels::GradientKernel<double> relu_gradient_f64{RunGradient<double, ReluGradient>};
constexpr kernels::GradientKernel<double> leaky_relu_gradient_f64{RunGradient<double, LeakyReluGradient>};

constexpr kernels::SgdKernel<double> sgd_f64{RunSgd<double>};
constexpr kernels::ConvertKernel<double> convert_u8_f64{RunConvert<double>};

}  // namespace lanewise::HWY_NAMESPACE
