// SPDX-License-Identifier: Apache-2.0
//
// Every row of the table but GEMM's, on every tier: results against the references, lengths and offsets, in place,
// nothing touched beside the arrays, special values, error over all magnitudes, equal bits within a numeric class.
//
// The tests go over kernel_rows.inc, so that a new row is tested by itself or, without a reference, fails.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bits.h"
#include "doctest/doctest.h"
#include "guarded.h"
#include "kernel_table.h"
#include "reference.h"
#include "tiers.h"

namespace lanewise::test {
namespace {

using kernels::KernelTable;

// ---- Rows, lengths, values ---------------------------------------------------------------------------------------

// The name of a row without its type: "exp_f32" -> "exp".
std::string_view FunctionOf(std::string_view row) { return row.substr(0, row.rfind('_')); }

template <typename T>
RowContext<T> ContextOf(Tier tier, const KernelTable& table) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return {ClassOf(tier), *table.exp_f32};
  } else {
    return {ClassOf(tier), *table.exp_f64};
  }
}

// Every length up to several vectors of the widest tier, and some around the blocks that kernels work in.
std::vector<std::size_t> Lengths() {
  std::vector<std::size_t> lengths;
  for (std::size_t n = 0; n <= 70; ++n) lengths.push_back(n);
  for (std::size_t n : std::initializer_list<std::size_t>{255, 256, 257, 1023, 1025, 2053}) lengths.push_back(n);
  return lengths;
}

template <typename T>
class Values {
 public:
  explicit Values(std::uint64_t seed) : state_(seed) {}

  // Uniform in [low, high), with all bits of the mantissa, so that sums round.
  T Uniform(T low, T high) {
    constexpr int kDigits = std::numeric_limits<T>::digits;
    return low + (high - low) * std::ldexp(static_cast<T>(Next() >> (64 - kDigits)), -kDigits);
  }

  // Mostly ordinary numbers of both signs, now and then a special one.
  T Any() {
    const std::uint64_t kind = Next() >> 40;
    return kind % 16 == 0 ? Special()[kind / 16 % Special().size()] : Uniform(-20, 20);
  }

  static const std::vector<T>& Special() {
    using Limits = std::numeric_limits<T>;
    static const std::vector<T> values = [] {
      std::vector<T> v = {0,
                          Limits::denorm_min(),
                          Limits::min(),
                          Limits::min() - Limits::denorm_min(),
                          Limits::epsilon(),
                          T{0.5},
                          1,
                          1 + Limits::epsilon(),
                          1 - Limits::epsilon() / 2,
                          20,
                          87,
                          88,
                          static_cast<T>(88.72),
                          static_cast<T>(88.73),
                          104,
                          105,
                          709,
                          710,
                          745,
                          746,
                          1000,
                          Limits::max(),
                          Limits::infinity(),
                          Limits::quiet_NaN()};
      const std::size_t n = v.size();
      for (std::size_t i = 0; i < n; ++i) v.push_back(-v[i]);
      return v;
    }();
    return values;
  }

 private:
  std::uint64_t Next() { return state_ = state_ * 6364136223846793005u + 1442695040888963407u; }
  std::uint64_t state_;
};

template <typename T>
std::vector<T> AnyValues(std::size_t n, std::uint64_t seed) {
  Values<T> values(seed);
  std::vector<T> v(n);
  for (T& x : v) x = values.Any();
  return v;
}

// The index of the first difference, or n.
template <typename T>
std::size_t FirstDifference(const GuardedArray<T>& actual, const std::vector<T>& expected) {
  std::size_t i = 0;
  while (i < expected.size() && SameBits(actual[i], expected[i])) ++i;
  return i;
}

// run(in..., out) on guarded arrays at both ends, then in place on each input in turn.
template <typename T, std::size_t kInputs, class Run>
void CheckPlaces(const std::array<std::vector<T>, kInputs>& in, const std::vector<T>& expected, Run run) {
  const std::size_t n = expected.size();
  CAPTURE(n);
  for (Flush flush : {Flush::kFront, Flush::kBack}) {
    for (std::size_t in_place = 0; in_place <= kInputs; ++in_place) {
      CAPTURE(in_place);
      std::vector<std::unique_ptr<GuardedArray<T>>> arrays;
      for (std::size_t a = 0; a <= kInputs; ++a) {
        arrays.push_back(std::make_unique<GuardedArray<T>>(n, flush));
        if (a < kInputs) std::copy(in[a].begin(), in[a].end(), arrays[a]->begin());
      }
      GuardedArray<T>& out = *arrays[in_place];
      std::array<const T*, kInputs> pointers;
      for (std::size_t a = 0; a < kInputs; ++a) pointers[a] = arrays[a]->data();
      run(pointers, out.data(), n);
      REQUIRE(FirstDifference(out, expected) == n);
      for (std::size_t a = 0; a <= kInputs; ++a) REQUIRE(arrays[a]->SurroundingsIntact());
      for (std::size_t a = 0; a < kInputs; ++a) {
        if (a != in_place) REQUIRE(FirstDifference(*arrays[a], in[a]) == n);  // inputs are as they were
      }
    }
  }
}

// ---- One check per kind of row: every length, at both ends of guarded memory, in place -----------------------------

template <typename T>
void CheckRow(std::string_view /*name*/, Tier /*tier*/, const KernelTable& /*table*/,
              const kernels::GemmKernel<T>& /*kernel*/) {}  // gemm_test

// The result for x is that for x alone, wherever it stands; the error of single results is tested below.
template <typename T>
void CheckRow(std::string_view name, Tier /*tier*/, const KernelTable& /*table*/,
              const kernels::UnaryKernel<T>& kernel) {
  REQUIRE_MESSAGE(FindUnary<T>(FunctionOf(name)) != nullptr, "no reference for " << name);
  for (std::size_t n : Lengths()) {
    const std::vector<T> x = AnyValues<T>(n, n);
    std::vector<T> expected(n);
    for (std::size_t i = 0; i < n; ++i) kernel.run(&x[i], &expected[i], 1);
    CheckPlaces<T, 1>({x}, expected, [&](const auto& in, T* out, std::size_t count) { kernel.run(in[0], out, count); });
  }
}

template <typename T>
void CheckRow(std::string_view name, Tier /*tier*/, const KernelTable& /*table*/,
              const kernels::GradientKernel<T>& kernel) {
  const auto reference = FindGradient<T>(FunctionOf(name));
  REQUIRE_MESSAGE(static_cast<bool>(reference), "no reference for " << name);
  for (std::size_t n : Lengths()) {
    const std::vector<T> saved = AnyValues<T>(n, n);
    const std::vector<T> dy = AnyValues<T>(n, n + 1);
    std::vector<T> expected(n);
    for (std::size_t i = 0; i < n; ++i) expected[i] = reference(saved[i], dy[i]);
    CheckPlaces<T, 2>({saved, dy}, expected,
                      [&](const auto& in, T* out, std::size_t count) { kernel.run(in[0], in[1], out, count); });
  }
}

// The errors of hard rows are softmax_test's.
template <typename T>
void CheckRow(std::string_view name, Tier /*tier*/, const KernelTable& /*table*/, const kernels::RowKernel<T>& kernel) {
  const auto run = [&](const auto& in, T* out, std::size_t count) { kernel.run(in[0], 0, out, 0, 1, count); };
  std::vector<RowValue> exact;
  for (std::size_t n : Lengths()) {
    Values<T> values(n);
    std::vector<T> x(n);
    for (T& v : x) v = values.Uniform(-100, 100);
    std::vector<T> expected(n);
    kernel.run(x.data(), 0, expected.data(), 0, 1, n);
    REQUIRE_MESSAGE(ReferenceRow(FunctionOf(name), x, exact), "no reference for " << name);
    for (std::size_t i = 0; i < n; ++i) REQUIRE(IsWithin(expected[i], exact[i]));
    CheckPlaces<T, 1>({x}, expected, run);
    if (n == 0) continue;
    // One special value in the row: -inf is a probability of 0; +inf and NaN make the whole row NaN.
    for (const T special : Values<T>::Special()) {
      x[n / 2] = special;
      REQUIRE(ReferenceRow(FunctionOf(name), x, exact));
      GuardedArray<T> out(n);
      kernel.run(x.data(), 0, out.data(), 0, 1, n);
      CAPTURE(special);
      for (std::size_t i = 0; i < n; ++i) REQUIRE(IsWithin(out[i], exact[i]));
      if (!(special < std::numeric_limits<T>::infinity()))
        REQUIRE(std::all_of(out.begin(), out.end(), [](T y) { return std::isnan(y); }));
    }
  }
}

template <typename T>
void CheckRow(std::string_view name, Tier tier, const KernelTable& table, const kernels::RowGradientKernel<T>& kernel) {
  for (std::size_t n : Lengths()) {
    Values<T> values(n);
    std::vector<T> y(n);
    std::vector<T> dy(n);
    for (T& v : y) v = values.Uniform(-8, 1);
    for (T& v : dy) v = values.Uniform(-2, 2);
    std::vector<T> expected;
    REQUIRE_MESSAGE(ReferenceRowGradient(FunctionOf(name), ContextOf<T>(tier, table), y, dy, expected),
                    "no reference for " << name);
    CheckPlaces<T, 2>({y, dy}, expected,
                      [&](const auto& in, T* out, std::size_t count) { kernel.run(in[0], in[1], out, count); });
  }
}

template <typename T>
void CheckRow(std::string_view /*name*/, Tier /*tier*/, const KernelTable& /*table*/,
              const kernels::SumKernel<T>& kernel) {
  for (std::size_t n : Lengths()) {
    const std::vector<T> x = AnyValues<T>(n, n);
    std::vector<T> finite(n);
    Values<T> values(n);
    for (T& v : finite) v = values.Uniform(-1, 2);
    for (const std::vector<T>& in : {x, finite}) {
      for (Flush flush : {Flush::kFront, Flush::kBack}) {
        GuardedArray<T> array(n, flush);
        std::copy(in.begin(), in.end(), array.begin());
        CAPTURE(n);
        REQUIRE(SameBits(kernel.run(array.data(), n), ReferenceSum(in.data(), n)));
      }
    }
  }
}

template <typename T>
void CheckRow(std::string_view /*name*/, Tier /*tier*/, const KernelTable& /*table*/,
              const kernels::ColumnSumKernel<T>& kernel) {
  for (std::size_t rows : std::initializer_list<std::size_t>{0, 1, 3, 255, 256, 257, 600}) {
    for (std::size_t cols = 0; cols <= 70; ++cols) {
      for (std::ptrdiff_t stride : {static_cast<std::ptrdiff_t>(cols), static_cast<std::ptrdiff_t>(cols) + 3}) {
        for (Flush flush : {Flush::kFront, Flush::kBack}) {
          // The last row ends with the last column: nothing behind it may be read. The gaps hold NaN.
          const std::size_t size = rows == 0 ? 0 : (rows - 1) * static_cast<std::size_t>(stride) + cols;
          GuardedArray<T> x(size, flush);
          Values<T> values(cols);
          for (std::size_t i = 0; i < rows; ++i) {
            for (std::size_t j = 0; j < cols; ++j) x[i * static_cast<std::size_t>(stride) + j] = values.Uniform(-1, 2);
          }
          GuardedArray<T> out(cols, flush);
          kernel.run(x.data(), stride, rows, cols, out.data());
          CAPTURE(rows);
          CAPTURE(cols);
          REQUIRE(FirstDifference(out, ReferenceColumnSum(x.data(), stride, rows, cols)) == cols);
          REQUIRE(out.SurroundingsIntact());
        }
      }
    }
  }
}

template <typename T>
void CheckRow(std::string_view /*name*/, Tier tier, const KernelTable& /*table*/, const kernels::SgdKernel<T>& kernel) {
  const T lr = static_cast<T>(0.1);
  const T mu = static_cast<T>(0.9);
  for (std::size_t n : Lengths()) {
    for (Flush flush : {Flush::kFront, Flush::kBack}) {
      GuardedArray<T> w(n, flush);
      GuardedArray<T> v(n, flush);
      GuardedArray<T> g(n, flush);
      std::vector<T> expected_w(n);
      std::vector<T> expected_v(n);
      Values<T> values(n);
      for (std::size_t i = 0; i < n; ++i) {
        w[i] = values.Uniform(-1, 1);
        v[i] = values.Uniform(-1, 1);
        g[i] = values.Any();
        expected_v[i] = MultiplyAdd(ClassOf(tier), mu, v[i], g[i]);
        expected_w[i] = MultiplyAdd(ClassOf(tier), -lr, expected_v[i], w[i]);
      }
      kernel.run(w.data(), v.data(), g.data(), n, lr, mu);
      CAPTURE(n);
      REQUIRE(FirstDifference(v, expected_v) == n);
      REQUIRE(FirstDifference(w, expected_w) == n);
      REQUIRE((w.SurroundingsIntact() && v.SurroundingsIntact() && g.SurroundingsIntact()));
    }
  }
}

template <typename T>
void CheckRow(std::string_view /*name*/, Tier /*tier*/, const KernelTable& /*table*/,
              const kernels::ConvertKernel<T>& kernel) {
  const T scale = 1 / T{255};
  for (std::size_t n : Lengths()) {
    for (Flush flush : {Flush::kFront, Flush::kBack}) {
      GuardedArray<std::uint8_t> x(n, flush);
      std::vector<T> expected(n);
      for (std::size_t i = 0; i < n; ++i) {
        x[i] = static_cast<std::uint8_t>(i * 37 + n);
        expected[i] = static_cast<T>(x[i]) * scale;
      }
      GuardedArray<T> y(n, flush);
      kernel.run(x.data(), y.data(), n, scale);
      CAPTURE(n);
      REQUIRE(FirstDifference(y, expected) == n);
      REQUIRE(y.SurroundingsIntact());
    }
  }
}

TEST_CASE("every row gives its reference at every length and place") {
  ForEachTier([](Tier tier, const KernelTable& table) {
#define LANEWISE_ROW(name, ...)                \
  {                                            \
    INFO(#name);                               \
    CheckRow(#name, tier, table, *table.name); \
  }
#include "kernel_rows.inc"
#undef LANEWISE_ROW
  });
}

// ---- The error of functions, and equal bits within a class ---------------------------------------------------------

struct TierTable {
  Tier tier;
  const KernelTable* table;
};

std::vector<TierTable> Tiers() {
  std::vector<TierTable> tiers;
  ForEachTier([&](Tier tier, const KernelTable& table) { tiers.push_back({tier, &table}); });
  return tiers;
}

struct Worst {
  double ulp = 0;
  double x = 0;
};

// Runs one function on all tiers over x; checks each tier's error and that tiers of a class agree.
template <typename T, class RowOf>
void CheckFunction(const UnaryReference& reference, const std::vector<TierTable>& tiers, const std::vector<T>& x,
                   std::vector<Worst>& worst, RowOf row_of) {
  std::vector<long double> exact(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) exact[i] = reference.exact(static_cast<long double>(x[i]));
  std::vector<std::vector<T>> y(tiers.size(), std::vector<T>(x.size()));
  for (std::size_t t = 0; t < tiers.size(); ++t) {
    row_of(*tiers[t].table).run(x.data(), y[t].data(), x.size());
    std::size_t same = 0;
    while (ClassOf(tiers[same].tier) != ClassOf(tiers[t].tier)) ++same;
    if (same < t) {
      std::size_t i = 0;
      while (i < x.size() && SameBits(y[t][i], y[same][i])) ++i;
      if (i < x.size()) {
        FAIL(std::string(Name(tiers[t].tier)) << " differs from " << std::string(Name(tiers[same].tier)) << " at "
                                              << x[i] << ": " << y[t][i] << ", " << y[same][i]);
      }
      continue;  // the same bits have the same error
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double ulp = UlpError(y[t][i], exact[i]);
      if (ulp > worst[t].ulp) worst[t] = {ulp, static_cast<double>(x[i])};
    }
  }
}

template <typename T, class RowOf>
void SweepRow(std::string_view name, const kernels::UnaryKernel<T>* /*type*/, RowOf row_of) {
  const UnaryReference* reference = FindUnary<T>(FunctionOf(name));
  REQUIRE(reference != nullptr);
  const std::vector<TierTable> tiers = Tiers();
  std::vector<Worst> worst(tiers.size());
  CheckFunction<T>(*reference, tiers, Values<T>::Special(), worst, row_of);

  // All sign, exponent and mantissa patterns at a stride that is odd, so that the low bits vary.
  constexpr BitsOf<T> kStride = sizeof(T) == sizeof(float) ? 2039 : (BitsOf<T>{1} << 46) - 57;
  // Where the functions do something in double, which the patterns seldom hit: 2^-20 to 2^10.
  const std::size_t kOrdinary = sizeof(T) == sizeof(float) ? 0 : 200000;
  std::vector<T> x;
  BitsOf<T> bits = 0;
  do {
    x.push_back(std::bit_cast<T>(bits));
    bits += kStride;
  } while (bits >= kStride);
  Values<T> values(1);
  for (std::size_t i = 0; i < kOrdinary; ++i) {
    x.push_back(std::copysign(std::exp2(values.Uniform(-20, 10)), values.Uniform(-1, 1)));
  }
  CheckFunction<T>(*reference, tiers, x, worst, row_of);

  for (std::size_t t = 0; t < tiers.size(); ++t) {
    INFO("tier " << std::string(Name(tiers[t].tier)) << ", worst at " << worst[t].x);
    CHECK(worst[t].ulp <= MaxUlp<T>(reference->function, ClassOf(tiers[t].tier)));
  }
}

template <typename Row, class RowOf>
void SweepRow(std::string_view /*name*/, const Row* /*type*/, RowOf /*row_of*/) {}  // no function of one variable

TEST_CASE("functions are as accurate as they say, and tiers of a class agree bit by bit") {
#define LANEWISE_ROW(name, ...)                                               \
  {                                                                           \
    INFO(#name);                                                              \
    SweepRow(                                                                 \
        #name, static_cast<const kernels::__VA_ARGS__*>(nullptr),             \
        [](const KernelTable& table) -> const auto& { return *table.name; }); \
  }
#include "kernel_rows.inc"
#undef LANEWISE_ROW
}

}  // namespace
}  // namespace lanewise::test
