// SPDX-License-Identifier: Apache-2.0
//
// Plans of products, and products that are refused.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "gemm_case.h"
#include "kernel_table.h"
#include "lanewise/gemm.h"
#include "lanewise/random.h"
#include "tiers.h"

// Counts what this program allocates; the one of that number fails.
static std::atomic<long> g_allocations{0};
static std::atomic<long> g_failing{-1};

void* operator new(std::size_t size) {
  if (g_allocations++ == g_failing) throw std::bad_alloc();
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++g_allocations;
  return std::malloc(size);
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  ++g_allocations;
  const auto align = static_cast<std::size_t>(alignment);
  return std::aligned_alloc(align, (size + align - 1) / align * align);
}
// Inlined, GCC would see free called on what operator new returned, and warn.
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }

namespace lanewise::test {
namespace {

TEST_CASE("What a plan promises to fetch or to interleave, its tiles can") {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    const Kernels kernels = KernelsOf(tier);
    Machine machine;
    machine.l2 = 1 << 20;
    const auto plan = [&](std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, bool packed) {
      return PlanGemm({.m = m, .n = n, .k = k, .b_packed = packed}, kernels, machine, 1);
    };
    CHECK(plan(50000, 25, 400, false).prefetch_a);
    CHECK_FALSE(plan(10000, 30, 4096, true).prefetch_a);  // several blocks of K
    CHECK_FALSE(plan(100000, 1, 32, false).prefetch_a);
    CHECK_FALSE(plan(50, 10, 1 << 20, true).prefetch_b);
    CHECK(plan(50, 1024, 1024, true).prefetch_b);
    CHECK_FALSE(plan(2, 1024, 1024, true).prefetch_b);
    CHECK(plan(2, 4096, 2048, true).prefetch_b);  // a single block of rows: beyond all caches alone
    CHECK_FALSE(plan(1, 4096, 2048, true).prefetch_b);
    CHECK(plan(1, 4096, 2048, true).widest_tiles == (tier == Tier::kAvx2));
    CHECK_FALSE(plan(1, 1024, 1024, true).widest_tiles);
    CHECK(plan(5000, 5000, 5000, false).group_blocks > 1);
    CHECK(plan(5000, 500, 500, false).group_blocks == 1);   // A lies in L3
    CHECK(plan(100000, 40, 1024, true).group_blocks == 1);  // passes by twice at most
    Machine small = machine;
    small.l2 = 1 << 17;  // a quarter has no room for two row blocks
    CHECK(PlanGemm({.type = ElementType::kF64, .m = 9000, .n = 900, .k = 9000}, kernels, small, 1).group_blocks ==
          (tier == Tier::kAvx2 || tier == Tier::kAvx512 || tier == Tier::kNeon ? 1 : 2));
    CHECK(plan(1000, 10, 1, false).outer);
    CHECK(plan(1000, 10, 128, false).interleaved);
    CHECK_FALSE(plan(1000, 10, 32, false).interleaved);
    CHECK(plan(1, 10, 128, true).interleaved);
    CHECK_FALSE(plan(8, 8, 8, false).interleaved);
    const bool holds = tier == Tier::kAvx2 || tier == Tier::kAvx512;
    CHECK(plan(1000, 8, 8, false).b_in_registers == holds);
    CHECK((Explain(plan(8, 8, 8, false)).find("all of B fits in registers") != std::string::npos) == holds);
    CHECK_FALSE(plan(8, 8, 8, true).b_in_registers);
    CHECK(plan(8, 8, kernels::kMaxHeldSteps, false).b_in_registers == (tier == Tier::kAvx512));
    CHECK_FALSE(plan(8, 8, kernels::kMaxHeldSteps + 1, false).b_in_registers);
    CHECK(plan(100, 30, 30, false).direct == (tier == Tier::kAvx512));  // the last panel is more than a vector, in part
    CHECK_FALSE(plan(8, 17, 8, false).b_in_registers);
    CHECK_FALSE(
        PlanGemm({.m = 8, .n = 8, .k = 8, .a_row_stride = 1, .a_k_stride = 8}, kernels, machine, 1).b_in_registers);
  });
}

Context BestContext() {
  Result<Context> context = Context::Make();
  REQUIRE(context.ok());
  return std::move(*context);
}

TEST_CASE("Gemm refuses what it cannot do and leaves C untouched") {
  Context context = BestContext();
  std::vector<float> a(12, 1.0F);
  std::vector<float> b(20, 1.0F);
  std::vector<float> c(30, 7.0F);
  using In = MatrixView<const float>;
  using Out = MatrixView<float>;
  const auto refused = [&](In x, In y, Out z, const char* word) {
    const Status status = Gemm<float>(context, x, y, z);
    CHECK(status.code() == StatusCode::kInvalidArgument);
    CHECK_MESSAGE(status.message().find(word) != std::string::npos, status.message());
    CHECK(c == std::vector<float>(30, 7.0F));
  };
  const In good_a(a.data(), 3, 4);
  const In good_b(b.data(), 4, 5);
  refused(good_a, In(b.data(), 5, 4), Out(c.data(), 3, 5), "shapes do not match");
  refused(good_a, good_b, Out(c.data(), 2, 5), "shapes do not match");
  refused(good_a, good_b, Out(nullptr, 3, 5), "null");
  refused(In(nullptr, 3, 4), good_b, Out(c.data(), 3, 5), "null");
  refused(good_a, good_b, Out(c.data(), 3, 5, 4), "row stride");
  refused(good_a, good_b, Out(c.data(), 3, 5, 10, 2), "column stride");
  refused(In(a.data(), -3, 4), good_b, Out(c.data(), -3, 5), "negative");
  refused(In(c.data(), 3, 4), good_b, Out(c.data() + 3, 3, 5), "overlaps");
  refused(In(a.data(), 3, 4, std::numeric_limits<std::ptrdiff_t>::max() / 2), good_b, Out(c.data(), 3, 5),
          "address space");
  GemmOptions<float> options;
  options.bias = c.data() + 2;
  const Status status = Gemm<float>(context, good_a, good_b, Out(c.data(), 3, 5), options);
  CHECK(status.code() == StatusCode::kInvalidArgument);
}

TEST_CASE("Packed weights for another kernel are refused with both layouts named, and Repack mends it") {
  std::vector<std::pair<Tier, std::int32_t>> layouts;
  ForEachTier([&layouts](Tier tier, const kernels::KernelTable& table) {
    layouts.emplace_back(tier, table.gemm_f32->chains1.nr);
  });
  std::vector<float> weights(50 * 40);
  Random random(1, Stream::kUser);
  for (float& w : weights) w = random.UniformFloat();
  std::vector<float> x(50, 1.0F);
  const MatrixView<const float> b(weights.data(), 50, 40);
  for (const auto& [from, from_nr] : layouts) {
    for (const auto& [to, to_nr] : layouts) {
      const Result<PackedMatrix<float>> packed = PackedMatrix<float>::Pack(KernelsOf(from), b);
      REQUIRE(packed.ok());
      Context context(KernelsOf(to));
      std::vector<float> plain(40);
      std::vector<float> out(40);
      REQUIRE(Gemm<float>(context, {x.data(), 1, 50}, b, {plain.data(), 1, 40}).ok());
      const Status status = Gemm<float>(context, {x.data(), 1, 50}, *packed, {out.data(), 1, 40});
      if (from_nr == to_nr) {
        CHECK(status.ok());
      } else {
        CHECK(status.code() == StatusCode::kLayoutMismatch);
        CHECK(status.message().find(Name(from)) != std::string::npos);
        CHECK(status.message().find(Name(to)) != std::string::npos);
        const Result<PackedMatrix<float>> mended = packed->Repack(context.kernels());
        REQUIRE(mended.ok());
        REQUIRE(Gemm<float>(context, {x.data(), 1, 50}, *mended, {out.data(), 1, 40}).ok());
      }
      CHECK(out == plain);
    }
  }
}

TEST_CASE("A plan is pure, and explains each of its choices") {
  Context context = BestContext();
  Machine machine;
  machine.l2 = 1 << 20;
  GemmShape shape{.m = 128, .n = 512, .k = 784};
  const GemmPlan one = PlanGemm(shape, context.kernels(), machine, 1);
  CHECK(one.tasks == 1);
  CHECK(one.split == GemmSplit::kOneThread);
  CHECK(one.block_panels * one.nr * one.kc * 4 <= 1 << 19);
  CHECK(one.panels * one.nr >= 512);
  const GemmPlan two = PlanGemm(shape, context.kernels(), machine, 2);
  CHECK(two.tasks == 2);
  CHECK(two.split == GemmSplit::kColumns);
  shape.n = 30;
  CHECK(PlanGemm(shape, context.kernels(), machine, 2).split == GemmSplit::kRows);
  shape.k = 16;
  CHECK(PlanGemm(shape, context.kernels(), machine, 2).split == GemmSplit::kSmall);
  CHECK(Explain(PlanGemm({.m = 0, .n = 5, .k = 3}, context.kernels(), machine, 1)).find("C is empty") !=
        std::string::npos);
  CHECK(Explain(PlanGemm({.m = 3, .n = 5, .k = 0}, context.kernels(), machine, 1)).find("K = 0") != std::string::npos);
  const std::string text = Explain(one);
  for (const char* word : {"M=128", "N=512", "K=784", "tile", "threads", "class"}) {
    CHECK_MESSAGE(text.find(word) != std::string::npos, text);
  }
}

TEST_CASE("More threads on offer never leave a plan with fewer, nor with more than have work") {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    const Kernels kernels = KernelsOf(tier);
    Machine machine;
    machine.l2 = 1 << 20;
    const std::ptrdiff_t shapes[][3] = {{64, 128, 784},   {512, 512, 512}, {1, 4096, 4096}, {128, 128, 128},
                                        {1, 1, 16000000}, {10, 5, 50000},  {4096, 2, 512},  {1000, 1000, 1000}};
    for (const auto& shape : shapes) {
      const std::ptrdiff_t m = shape[0];
      const std::ptrdiff_t n = shape[1];
      const std::ptrdiff_t k = shape[2];
      CAPTURE(m);
      CAPTURE(n);
      CAPTURE(k);
      int tasks = 1;
      for (int threads = 2; threads <= 300; ++threads) {
        CAPTURE(threads);
        const GemmPlan plan = PlanGemm({.m = m, .n = n, .k = k}, kernels, machine, threads);
        CHECK(plan.tasks >= tasks);
        CHECK(plan.tasks <= threads);
        CHECK(plan.tasks * machine.thread_break_even <= 2.0 * static_cast<double>(m * n * k));
        tasks = plan.tasks;
      }
      CHECK(tasks > 1);
    }
    const auto explain = [&](std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, const char* words) {
      const std::string text = Explain(PlanGemm({.m = m, .n = n, .k = k}, kernels, machine, 300));
      CHECK_MESSAGE(text.find(words) != std::string::npos, text);
    };
    explain(1, 1, 16000000, "16 (each owns whole chunks of K=256, which are added up in order; each has 1000000");
    explain(8000, 32, 1000, "each has 1000000 multiply-adds at least");
    explain(10, 20000, 1000, "of B");
    explain(100, 1, 1, "below the break-even of 2000000");
  });
}

TEST_CASE("A plan made beforehand gives the same bits, and only for its own product") {
  Context context = BestContext();
  Random random(5, Stream::kUser);
  Operand<float> a(7, 300, Layout::kDense, Flush::kBack);
  Operand<float> b(300, 50, Layout::kDense, Flush::kBack);
  a.Fill(random, Data::kUniform);
  b.Fill(random, Data::kUniform);
  std::vector<float> expected(7 * 50);
  std::vector<float> c(7 * 50);
  const MatrixView<float> c_view(c.data(), 7, 50);
  REQUIRE(Gemm<float>(context, a.view, b.view, {expected.data(), 7, 50}).ok());
  GemmShape shape{.m = 7, .n = 50, .k = 300};
  const GemmPlan plan = PlanGemm(shape, context.kernels(), context.machine(), 1);
  REQUIRE(Gemm<float>(context, plan, a.view, b.view, c_view).ok());
  CHECK(c == expected);

  const auto refused = [&](const GemmPlan& other, const GemmOptions<float>& options) {
    const Status status = Gemm<float>(context, other, a.view, b.view, c_view, options);
    CHECK(status.code() == StatusCode::kInvalidArgument);
    CHECK_MESSAGE(status.message().find("PlanGemm") != std::string::npos, status.message());
  };
  GemmOptions<float> scaled;
  scaled.alpha = 2;
  refused(plan, scaled);
  shape.k = 299;
  refused(PlanGemm(shape, context.kernels(), context.machine(), 1), {});
  shape.k = 300;
  shape.b_packed = true;
  refused(PlanGemm(shape, context.kernels(), context.machine(), 1), {});
  shape.b_packed = false;
  shape.type = ElementType::kF64;
  refused(PlanGemm(shape, context.kernels(), context.machine(), 1), {});
}

TEST_CASE("A context has the kernels and the executor that it is made with, or says what is wrong") {
  SerialExecutor executor;
  const Result<Context> context = Context::Make("portable", executor);
  REQUIRE(context.ok());
  CHECK(&context->executor() == &executor);
  CHECK(context->kernels().TierName() == "portable");
  CHECK(BestContext().executor().Threads() == 1);
  CHECK(Context::Make("portabel", executor).status().code() == StatusCode::kUnknownName);
}

TEST_CASE("Whichever of its allocations fails, Context::Make says that memory is short") {
  SerialExecutor executor;
  int failed = 0;
  for (bool made = false; !made; failed += made ? 0 : 1) {
    g_failing = g_allocations + failed;
    const Result<Context> context = Context::Make("portable", executor);
    g_failing = -1;
    made = context.ok();
    if (!made) CHECK(context.status().code() == StatusCode::kOutOfMemory);
  }
  CHECK(failed > 1);
}

TEST_CASE("After Reserve, executing the plan allocates nothing") {
  Context context = BestContext();
  std::vector<float> a(64 * 512);
  std::vector<float> b(512 * 100);
  std::vector<float> c(64 * 100);
  const GemmPlan plan = PlanGemm({.m = 64, .n = 100, .k = 512}, context.kernels(), context.machine(), 1);
  REQUIRE(Reserve(context, plan).ok());
  const long before = g_allocations;
  const Status status = Gemm<float>(context, {a.data(), 64, 512}, {b.data(), 512, 100}, {c.data(), 64, 100});
  const long after = g_allocations;
  REQUIRE(status.ok());
  CHECK(after == before);
  CHECK(before > 0);  // the count itself works
}

}  // namespace
}  // namespace lanewise::test
