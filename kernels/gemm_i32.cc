// SPDX-License-Identifier: Apache-2.0
//
// The GEMM row for std::int32_t: the micro-kernels of gemm_integer-inl.h, once per target.

#include <cstdint>

#include "targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gemm_i32.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "gemm_integer-inl.h"

namespace lanewise::HWY_NAMESPACE {

extern const kernels::GemmKernel<std::int32_t> gemm_i32;
constexpr kernels::GemmKernel<std::int32_t> gemm_i32 = MakeIntegerGemmKernel<std::int32_t>();

}  // namespace lanewise::HWY_NAMESPACE
