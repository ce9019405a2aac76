// SPDX-License-Identifier: Apache-2.0
//
// The elementwise kernels of float: the rows; formulas and loop are in the -inl.h files. One source file per type, so
// that they compile in parallel.

#include "kernel_table.h"

#include "targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "elementwise_f32.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "elementwise-inl.h"
#include "exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {

constexpr UnaryKernel<float> exp_f32{RunFunction<float, Exp>};
constexpr UnaryKernel<float> sigmoid_f32{RunFunction<float, Sigmoid>};

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
