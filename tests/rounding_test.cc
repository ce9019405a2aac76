// SPDX-License-Identifier: Apache-2.0
//
// The rounding errors of matrix products over K: within the bound of docs/numerics.md, whose table this prints.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "doctest/doctest.h"
#include "lanewise/gemm.h"
#include "network.h"

namespace lanewise::test {
namespace {

// The number of roundings that any one product goes through.
double Roundings(NumericClass numeric_class, std::ptrdiff_t n, std::ptrdiff_t k) {
  const std::ptrdiff_t chains = n == 1 ? 16 : n <= 16 ? 4 : 1;
  const std::ptrdiff_t in_chain = (std::min<std::ptrdiff_t>(k, 256) + chains - 1) / chains;
  const std::ptrdiff_t in_tree = chains == 16 ? 4 : chains == 4 ? 2 : 0;
  const std::ptrdiff_t of_chunks = (k + 255) / 256 - 1;
  return static_cast<double>(in_chain + in_tree + of_chunks + (numeric_class == NumericClass::kMulAdd ? 1 : 0));
}

// Greatest |error| / (u * sum |a b|) over the outputs of a product of numbers in [low, 1).
double WorstError(Context& context, std::ptrdiff_t n, std::ptrdiff_t k, double low) {
  constexpr std::ptrdiff_t kM = 8;
  std::vector<float> a = RandomValues<float>(kM * k, 1);
  std::vector<float> b = RandomValues<float>(k * n, 2);
  if (low == 0) {
    for (float& x : a) x = std::fabs(x);
    for (float& x : b) x = std::fabs(x);
  }
  std::vector<float> c(static_cast<std::size_t>(kM * n));
  const MatrixView<const float> av(a.data(), kM, k);
  const MatrixView<const float> bv(b.data(), k, n);
  REQUIRE(Gemm<float>(context, av, bv, {c.data(), kM, n}).ok());
  double worst = 0;
  for (std::ptrdiff_t i = 0; i < kM; ++i) {
    for (std::ptrdiff_t j = 0; j < n; ++j) {
      double exact = 0;  // products are exact, and a sum of doubles errs 2^-29 as much
      double sum = 0;
      for (std::ptrdiff_t p = 0; p < k; ++p) {
        const double product = static_cast<double>(av(i, p)) * static_cast<double>(bv(p, j));
        exact += product;
        sum += std::fabs(product);
      }
      const double error = std::fabs(static_cast<double>(c[static_cast<std::size_t>(i * n + j)]) - exact);
      worst = std::max(worst, error / sum);
    }
  }
  return worst * 0x1p24;
}

TEST_CASE("products keep the stated bound, however long") {
  ForEachTier([](Tier tier, const kernels::KernelTable& /*table*/) {
    Context context(KernelsOf(tier));
    std::printf("%s: largest error of float products / (2^-24 sum |a b|)\n", Name(tier));
    std::printf(
        "      K   N = 1: [-1,1)  [0,1)  bound   N = 10: [-1,1)  [0,1)  bound   N = 64: [-1,1)  [0,1)  bound\n");
    for (const std::ptrdiff_t k : {16, 64, 256, 1024, 4096, 16384, 65536}) {
      std::printf("%7td", k);
      for (const std::ptrdiff_t n : {1, 10, 64}) {
        CAPTURE(k);
        CAPTURE(n);
        const double bound = Roundings(ClassOf(tier), n, k);
        const double mixed = WorstError(context, n, k, -1);
        const double positive = WorstError(context, n, k, 0);
        CHECK(mixed <= bound);
        CHECK(positive <= bound);
        std::printf("   %14.2f %6.2f %6.0f ", mixed, positive, bound);
      }
      std::printf("\n");
    }
  });
}

}  // namespace
}  // namespace lanewise::test
