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
    std::vector<std::ptrdiff_t> ks = {256, 259, 512, 1030};
    for (std::ptrdiff_t k = 0; k <= kernels::kMaxHeldSteps + 1; ++k) ks.push_back(k);
    for (std::ptrdiff_t n = 1; n <= 17; ++n) {
      for (const std::ptrdiff_t m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 17, 50}) {
        for (const std::ptrdiff_t k : ks) {
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

TEST_CASE_TEMPLATE("One row of weights beyond all caches equals the oracle", T, float, double) {
  ForEachTier([](Tier tier, const kernels::KernelTable& table) {
    const kernels::GemmTiles<T>& tiles = internal::GemmRow<T>(table).chains1;
    std::uint64_t seed = 0;
    for (const int threads : {1, 2}) {
      ThreadPool pool(threads);
      Context context(KernelsOf(tier), pool);
      Machine machine = context.machine();
      machine.l2 = 1024;
      machine.thread_break_even = 0;
      context.set_machine(machine);
      const std::ptrdiff_t wide = tiles.widest_panels * std::ptrdiff_t{tiles.nr};
      for (const std::ptrdiff_t n : {wide, wide - 3, 2 * wide + 4 * tiles.nr - 1, 3 * wide + 1}) {
        if (n <= 16) continue;  // portable: other kernels
        for (const std::ptrdiff_t k : {300, 512, 1311}) {
          Case t{.m = 1, .n = n, .k = k};
          t.packed = true;
          t.bias = ++seed % 3 != 0;
          t.beta = seed % 4 == 0 ? kFactors<T>[2] : 0;
          t.side = seed % 2 == 0 ? Flush::kFront : Flush::kBack;
          Check<T>(context, ClassOf(tier), t, seed);
          const GemmShape shape{.type = kElementType<T>, .m = 1, .n = n, .k = k, .b_packed = true};
          CHECK(PlanGemm(shape, context.kernels(), machine, threads).widest_tiles == (tiles.widest != nullptr));
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

}  // namespace
}  // namespace lanewise::test
