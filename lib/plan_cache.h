// SPDX-License-Identifier: Apache-2.0
//
// The plans of the last products of a Context: a program computes the same few again and again, and a small product
// takes no longer than its planning.

#pragma once

#include <cstddef>
#include <cstdint>

#include "lanewise/context.h"
#include "lanewise/gemm.h"

namespace lanewise::internal {

class PlanCache {
 public:
  // The plan of `context`, which this is part of, for the shape: valid until the next call.
  const GemmPlan& Find(const Context& context, const GemmShape& shape) {
    const int threads = context.executor().Threads();
    Entry& entry = entries_[Index(shape)];
    if (entry.threads != threads || !(entry.shape == shape)) {
      entry = {shape, PlanGemm(shape, context.kernels(), context.machine(), threads), threads};
    }
    return entry.plan;
  }

 private:
  struct Entry {
    GemmShape shape;
    GemmPlan plan;
    int threads = 0;  // 0: no plan
  };
  static constexpr int kBits = 4;  // 16 products: those of a training step of five layers

  // The high bits of sizes times odd numbers without a pattern (of the golden ratio and of the roots of 3 and 5).
  static std::size_t Index(const GemmShape& shape) {
    const std::uint64_t sum = static_cast<std::uint64_t>(shape.m) * 0x9E3779B97F4A7C15u +
                              static_cast<std::uint64_t>(shape.n) * 0xBB67AE8584CAA73Bu +
                              static_cast<std::uint64_t>(shape.k) * 0x3C6EF372FE94F82Bu;
    return static_cast<std::size_t>(sum >> (64 - kBits));
  }

  Entry entries_[1 << kBits];
};

}  // namespace lanewise::internal
