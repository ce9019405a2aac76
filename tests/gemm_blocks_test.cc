// SPDX-License-Identifier: Apache-2.0
//
// Gemm's blocks, groups, copies and threads change no bit; nor does an activation that is computed between them.

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "doctest/doctest.h"
#include "gemm_case.h"
#include "kernel_table.h"
#include "lanewise/gemm.h"
#include "lanewise/random.h"
#include "network.h"
#include "oracle.h"
#include "tiers.h"
#include "typed_rows.h"

namespace lanewise::test {
namespace {

TEST_CASE_TEMPLATE("Threads, blocks and cache sizes change no bit", T, float, double, std::int32_t, std::int64_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    for (const int threads : {1, 2, 3, 8}) {
      ThreadPool pool(threads);
      Context context(KernelsOf(tier), pool);
      // Cache sizes are untrusted: none, tiny and absurd ones must work.
      for (const std::size_t l2 : {std::size_t{0}, std::size_t{1} << 15, SIZE_MAX}) {
        Machine machine = context.machine();
        machine.l1d = l2 / 8;
        machine.l2 = l2;
        machine.thread_break_even = 0;
        context.set_machine(machine);
        std::uint64_t seed = 0;
        for (const std::ptrdiff_t m : {1, 5, 61}) {
          for (const std::ptrdiff_t n : {1, 9, 40, 200}) {
            for (const bool packed : {false, true}) {
              Case t{.m = m, .n = n, .k = 300};
              t.packed = packed;
              t.bias = true;
              Check<T>(context, ClassOf(tier), t, ++seed);
            }
          }
        }
      }
    }
  });
}

TEST_CASE_TEMPLATE("Rows that would evict each other from L1 are packed, with the same bits", T, float, double,
                   std::int32_t, std::int64_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    const GemmShape shape{.type = kElementType<T>, .m = 33, .n = 150, .k = 512};
    Machine machine = context.machine();
    machine.l1d = 256 * 1024;
    CHECK(PlanGemm(shape, context.kernels(), machine, 1).pack_a == PackA::kNo);
    machine.l1d = 4 * 1024;  // one way, less than any tile has rows
    CHECK(PlanGemm(shape, context.kernels(), machine, 1).pack_a == PackA::kForCacheSets);
    context.set_machine(machine);
    Check<T>(context, ClassOf(tier), {.m = shape.m, .n = shape.n, .k = shape.k}, 1);
  });
}

TEST_CASE_TEMPLATE("Lines that would evict each other from L1 as K goes on are packed, with the same bits", T, float,
                   double, std::int32_t, std::int64_t) {
  constexpr std::ptrdiff_t kApart = 2048 / sizeof(T);
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    Machine machine = context.machine();
    machine.l1d = 32 * 1024;
    context.set_machine(machine);
    GemmShape shape{.type = kElementType<T>, .m = kApart, .n = 2 * kApart, .k = 40};
    CHECK(PlanGemm(shape, context.kernels(), machine, 1).pack_a == PackA::kNo);
    CHECK(PlanGemm(shape, context.kernels(), machine, 1).pack_b == PackB::kEachCall);
    shape.a_row_stride = 1;
    shape.a_k_stride = kApart;
    CHECK(PlanGemm(shape, context.kernels(), machine, 1).pack_a == PackA::kColumnsForCacheSets);
    Check<T>(context, ClassOf(tier), {.m = shape.m, .n = shape.n, .k = shape.k, .a = Layout::kTransposed}, 1);
    shape.n = kApart - 8;
    CHECK(PlanGemm(shape, context.kernels(), machine, 1).pack_b == PackB::kInPlace);
  });
}

template <typename T>
void CheckActivations(Context& context, const kernels::KernelTable& table, std::ptrdiff_t m, std::ptrdiff_t n,
                      std::ptrdiff_t k) {
  Random random(11, Stream::kUser);
  Operand<T> a(m, k, Layout::kDense, Flush::kBack);
  Operand<T> b(k, n, Layout::kDense, Flush::kBack);
  a.Fill(random, Data::kUniform);
  b.Fill(random, Data::kUniform);
  for (const Activation activation : {Activation::kRelu, Activation::kLeakyRelu, Activation::kSigmoid,
                                      Activation::kTanh, Activation::kSoftmax, Activation::kLogSoftmax}) {
    CAPTURE(Name(activation));
    Operand<T> plain(m, n, Layout::kPadded, Flush::kBack);
    Operand<T> fused(m, n, Layout::kPadded, Flush::kBack);
    REQUIRE(Gemm<T>(context, a.view, b.view, plain.view).ok());
    GemmOptions<T> options;
    options.activation = activation;
    REQUIRE(Gemm<T>(context, a.view, b.view, fused.view, options).ok());
    NaiveActivate<T>(table, activation, plain.view);
    bool same = true;
    for (std::ptrdiff_t i = 0; i < m; ++i) {
      for (std::ptrdiff_t j = 0; j < n; ++j) same = same && SameBits(plain.view(i, j), fused.view(i, j));
    }
    CHECK(same);
  }
}

TEST_CASE_TEMPLATE("The fused activation has the bits of the public function", T, float, double) {
  ForEachTier([](Tier tier, const kernels::KernelTable& table) {
    for (const int threads : {1, 3}) {
      ThreadPool pool(threads);
      Context context(KernelsOf(tier), pool);
      Machine machine = context.machine();
      machine.thread_break_even = 0;
      machine.l2 = 1 << 17;  // several blocks of columns
      context.set_machine(machine);
      for (const auto& [m, n, k] : {std::tuple(29, 1, 270), {29, 10, 270}, {29, 300, 270}, {300, 8, 8}}) {
        CheckActivations<T>(context, table, m, n, k);
      }
    }
  });
}

// A machine of whose L2 a quarter holds two row blocks of kc steps, and the rows of an A too large for 64 such
// quarters.
template <typename T>
std::pair<Machine, std::ptrdiff_t> MachineForGroups(Machine machine, std::ptrdiff_t mr, std::ptrdiff_t kc,
                                                    std::ptrdiff_t k) {
  const std::ptrdiff_t quarter = 2 * mr * kc;
  machine.l2 = 4 * sizeof(T) * static_cast<std::size_t>(quarter);
  machine.l1d = 8 * 1024;  // two ways
  machine.thread_break_even = 0;
  return {machine, 64 * quarter / k + 50};
}

TEST_CASE_TEMPLATE("An A beyond all caches passes by in groups of row blocks, with the same bits", T, float, double,
                   std::int32_t, std::int64_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable& table) {
    const std::ptrdiff_t mr = internal::GemmRow<T>(table).chains1.mr;
    std::uint64_t seed = 0;
    for (const int threads : {1, 3}) {
      ThreadPool pool(threads);
      Context context(KernelsOf(tier), pool);
      const auto [machine, m] = MachineForGroups<T>(context.machine(), mr, 20, 20);
      context.set_machine(machine);
      for (const Layout layout : kLayouts) {
        Case t{.m = m, .n = 200, .k = 20};
        t.a = layout;
        t.packed = ++seed % 2 == 0;
        t.bias = seed % 3 != 0;
        t.alpha = kFactors<T>[seed % 2 == 0 ? 2 : 1];
        Check<T>(context, ClassOf(tier), t, seed);
      }
      const GemmShape shape{.type = kElementType<T>, .m = m, .n = 200, .k = 20};
      const GemmPlan plan = PlanGemm(shape, context.kernels(), machine, threads);
      CHECK(plan.group_blocks > 1);
      CHECK((plan.tasks > 1) == (threads > 1));
      CHECK(Explain(plan).find("MC=") != std::string::npos);
      if constexpr (std::is_floating_point_v<T>) CheckActivations<T>(context, table, m, 200, 20);
    }
  });
}

TEST_CASE_TEMPLATE("Groups of row blocks over several blocks of K, and copied, with the same bits", T, float, double) {
  ForEachTier([](Tier tier, const kernels::KernelTable& table) {
    const std::ptrdiff_t mr = internal::GemmRow<T>(table).chains1.mr;
    ThreadPool pool(2);
    Context context(KernelsOf(tier), pool);
    // 2048 steps are two blocks of K, and rows of A lie a multiple of 2 KiB apart.
    const auto [machine, m] = MachineForGroups<T>(context.machine(), mr, 1024, 2048);
    context.set_machine(machine);
    const std::ptrdiff_t n = 4 * mr + 5;
    const GemmShape shape{.type = kElementType<T>, .m = m, .n = n, .k = 2048};
    const GemmPlan plan = PlanGemm(shape, context.kernels(), machine, 2);
    CHECK(plan.pack_a == PackA::kGroups);
    CHECK(plan.kc < plan.k);
    Case t{.m = m, .n = n, .k = 2048};
    t.a = Layout::kDense;
    t.b = Layout::kDense;
    t.packed = false;
    t.beta = kFactors<T>[2];
    Check<T>(context, ClassOf(tier), t, 1);
  });
}

}  // namespace
}  // namespace lanewise::test
