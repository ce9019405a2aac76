// SPDX-License-Identifier: Apache-2.0
//
// GEMM on every tier against the oracle, by bytes.

#include "lanewise/gemm.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>
#include <set>
#include <vector>

#include "doctest/doctest.h"
#include "guarded.h"
#include "kernel_table.h"
#include "lanewise/random.h"
#include "network.h"
#include "oracle.h"
#include "tiers.h"
#include "typed_rows.h"

// Counts what this program allocates.
static std::atomic<long> g_allocations{0};

void* operator new(std::size_t size) {
  ++g_allocations;
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
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }

namespace lanewise::test {
namespace {

enum class Data {
  kUniform,   // [-1, 1)
  kSpecial,   // signed zeros, denormals, values whose products underflow or overflow, infinities
  kIntegers,  // small integers: sums are exact, so all tiers agree
};

// Of type kUniform any integer, of type kSpecial the extremes, whose products and sums overflow.
template <typename T>
requires std::is_integral_v<T> T Draw(Random& random, Data data) {
  using Limits = std::numeric_limits<T>;
  constexpr T kHalf = T{1} << (sizeof(T) * 4);  // half of the bits
  constexpr T kSpecials[] = {0, 1, -1, Limits::min(), Limits::max(), Limits::min() + 1, kHalf, kHalf - 1, -kHalf, 3};
  switch (data) {
    case Data::kUniform:
      return static_cast<T>(random.Next64());
    case Data::kSpecial:
      return kSpecials[random.Below(std::size(kSpecials))];
    case Data::kIntegers:
      return static_cast<T>(static_cast<int>(random.Below(17)) - 8);
  }
  return 0;
}

template <typename T>
requires std::is_floating_point_v<T> T Draw(Random& random, Data data) {
  constexpr T kSpecials[] = {T{0},
                             -T{0},
                             T{1},
                             T{-1},
                             std::numeric_limits<T>::min(),
                             -std::numeric_limits<T>::denorm_min(),
                             -std::numeric_limits<T>::min(),
                             std::numeric_limits<T>::max(),
                             std::numeric_limits<T>::infinity(),
                             T{3}};
  switch (data) {
    case Data::kUniform:
      return static_cast<T>(2 * random.UniformDouble() - 1);
    case Data::kSpecial:
      // Infinities are rare, or every sum would be NaN.
      return kSpecials[random.Below(random.Below(50) == 0 ? std::size(kSpecials) : 7)];
    case Data::kIntegers:
      return static_cast<T>(static_cast<int>(random.Below(17)) - 8);
  }
  return 0;
}

// How an operand lies in memory.
enum class Layout { kDense, kTransposed, kPadded, kReversed, kSpread, kRepeated };

// What memory is full of that must not be read: NaN, or an integer that changes every sum.
template <typename T>
constexpr T kPoison = std::is_integral_v<T> ? std::numeric_limits<T>::max() / 3 : std::numeric_limits<T>::quiet_NaN();

// An operand of its own between guard pages. Elements of the buffer that are not the matrix's are poison.
template <typename T>
struct Operand {
  Operand(std::ptrdiff_t rows, std::ptrdiff_t cols, Layout layout, Flush side)
      : buffer(Elements(rows, cols, layout), side), view(buffer.data(), rows, cols) {
    for (T& x : buffer) x = kPoison<T>;
    switch (layout) {
      case Layout::kDense:
        break;
      case Layout::kTransposed:
        view = MatrixView<T>(buffer.data(), cols, rows).Transposed();
        break;
      case Layout::kPadded:
        view.row_stride = cols + 3;
        break;
      case Layout::kReversed:
        if (rows > 0) view = MatrixView<T>(buffer.data() + (rows - 1) * cols, rows, cols, -cols);
        break;
      case Layout::kSpread:
        view = MatrixView<T>(buffer.data(), rows, cols, 2 * cols, 2);
        break;
      case Layout::kRepeated:  // one row, again and again
        view.row_stride = 0;
        break;
    }
  }

  void Fill(Random& random, Data data) {
    for (std::ptrdiff_t i = 0; i < view.rows; ++i) {
      for (std::ptrdiff_t j = 0; j < view.cols; ++j) view(i, j) = Draw<T>(random, data);
    }
  }

  // The buffer ends with the last element, so that a read beyond it meets the guard page.
  static std::size_t Elements(std::ptrdiff_t rows, std::ptrdiff_t cols, Layout layout) {
    if (rows == 0 || cols == 0) return 0;
    const std::ptrdiff_t count = layout == Layout::kPadded     ? (rows - 1) * (cols + 3) + cols
                                 : layout == Layout::kSpread   ? 2 * rows * cols - 1
                                 : layout == Layout::kRepeated ? cols
                                                               : rows * cols;
    return static_cast<std::size_t>(count);
  }

  GuardedArray<T> buffer;
  MatrixView<T> view;
};

struct Case {
  std::ptrdiff_t m, n, k;
  Layout a = Layout::kDense, b = Layout::kDense, c = Layout::kDense;
  double alpha = 1, beta = 0;
  bool bias = false;
  bool packed = false;
  Data data = Data::kUniform;
  Flush side = Flush::kBack;
};

// Runs a case in the context and compares every byte of C's buffer with the oracle's.
template <typename T>
void Check(Context& context, NumericClass numeric_class, const Case& t, std::uint64_t seed) {
  CAPTURE(t.m);
  CAPTURE(t.n);
  CAPTURE(t.k);
  CAPTURE(static_cast<int>(t.a));
  CAPTURE(static_cast<int>(t.b));
  CAPTURE(static_cast<int>(t.c));
  CAPTURE(t.alpha);
  CAPTURE(t.beta);
  CAPTURE(t.bias);
  CAPTURE(t.packed);
  CAPTURE(static_cast<int>(t.data));
  Random random(seed, Stream::kUser);
  Operand<T> a(t.m, t.k, t.a, t.side);
  Operand<T> b(t.k, t.n, t.b, t.side);
  Operand<T> c(t.m, t.n, t.c, t.side);
  Operand<T> expected(t.m, t.n, t.c, t.side);
  Operand<T> bias(1, t.n, Layout::kDense, t.side);
  // With alpha = 0 or beta = 0 the operands stay full of poison: they must not be read.
  if (t.alpha != 0) {
    a.Fill(random, t.data);
    b.Fill(random, t.data);
  }
  if (t.beta != 0) {
    c.Fill(random, t.data);
    for (std::ptrdiff_t i = 0; i < t.m; ++i) {
      for (std::ptrdiff_t j = 0; j < t.n; ++j) expected.view(i, j) = c.view(i, j);
    }
  }
  bias.Fill(random, t.data);
  GemmOptions<T> options;
  options.alpha = static_cast<T>(t.alpha);
  options.beta = static_cast<T>(t.beta);
  options.bias = t.bias ? bias.view.data : nullptr;

  OracleGemm<T>(numeric_class, options.alpha, a.view, b.view, options.beta, options.bias, expected.view);
  Status status;
  if (t.packed) {
    const Result<PackedMatrix<T>> packed = PackedMatrix<T>::Pack(context.kernels(), b.view);
    REQUIRE(packed.ok());
    status = Gemm<T>(context, a.view, *packed, c.view, options);
  } else {
    status = Gemm<T>(context, a.view, b.view, c.view, options);
  }
  REQUIRE_MESSAGE(status.ok(), status.message());
  std::ptrdiff_t differing = 0;
  for (std::size_t i = 0; i < c.buffer.size(); ++i) {
    differing += !SameBits(c.buffer.data()[i], expected.buffer.data()[i]);
  }
  REQUIRE(differing == 0);
  REQUIRE(c.buffer.SurroundingsIntact());
}

// For alpha and beta.
template <typename T>
constexpr double kFactors[] = {0, 1, std::is_integral_v<T> ? -123456789 : -0.7};

constexpr Layout kLayouts[] = {Layout::kDense,    Layout::kTransposed, Layout::kPadded,
                               Layout::kReversed, Layout::kSpread,     Layout::kRepeated};

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
    const std::set<std::ptrdiff_t> ks = {0, 1, 2, 3, 4, 5, 15, 16, 17, 33, 255, 256, 257, 515};
    std::uint64_t seed = 0;
    for (const std::ptrdiff_t m : ms) {
      for (const std::ptrdiff_t n : ns) {
        for (const std::ptrdiff_t k : ks) {
          ++seed;
          Case t{.m = m, .n = n, .k = k};
          t.bias = seed % 3 != 0;
          t.packed = seed % 2 == 0;
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
        for (const std::ptrdiff_t k : {0, 1, 2, 3, 4, 6, 7, 13, 256, 259, 512, 1030}) {
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
    CHECK(plan(1000, 10, 1, false).outer);
    CHECK(plan(1000, 10, 128, false).interleaved);
    CHECK(plan(1, 10, 128, true).interleaved);
    CHECK_FALSE(plan(8, 8, 8, false).interleaved);
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

TEST_CASE("A single row may have any stride") {
  Context context(KernelsOf(Tier::kPortable));
  const float a[] = {1, 2, 3, 4};
  const std::vector<float> b(4 * 64, 2.0F);
  std::vector<float> c(64);
  REQUIRE(Gemm<float>(context, {a, 1, 4, PTRDIFF_MAX, 1}, {b.data(), 4, 64}, {c.data(), 1, 64}).ok());
  CHECK(c[63] == 20);
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
      for (const std::ptrdiff_t n : {1, 10, 300}) {
        Operand<T> a(29, 270, Layout::kDense, Flush::kBack);
        Operand<T> b(270, n, Layout::kDense, Flush::kBack);
        a.Fill(random, Data::kUniform);
        b.Fill(random, Data::kUniform);
        for (const Activation activation : {Activation::kRelu, Activation::kLeakyRelu, Activation::kSigmoid,
                                            Activation::kTanh, Activation::kSoftmax, Activation::kLogSoftmax}) {
          CAPTURE(Name(activation));
          Operand<T> plain(29, n, Layout::kPadded, Flush::kBack);
          Operand<T> fused(29, n, Layout::kPadded, Flush::kBack);
          REQUIRE(Gemm<T>(context, a.view, b.view, plain.view).ok());
          GemmOptions<T> options;
          options.activation = activation;
          REQUIRE(Gemm<T>(context, a.view, b.view, fused.view, options).ok());
          NaiveActivate<T>(table, activation, plain.view);
          bool same = true;
          for (std::ptrdiff_t i = 0; i < 29; ++i) {
            for (std::ptrdiff_t j = 0; j < n; ++j) same = same && SameBits(plain.view(i, j), fused.view(i, j));
          }
          CHECK(same);
        }
      }
    }
  });
}

// ---- Integers ----------------------------------------------------------------------------------------------------

TEST_CASE_TEMPLATE("Integers wrap around", T, std::int32_t, std::int64_t) {
  constexpr T kMin = std::numeric_limits<T>::min();
  constexpr T kMax = std::numeric_limits<T>::max();
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    const struct {
      T a, b, alpha, beta, c, bias, expected;
    } kCases[] = {
        {kMin, -1, 1, 0, 0, 0, kMin},       {kMax, kMax, 1, 0, 0, 0, 1},        {kMin, kMin, 1, 0, 0, 7, 7},
        {1, 1, kMin, 0, 0, kMin, 0},        {kMax, 2, 1, 0, 0, 0, -2},          {1, 1, 1, kMin, -1, 0, kMin + 1},
        {3, 5, -1, -1, kMin, 0, kMax - 14}, {0, kMin, kMin, kMax, kMax, -1, 0},
    };
    for (const auto& t : kCases) {
      for (const std::ptrdiff_t n : {1, 5, 40}) {
        const std::vector<T> b(static_cast<std::size_t>(n), t.b);
        const std::vector<T> bias(b.size(), t.bias);
        std::vector<T> c(b.size(), t.c);
        const GemmOptions<T> options{.alpha = t.alpha, .beta = t.beta, .bias = bias.data()};
        REQUIRE(Gemm<T>(context, {&t.a, 1, 1}, {b.data(), 1, n}, {c.data(), 1, n}, options).ok());
        CHECK(c == std::vector<T>(b.size(), t.expected));
      }
    }
  });
}

TEST_CASE_TEMPLATE("Integers have ReLU and no other activation", T, std::int32_t, std::int64_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    Random random(13, Stream::kUser);
    for (const std::ptrdiff_t k : {20, 300}) {
      Operand<T> a(29, k, Layout::kDense, Flush::kBack);
      Operand<T> b(k, 45, Layout::kDense, Flush::kBack);
      Operand<T> plain(29, 45, Layout::kPadded, Flush::kBack);
      Operand<T> fused(29, 45, Layout::kPadded, Flush::kBack);
      a.Fill(random, Data::kUniform);
      b.Fill(random, Data::kUniform);
      REQUIRE(Gemm<T>(context, a.view, b.view, plain.view).ok());
      GemmOptions<T> options;
      options.activation = Activation::kRelu;
      REQUIRE(Gemm<T>(context, a.view, b.view, fused.view, options).ok());
      std::ptrdiff_t wrong = 0;
      for (std::ptrdiff_t i = 0; i < 29; ++i) {
        for (std::ptrdiff_t j = 0; j < 45; ++j) wrong += fused.view(i, j) != std::max(plain.view(i, j), T{0});
      }
      CHECK(wrong == 0);

      const PackedMatrix<T> packed = *PackedMatrix<T>::Pack(context.kernels(), b.view);
      const GemmPlan plan =
          PlanGemm({.type = kElementType<T>, .m = 29, .n = 45, .k = k}, context.kernels(), context.machine(), 1);
      for (const Activation activation :
           {Activation::kSigmoid, Activation::kTanh, Activation::kSoftmax, Activation::kLogSoftmax}) {
        options.activation = activation;
        for (const Status& status : {Gemm<T>(context, a.view, b.view, fused.view, options),
                                     Gemm<T>(context, a.view, packed, fused.view, options),
                                     Gemm<T>(context, plan, a.view, b.view, fused.view, options)}) {
          CHECK(status.code() == StatusCode::kInvalidArgument);
          CHECK_MESSAGE(status.message().find(Name(activation)) != std::string::npos, status.message());
          CHECK_MESSAGE(status.message().find(Name(kElementType<T>)) != std::string::npos, status.message());
        }
      }
      CHECK(fused.view(28, 44) == std::max(plain.view(28, 44), T{0}));  // untouched
    }
  });
}

TEST_CASE_TEMPLATE("Packed integers are read back, repacked and planned for", T, std::int32_t, std::int64_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    Random random(17, Stream::kUser);
    Operand<T> b(37, 45, Layout::kTransposed, Flush::kBack);
    b.Fill(random, Data::kUniform);
    const PackedMatrix<T> packed = *PackedMatrix<T>::Pack(KernelsOf(Tier::kPortable), b.view);
    const Result<PackedMatrix<T>> mended = packed.Repack(context.kernels());
    REQUIRE(mended.ok());
    CHECK(mended->tier() == tier);
    std::ptrdiff_t wrong = 0;
    for (std::ptrdiff_t k = 0; k < 37; ++k) {
      for (std::ptrdiff_t j = 0; j < 45; ++j) wrong += (*mended)(k, j) != b.view(k, j);
    }
    CHECK(wrong == 0);

    const GemmPlan plan =
        PlanGemm({.type = kElementType<T>, .m = 9, .n = 45, .k = 37}, context.kernels(), context.machine(), 1);
    CHECK(plan.type == kElementType<T>);
    CHECK(plan.tier == tier);
    CHECK(ClassOf(plan) == NumericClass::kExact);
    CHECK(Explain(plan).find("class exact: the same on every tier,") != std::string::npos);
    CHECK(Explain(plan).find(Name(kElementType<T>)) != std::string::npos);
    REQUIRE(Reserve(context, plan).ok());
  });
}

// ---- Errors and plans ------------------------------------------------------------------------------------------

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
  const std::string text = Explain(one);
  for (const char* word : {"M=128", "N=512", "K=784", "tile", "threads", "class"}) {
    CHECK_MESSAGE(text.find(word) != std::string::npos, text);
  }
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
