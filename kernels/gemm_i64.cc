// SPDX-License-Identifier: Apache-2.0
//
// The GEMM row for std::int64_t: the micro-kernels of gemm_integer-inl.h, once per target.

#include <cstdint>

#include "targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gemm_i64.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "gemm_integer-inl.h"

namespace lanewise::HWY_NAMESPACE {

extern const kernels::GemmKernel<std::int64_t> gemm_i64;
constexpr kernels::GemmKernel<std::int64_t> gemm_i64 = MakeIntegerGemmKernel<std::int64_t>();

}  // namespace lanewise::HWY_NAMESPACE
