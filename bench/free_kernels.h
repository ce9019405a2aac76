// SPDX-License-Identifier: Apache-2.0
//
// What the numerics contract costs: the kernels it forbids, f32, for the tiers whose class is fma. Sums in whatever
// order suits the CPU, estimates in place of divisions, instructions that one tier alone has. Their results agree with
// the contract's within rounding. Benchmarks only.

#pragma once

#include <cstddef>

#include "kernel_table.h"
#include "lanewise/tier.h"

namespace lanewise::bench {

// A dense layer whose lanes run over k: C (m x n) = A (m x k) * B' + bias, B being n x k, dense.
using DotProducts = void (*)(const float* a, const float* b, const float* bias, float* c, std::ptrdiff_t m,
                             std::ptrdiff_t n, std::ptrdiff_t k);

struct FreeKernels {
  // With the contract's panels, so that the library's driver runs them: without chunks of K; these for few rows alone,
  // side by side; and with one chain for N <= 16.
  kernels::GemmKernel<float> gemm[3];
  DotProducts dot_products;
  void (*sigmoid)(const float* x, float* y, std::size_t n);
  void (*tanh[2])(const float* x, float* y, std::size_t n);  // with a division, and with an estimate in its place
  void (*softmax)(const float* x, float* y, std::size_t rows, std::size_t n);  // of each dense row
};

// Null for tiers that have none.
const FreeKernels* FreeKernelsOf(Tier tier);

}  // namespace lanewise::bench
