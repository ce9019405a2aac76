// SPDX-License-Identifier: Apache-2.0
//
// The GEMM row for double: the micro-kernels of gemm-inl.h, once per target.

#include "targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gemm_f64.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "gemm-inl.h"

namespace lanewise::HWY_NAMESPACE {

extern const kernels::GemmKernel<double> gemm_f64;
constexpr kernels::GemmKernel<double> gemm_f64 = MakeGemmKernel<double>();

}  // namespace lanewise::HWY_NAMESPACE
