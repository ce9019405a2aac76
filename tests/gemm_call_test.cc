// SPDX-License-Identifier: Apache-2.0
//
// What surrounds a product: the plans that a Context keeps, plans made beforehand and operands that are not the ones
// they were made for, views at the edge of what is one, and packed weights that were moved.

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "doctest/doctest.h"
#include "gemm_case.h"
#include "lanewise/gemm.h"
#include "network.h"
#include "oracle.h"
#include "tiers.h"

namespace lanewise::test {
namespace {

// Operands of one product in each way to lie: dense, transposed, and with room between rows.
template <typename T>
struct Product {
  Product(std::ptrdiff_t m_in, std::ptrdiff_t n_in, std::ptrdiff_t k_in)
      : m(m_in), n(n_in), k(k_in), a(RandomValues<T>(2 * m * k, 1)), b(RandomValues<T>(2 * k * n, 2)) {}

  std::vector<MatrixView<const T>> As() const { return Lying(a.data(), m, k); }
  std::vector<MatrixView<const T>> Bs() const { return Lying(b.data(), k, n); }

  static std::vector<MatrixView<const T>> Lying(const T* data, std::ptrdiff_t rows, std::ptrdiff_t cols) {
    return {{data, rows, cols}, MatrixView<const T>(data, cols, rows).Transposed(), {data, rows, cols, 2 * cols}};
  }

  std::vector<T> Expected(Tier tier, MatrixView<const T> x, MatrixView<const T> y, T alpha) const {
    std::vector<T> c(static_cast<std::size_t>(m * n));
    OracleGemm<T>(ClassOf(tier), alpha, x, y, 0, nullptr, {c.data(), m, n});
    return c;
  }

  std::ptrdiff_t m, n, k;
  std::vector<T> a, b;
};

template <typename T>
void CheckAllWays(Context& context, Tier tier, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k) {
  const Product<T> p(m, n, k);
  std::vector<T> c(static_cast<std::size_t>(m * n));
  for (const MatrixView<const T>& x : p.As()) {
    for (const MatrixView<const T>& y : p.Bs()) {
      const PackedMatrix<T> packed = *PackedMatrix<T>::Pack(context.kernels(), y);
      for (const T alpha : {T{1}, T{0}, T{-2}}) {
        GemmOptions<T> options;
        options.alpha = alpha;
        const std::vector<T> expected = p.Expected(tier, x, y, alpha);
        REQUIRE(Gemm<T>(context, x, y, {c.data(), m, n}, options).ok());
        CHECK(SameBits<T>(c, expected));
        REQUIRE(Gemm<T>(context, x, packed, {c.data(), m, n}, options).ok());
        CHECK(SameBits<T>(c, expected));
      }
    }
  }
}

TEST_CASE("One context takes products of equal sizes in any type, strides, packing and scaling, in turn") {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    for (const int threads : {1, 2}) {
      ThreadPool pool(threads);
      Context context = ContextOn(tier, pool);
      for (int round = 0; round < 2; ++round) {
        for (const std::ptrdiff_t n : {1, 10, 40}) {
          CheckAllWays<float>(context, tier, 9, n, 30);
          CheckAllWays<double>(context, tier, 9, n, 30);
          CheckAllWays<std::int32_t>(context, tier, 9, n, 30);
        }
      }
    }
  });
}

TEST_CASE("More products than a context keeps plans of") {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    for (int round = 0; round < 2; ++round) {
      for (std::ptrdiff_t size = 1; size < 40; size += 3) CheckAllWays<float>(context, tier, size, 40 - size, size);
    }
  });
}

// A plan may be used for operands that it reads in the same way, whatever their strides, and for no other.
TEST_CASE("A plan made for other strides gives the right bits or an error") {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    int taken = 0;
    int refused = 0;
    for (const auto& [m, n, k] : {std::tuple(3, 40, 20),
                                  {40, 40, 600},
                                  {5, 1, 30},
                                  {5, 1, 1},
                                  {9, 10, 1},
                                  {9, 10, 30},
                                  {9, 8, 8},
                                  {9, 3, 5},
                                  {20, 10, 30}}) {
      const Product<float> p(m, n, k);
      std::vector<float> c(static_cast<std::size_t>(m * n));
      for (const MatrixView<const float>& planned_a : p.As()) {
        for (const MatrixView<const float>& planned_b : p.Bs()) {
          const GemmPlan plan = PlanGemm({.m = m,
                                          .n = n,
                                          .k = k,
                                          .a_row_stride = planned_a.row_stride,
                                          .a_k_stride = planned_a.col_stride,
                                          .b_k_stride = planned_b.row_stride,
                                          .b_column_stride = planned_b.col_stride},
                                         context.kernels(), context.machine(), 1);
          for (const MatrixView<const float>& x : p.As()) {
            for (const MatrixView<const float>& y : p.Bs()) {
              const Status status = Gemm<float>(context, plan, x, y, {c.data(), m, n});
              const bool same = x.row_stride == planned_a.row_stride && x.col_stride == planned_a.col_stride &&
                                y.row_stride == planned_b.row_stride && y.col_stride == planned_b.col_stride;
              CHECK((status.ok() || (!same && status.code() == StatusCode::kInvalidArgument)));
              ++(status.ok() ? taken : refused);
              if (status.ok()) CHECK(SameBits<float>(c, p.Expected(tier, x, y, 1)));
            }
          }
        }
      }
    }
    CHECK(taken > 0);
    CHECK(refused > 0);
  });
}

TEST_CASE("A plan of another tier, or for packed weights of another, is refused") {
  std::vector<Tier> tiers;
  ForEachTier([&tiers](Tier tier, const kernels::KernelTable&) { tiers.push_back(tier); });
  const Product<float> p(9, 40, 30);
  std::vector<float> c(9 * 40);
  for (const Tier planned : tiers) {
    for (const Tier used : tiers) {
      Context context(KernelsOf(used));
      const GemmPlan plan = PlanGemm({.m = 9, .n = 40, .k = 30}, KernelsOf(planned), context.machine(), 1);
      const Status status = Gemm<float>(context, plan, p.As()[0], p.Bs()[0], {c.data(), 9, 40});
      CHECK(status.ok() == (planned == used));
      if (planned == used) continue;
      CHECK(status.code() == StatusCode::kInvalidArgument);
      CHECK(status.message().find(Name(used)) != std::string::npos);
    }
  }
}

// There is nothing to plan for.
TEST_CASE("Without a row or a column of C any plan will do") {
  Context context = *Context::Make();
  const GemmPlan plan = PlanGemm({.m = 3, .n = 4, .k = 5}, context.kernels(), context.machine(), 1);
  const float x = 1;
  CHECK(Gemm<float>(context, plan, {&x, 0, 7}, {&x, 7, 4, 0, 0}, {nullptr, 0, 4}).ok());
}

TEST_CASE("Strides and sizes that no array has are refused") {
  Context context = *Context::Make();
  constexpr std::ptrdiff_t kMin = std::numeric_limits<std::ptrdiff_t>::min();
  constexpr std::ptrdiff_t kMax = std::numeric_limits<std::ptrdiff_t>::max();
  std::vector<float> x(64);
  std::vector<float> y(64);
  const auto refused = [&](MatrixView<const float> a, MatrixView<float> c, const char* word) {
    const Status status = Gemm<float>(context, a, {x.data(), a.cols, c.cols, 0, 0}, c);
    CHECK(status.code() == StatusCode::kInvalidArgument);
    CHECK_MESSAGE(status.message().find(word) != std::string::npos, status.message());
  };
  refused({x.data(), 2, 3}, {y.data(), 2, 3, kMin}, "C: 2 x 3");
  refused({x.data(), 2, 3}, {y.data(), 2, 3, kMax}, "C: 2 x 3");
  refused({x.data(), 2, 3, kMin}, {y.data(), 2, 3}, "A: 2 x 3");
  refused({x.data(), 2, 3, 3, kMin}, {y.data(), 2, 3}, "A: 2 x 3");
  refused({x.data(), kMax, 3, 0, 0}, {y.data(), kMax, 3}, "address space");
  refused({x.data(), 2, kMax, 0, 0}, {y.data(), 2, 3}, "address space");
  refused({x.data(), kMin, 3}, {y.data(), kMin, 3}, "negative");
  refused({x.data(), 2, 3, 3, 1}, {y.data(), 2, 3, -2}, "row stride -2");
  // Rows from the last to the first are as good as others.
  CHECK(Gemm<float>(context, {x.data(), 2, 3}, {x.data(), 3, 3}, {y.data() + 3, 2, 3, -3}).ok());
}

TEST_CASE("Packed weights that were moved from are empty, and can be assigned again") {
  Context context = *Context::Make();
  const Product<float> p(4, 20, 30);
  PackedMatrix<float> from = *PackedMatrix<float>::Pack(context.kernels(), p.Bs()[0]);
  PackedMatrix<float> to = std::move(from);
  CHECK(to.rows() == 30);
  CHECK(from.rows() == 0);  // NOLINT(bugprone-use-after-move): what is tested
  CHECK(from.cols() == 0);
  CHECK(from.bytes() == 0);
  std::vector<float> c(4 * 20);
  const MatrixView<float> c_view(c.data(), 4, 20);
  CHECK(Gemm<float>(context, p.As()[0], from, c_view).code() == StatusCode::kInvalidArgument);
  CHECK(from.Update(p.Bs()[0]).code() == StatusCode::kInvalidArgument);
  CHECK(from.Update(MatrixView<const float>()).ok());
  const Result<PackedMatrix<float>> repacked = from.Repack(context.kernels());
  REQUIRE(repacked.ok());
  CHECK(repacked->cols() == 0);
  from = std::move(to);
  REQUIRE(Gemm<float>(context, p.As()[0], from, c_view).ok());
  CHECK(SameBits<float>(c, p.Expected(*context.kernels().TierOf("gemm_f32"), p.As()[0], p.Bs()[0], 1)));
}

TEST_CASE("A status keeps its message when it is copied and moved; success has none") {
  const Status good;
  CHECK(good.ok());
  CHECK(good.code() == StatusCode::kOk);
  CHECK(good.message().empty());
  const Status bad(StatusCode::kBadFile, "what is wrong");
  Status copy = bad;
  CHECK(copy.code() == StatusCode::kBadFile);
  CHECK(copy.message() == bad.message());
  copy = good;
  CHECK(copy.ok());
  copy = bad;
  const Status moved = std::move(copy);
  CHECK(moved.message() == "what is wrong");
}

TEST_CASE_TEMPLATE("Threads that share a long K change no bit", T, float, double, std::int32_t, std::int64_t) {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    for (const int threads : {2, 3, 5}) {
      ThreadPool pool(threads);
      Context context(KernelsOf(tier), pool);
      Machine machine = context.machine();
      machine.thread_break_even = 0;
      context.set_machine(machine);
      std::uint64_t seed = 0;
      for (const std::ptrdiff_t k : {512, 1281}) {
        for (const std::ptrdiff_t m : {1, 2}) {
          for (const std::ptrdiff_t n : {1, 3, 16}) {
            for (const Layout a : {Layout::kDense, Layout::kTransposed, Layout::kReversed}) {
              for (const bool packed : {false, true}) {
                Case t{.m = m, .n = n, .k = k, .a = a, .b = packed ? Layout::kDense : a, .c = Layout::kPadded};
                t.packed = packed;
                t.bias = m == 1;
                t.beta = m == 1 ? 0 : -2;
                t.alpha = n == 3 ? 3 : 1;
                const GemmShape shape{.type = kElementType<T>, .m = m, .n = n, .k = k, .b_packed = packed};
                if (m == 1 && n == 1 && k > 256 * threads) {
                  CHECK(PlanGemm(shape, context.kernels(), machine, threads).split == GemmSplit::kChunksOfK);
                }
                Check<T>(context, ClassOf(tier), t, ++seed);
                t.data = Data::kSpecial;
                Check<T>(context, ClassOf(tier), t, ++seed);
              }
            }
          }
        }
      }
    }
  });
}

}  // namespace
}  // namespace lanewise::test
