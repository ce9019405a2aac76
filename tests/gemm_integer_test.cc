// SPDX-License-Identifier: Apache-2.0
//
// Products of integers: what they have that others have not, and what they lack.

#include <cstdint>
#include <limits>
#include <vector>

#include "doctest/doctest.h"
#include "gemm_case.h"
#include "lanewise/gemm.h"
#include "lanewise/random.h"
#include "oracle.h"
#include "tiers.h"

namespace lanewise::test {
namespace {

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

}  // namespace
}  // namespace lanewise::test
