// SPDX-License-Identifier: Apache-2.0
//
// GEMM on every tier against the oracle, by bytes.

#include "lanewise/gemm.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <tuple>
#include <vector>

#include "doctest/doctest.h"
#include "gemm_case.h"
#include "kernel_table.h"
#include "lanewise/random.h"
#include "network.h"
#include "oracle.h"
#include "tiers.h"
#include "typed_rows.h"

namespace lanewise::test {
namespace {

std::set<std::ptrdiff_t> AroundMultiples(std::ptrdiff_t tile) {
  return {0, 1, tile - 1, tile, tile + 1, 2 * tile - 1, 2 * tile, 3 * tile + tile / 2 + 1};
}

TEST_CASE_TEMPLATE("Gemm equals the oracle at every size around the tile and the chunk", T, float, double, std::int32_t,
                   std::int64_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable& table) {
    Context context(KernelsOf(tier));
    const kernels::GemmTiles<T>& tiles = internal::GemmRow<T>(table).chains1;
    std::set<std::ptrdiff_t> ms = AroundMultiples(tiles.mr);
    for (std::ptrdiff_t m = 2; m <= 8; ++m) ms.insert(m);
    std::set<std::ptrdiff_t> ns = AroundMultiples(tiles.nr);
    ns.insert({2, 3, 15, 16, 17, 33});
    ns.insert({tiles.nr + tiles.slim_nr - 1, tiles.nr + tiles.slim_nr});  // a last panel of a vector or less
    const std::set<std::ptrdiff_t> ks = {0, 1, 2, 3, 4, 5, 15, 16, 17, 33, 255, 256, 257, 515};
    std::uint64_t seed = 0;
    for (const std::ptrdiff_t m : ms) {
      for (const std::ptrdiff_t n : ns) {
        for (const std::ptrdiff_t k : ks) {
          ++seed;
          Case t{.m = m, .n = n, .k = k};
          t.bias = seed % 3 != 0;
          t.packed = seed % 2 == 0;
          t.a = seed % 3 == 1 ? kLayouts[seed / 3 % 6] : Layout::kDense;
          t.side = seed % 5 < 2 ? Flush::kFront : Flush::kBack;
          t.data = seed % 7 == 0 ? Data::kSpecial : Data::kUniform;
          Check<T>(context, ClassOf(tier), t, seed);
        }
      }
    }
  });
}

// What a case is beside its sizes, each property drawn by itself.
template <typename T>
void Draw(Random& random, Case& t) {
  t.bias = random.Below(3) != 0;
  t.beta = random.Below(4) == 0 ? kFactors<T>[1 + random.Below(2)] : 0;
  t.packed = random.Below(2) == 0;
  t.a = random.Below(2) == 0 ? kLayouts[random.Below(6)] : Layout::kDense;
  t.b = random.Below(2) == 0 ? kLayouts[random.Below(6)] : Layout::kDense;
  t.c = random.Below(4) == 0 ? Layout::kPadded : Layout::kDense;
  t.side = random.Below(2) == 0 ? Flush::kFront : Flush::kBack;
  t.data = random.Below(3) == 0 ? Data::kSpecial : Data::kUniform;
}

TEST_CASE_TEMPLATE("Narrow products equal the oracle for every width, packed or not, however A and B lie", T, float,
                   double, std::int32_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    Random random(17, Stream::kUser);
    for (std::ptrdiff_t n = 1; n <= 17; ++n) {
      for (const std::ptrdiff_t m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 17, 50}) {
        for (const std::ptrdiff_t k : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 256, 259, 512, 1030}) {
          for (int i = 0; i < 2; ++i) {
            Case t{.m = m, .n = n, .k = k};
            Draw<T>(random, t);
            Check<T>(context, ClassOf(tier), t, random.Next64());
          }
        }
      }
    }
  });
}

TEST_CASE_TEMPLATE("Narrow products of a transposed A equal the oracle", T, float, double) {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    Random random(18, Stream::kUser);
    for (std::ptrdiff_t n = 2; n <= 16; ++n) {
      for (const std::ptrdiff_t m : {16, 17, 35}) {
        for (const std::ptrdiff_t k : {2, 3, 5, 8, 256, 259, 600}) {
          const GemmShape shape{.type = kElementType<T>, .m = m, .n = n, .k = k, .a_row_stride = 1, .a_k_stride = m};
          const GemmPlan plan = PlanGemm(shape, context.kernels(), context.machine(), 1);
          // Portable has one lane; where the columns fill all lanes, these run over columns.
          CHECK(plan.lanes_over_rows == (tier != Tier::kPortable && n % plan.nr != 0));
          CHECK((Explain(plan).find(", tile ") == std::string::npos) == plan.lanes_over_rows);
          Case t{.m = m, .n = n, .k = k};
          Draw<T>(random, t);
          t.a = Layout::kTransposed;
          t.b = Layout::kDense;
          t.packed = false;
          Check<T>(context, ClassOf(tier), t, random.Next64());
        }
      }
    }
  });
}

TEST_CASE_TEMPLATE("Few rows equal the oracle over several panels and chunks of K", T, float, double, std::int32_t,
                   std::int64_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable& table) {
    Context context(KernelsOf(tier));
    const std::ptrdiff_t nr = internal::GemmRow<T>(table).chains1.nr;
    const Machine machine = context.machine();
    Machine tiny = machine;
    tiny.l2 = 4 * 1024;  // so that weights lie beyond all caches and are prefetched
    std::uint64_t seed = 0;
    for (std::ptrdiff_t m = 1; m <= kernels::kMaxFewRows + 1; ++m) {
      for (const std::ptrdiff_t n :
           {std::ptrdiff_t{1}, std::ptrdiff_t{5}, std::ptrdiff_t{16}, nr, 4 * nr, 9 * nr + 3}) {
        for (const std::ptrdiff_t k : {0, 256, 511, 512, 1025, 1311}) {
          Case t{.m = m, .n = n, .k = k};
          t.bias = ++seed % 3 != 0;
          t.beta = seed % 4 == 0 ? kFactors<T>[2] : 0;
          t.packed = seed % 2 == 0;
          t.b = kLayouts[seed % 6];
          t.a = kLayouts[seed / 6 % 6];
          t.side = seed % 7 < 3 ? Flush::kFront : Flush::kBack;
          t.data = seed % 11 == 0 ? Data::kSpecial : Data::kUniform;
          context.set_machine(seed % 5 < 2 ? tiny : machine);
          Check<T>(context, ClassOf(tier), t, seed);
        }
      }
    }
  });
}

TEST_CASE_TEMPLATE("Outer products equal the oracle, down to the sign of an underflow", T, float, double, std::int32_t,
                   std::int64_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    std::uint64_t seed = 0;
    for (const std::ptrdiff_t m : {1, 5, 101}) {
      for (const std::ptrdiff_t n : {1, 2, 8, 10, 16, 17, 70}) {
        for (const Data data : {Data::kUniform, Data::kSpecial}) {
          for (const double beta : {0.0, 1.0, -0.7}) {
            Case t{.m = m, .n = n, .k = 1};
            t.bias = ++seed % 2 == 0;
            t.beta = beta;
            t.packed = seed % 5 == 0;
            t.a = kLayouts[seed % 6];
            t.b = kLayouts[seed / 6 % 6];
            t.c = seed % 4 == 0 ? Layout::kPadded : Layout::kDense;
            t.side = seed % 3 == 0 ? Flush::kFront : Flush::kBack;
            t.data = data;
            Check<T>(context, ClassOf(tier), t, seed);
          }
        }
      }
    }
    const GemmShape shape{.m = 5, .n = 10, .k = 1};
    const GemmPlan plan = PlanGemm(shape, context.kernels(), context.machine(), 1);
    CHECK(plan.outer);
    CHECK(Explain(plan).find("K = 1") != std::string::npos);
  });
}

TEST_CASE_TEMPLATE("Gemm equals the oracle for any strides, transposes, alpha and beta", T, float, double, std::int32_t,
                   std::int64_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    Random random(7, Stream::kUser);
    for (std::uint64_t seed = 0; seed < 600; ++seed) {
      Case t{.m = static_cast<std::ptrdiff_t>(random.Below(40)),
             .n = static_cast<std::ptrdiff_t>(random.Below(3) == 0 ? random.Below(18) : random.Below(80)),
             .k = static_cast<std::ptrdiff_t>(random.Below(4) == 0 ? 200 + random.Below(400) : random.Below(40))};
      t.a = kLayouts[random.Below(6)];
      t.b = kLayouts[random.Below(6)];
      constexpr Layout kOutputs[] = {Layout::kDense, Layout::kPadded, Layout::kReversed};
      t.c = kOutputs[random.Below(3)];
      t.alpha = kFactors<T>[random.Below(3)];
      t.beta = kFactors<T>[random.Below(3)];
      t.bias = random.Below(2) == 0;
      t.packed = random.Below(2) == 0;
      t.side = random.Below(2) == 0 ? Flush::kFront : Flush::kBack;
      t.data = static_cast<Data>(random.Below(3));
      Check<T>(context, ClassOf(tier), t, seed);
    }
  });
}

TEST_CASE_TEMPLATE("Without steps of K nothing is read, copied or packed", T, float, double, std::int32_t,
                   std::int64_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable& /*table*/) {
    Context context(KernelsOf(tier));
    std::vector<T> c(64 * 512, T{7});
    REQUIRE(Gemm<T>(context, {nullptr, 64, 0}, {nullptr, 0, 512}, {c.data(), 64, 512}).ok());
    CHECK(std::ranges::all_of(c, [](T x) { return x == T{0}; }));
    const GemmShape shape{.type = kElementType<T>, .m = 64, .n = 512, .k = 0};
    CHECK(PlanGemm(shape, context.kernels(), context.machine(), 1).a_scratch == 0);

    constexpr std::ptrdiff_t kHuge = PTRDIFF_MAX;
    const Result<PackedMatrix<T>> packed = PackedMatrix<T>::Pack(context.kernels(), {nullptr, 0, kHuge});
    REQUIRE(packed.ok());
    CHECK(packed->cols() == kHuge);
  });
}

TEST_CASE_TEMPLATE("A single row, column or step of K may have any stride", T, float, double, std::int32_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    const std::vector<T> ones(64 * 64, T{1});
    const auto computes = [&](std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k) {
      CAPTURE(m);
      CAPTURE(n);
      CAPTURE(k);
      const MatrixView<const T> a(ones.data(), m, k, m == 1 ? PTRDIFF_MAX : k, k == 1 ? PTRDIFF_MAX : 1);
      const MatrixView<const T> b(ones.data(), k, n, k == 1 ? PTRDIFF_MAX : n);
      std::vector<T> c(static_cast<std::size_t>(m * n));
      const MatrixView<T> c_view(c.data(), m, n, m == 1 ? PTRDIFF_MAX : n);
      REQUIRE(Gemm<T>(context, a, b, c_view).ok());
      CHECK(c == std::vector<T>(c.size(), static_cast<T>(k)));
      const Result<PackedMatrix<T>> packed = PackedMatrix<T>::Pack(context.kernels(), b);
      REQUIRE(packed.ok());
      REQUIRE(Gemm<T>(context, a, *packed, c_view).ok());
      CHECK(c == std::vector<T>(c.size(), static_cast<T>(k)));
    };
    for (const std::ptrdiff_t n : {1, 3, 8, 16, 40, 64}) {
      for (const std::ptrdiff_t k : {1, 4, 8, 40}) {
        computes(1, n, k);
        computes(40, n, k);
      }
    }
  });
}

TEST_CASE_TEMPLATE("With alpha = 0 neither A nor B is touched, however they lie", T, float, double, std::int32_t,
                   std::int64_t) {
  constexpr std::ptrdiff_t kM = 33, kN = 150, kK = 512;
  constexpr std::size_t kBytes = std::size_t{kK} * kN * sizeof(T);
  void* unreadable = mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(unreadable != MAP_FAILED);
  const T* elements = static_cast<const T*>(unreadable);
  GemmOptions<T> options;
  options.alpha = 0;
  ForEachTier([&](Tier tier, const kernels::KernelTable&) {
    for (const std::ptrdiff_t n : {std::ptrdiff_t{1}, kN}) {
      for (const auto& a :
           {MatrixView<const T>(elements, kM, kK), MatrixView<const T>(elements, kK, kM).Transposed()}) {
        for (const auto& b :
             {MatrixView<const T>(elements, kK, n), MatrixView<const T>(elements, n, kK).Transposed()}) {
          Context context(KernelsOf(tier));  // with no scratch memory of an earlier call
          std::vector<T> c(static_cast<std::size_t>(kM * n), T{7});
          REQUIRE(Gemm<T>(context, a, b, MatrixView<T>(c.data(), kM, n), options).ok());
          CHECK(c == std::vector<T>(c.size(), T{0}));
        }
      }
    }
  });
  munmap(unreadable, kBytes);
}

TEST_CASE_TEMPLATE("Threads, blocks and cache sizes change no bit", T, float, double, std::int32_t, std::int64_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    for (const int threads : {1, 2, 3, 8}) {
      ThreadPool pool(threads);
      Context context(KernelsOf(tier), pool);
      // Cache sizes are untrusted: none, tiny and absurd ones must work.
      for (const std::size_t l2 : {std::size_t{0}, std::size_t{1} << 15, std::size_t{1} << 60}) {
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

TEST_CASE_TEMPLATE("An A beyond all caches passes by in groups of row blocks, with the same bits", T, float, double,
                   std::int32_t, std::int64_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable& table) {
    for (const auto& [n, k, threads] : {std::tuple(200, 20, 1), {45, 20, 3}, {20, 1100, 2}}) {
      ThreadPool pool(threads);
      Context context(KernelsOf(tier), pool);
      Machine machine = context.machine();
      machine.thread_break_even = 0;
      // A quarter of L2 holds two row blocks, and A is too large for 64 such quarters.
      const std::ptrdiff_t quarter = 2 * std::ptrdiff_t{internal::GemmRow<T>(table).chains1.mr} * std::min(k, 1024);
      machine.l2 = 4 * sizeof(T) * static_cast<std::size_t>(quarter);
      context.set_machine(machine);
      Case t{.m = 64 * quarter / k + 50, .n = n, .k = k};
      t.bias = true;
      t.beta = k > 1000 ? kFactors<T>[2] : 0;
      for (const bool packed : {false, true}) {
        t.packed = packed;
        const GemmShape shape{.type = kElementType<T>, .m = t.m, .n = n, .k = k, .b_packed = packed};
        const GemmPlan plan = PlanGemm(shape, context.kernels(), machine, threads);
        CHECK(plan.group > 1);
        CHECK(Explain(plan).find("MC=") != std::string::npos);
        Check<T>(context, ClassOf(tier), t, 3);
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

TEST_CASE_TEMPLATE("Sums of integers are exact, so the classes agree", T, float, double, std::int32_t, std::int64_t) {
  std::vector<T> first;
  ForEachTier([&first](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    Random random(3, Stream::kUser);
    Operand<T> a(23, 700, Layout::kDense, Flush::kBack);
    Operand<T> b(700, 45, Layout::kDense, Flush::kBack);
    std::vector<T> c(23 * 45);
    a.Fill(random, Data::kIntegers);
    b.Fill(random, Data::kIntegers);
    REQUIRE(Gemm<T>(context, a.view, b.view, MatrixView<T>(c.data(), 23, 45)).ok());
    if (first.empty()) first = c;
    CHECK(c == first);
  });
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
      Random random(11, Stream::kUser);
      for (const auto& [m, n, k] : {std::tuple(29, 1, 270), {29, 10, 270}, {29, 300, 270}, {300, 8, 8}}) {
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
    }
  });
}

}  // namespace
}  // namespace lanewise::test
