// SPDX-License-Identifier: Apache-2.0
//
// The softmaxes on hard rows and their gradients: within the bounds of functions.h (docs/accuracy.md has their proof)
// against long double, the special cases, and rows of a matrix between unreadable pages.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "bits.h"
#include "doctest/doctest.h"
#include "guarded.h"
#include "kernel_table.h"
#include "reference.h"
#include "tiers.h"
#include "typed_rows.h"

namespace lanewise::test {
namespace {

using kernels::RowKernel;

template <typename T>
struct Kernel {
  const char* name;
  const RowKernel<T>& row;
};

template <typename T>
std::vector<Kernel<T>> KernelsIn(const kernels::KernelTable& table) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return {{"softmax", *table.softmax_f32}, {"log_softmax", *table.log_softmax_f32}};
  } else {
    return {{"softmax", *table.softmax_f64}, {"log_softmax", *table.log_softmax_f64}};
  }
}

// In [0, 1), from the counter's bits.
template <typename T>
class Uniform {
 public:
  explicit Uniform(std::size_t seed) : state_(seed) {}
  T operator()() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    constexpr int kDigits = std::numeric_limits<T>::digits;
    return std::ldexp(static_cast<T>(state_ >> (64 - kDigits)), -kDigits);
  }

 private:
  std::uint64_t state_;
};

// How an element is drawn: `i` is its index, `u` a uniform number.
template <typename T>
struct Kind {
  const char* name;
  T (*element)(std::size_t i, std::size_t n, T u);
};

template <typename T>
const std::vector<Kind<T>>& Kinds() {
  // Distances that give denormal results and zeros.
  constexpr T kFar = sizeof(T) == sizeof(float) ? 110 : 760;
  static const std::vector<Kind<T>> kinds = {
      {"narrow", [](std::size_t, std::size_t, T u) { return u / 64; }},
      {"spread of 20", [](std::size_t, std::size_t, T u) { return 20 * u; }},
      {"all magnitudes of results", [](std::size_t, std::size_t, T u) { return kFar * u; }},
      {"denormal results", [](std::size_t i, std::size_t, T u) { return i == 0 ? T{0} : -kFar * (1 - u / 8); }},
      {"differences that are rounded",
       [](std::size_t i, std::size_t, T u) { return i % 7 == 3 ? T{50} + T{1} / 3 : (u - T{0.5}) / 1024; }},
      {"large numbers", [](std::size_t, std::size_t, T u) { return 1000 + 30 * u; }},
      {"of both signs", [](std::size_t, std::size_t, T u) { return 80 * u - 40; }},
      {"equal", [](std::size_t, std::size_t, T) { return static_cast<T>(0.1); }},
      {"half of them equal", [](std::size_t i, std::size_t, T u) { return i % 2 == 0 ? 1 + T{1} / 3 : -30 * u; }},
      // All errors of the exponentials and of their differences go one way, and weigh as much as they can.
      {"one far above many equal",
       [](std::size_t i, std::size_t n, T) { return i == n / 2 ? std::log(static_cast<T>(n)) + 10 : T{10} / 3; }},
      {"with -inf",
       [](std::size_t i, std::size_t, T u) { return i % 3 == 1 ? -std::numeric_limits<T>::infinity() : 9 * u; }},
      {"zeros of both signs", [](std::size_t i, std::size_t, T) { return i % 2 == 0 ? T{0} : T{-0.0}; }},
  };
  return kinds;
}

// Emulated CPUs get few: ARM's long double is computed in software too.
constexpr std::size_t kSeeds = LANEWISE_EMULATED ? 2 : 20;

std::vector<std::size_t> Lengths() {
  std::vector<std::size_t> lengths = {48, 63, 64, 65, 100, 255, 256, 257, 272, 293, 512, 513, 1000};
  for (std::size_t n = 1; n <= 40; ++n) lengths.push_back(n);
  if (!LANEWISE_EMULATED) {
    for (const std::size_t n : std::initializer_list<std::size_t>{4096, 20000, 100000}) lengths.push_back(n);
  }
  return lengths;
}

TEST_CASE_TEMPLATE("the softmaxes err no more than stated on hard rows", T, float, double) {
  ForEachTier([](Tier, const kernels::KernelTable& table) {
    for (const Kernel<T>& kernel : KernelsIn<T>(table)) {
      CAPTURE(kernel.name);
      long double worst_share = 0;
      std::string worst;
      for (const Kind<T>& kind : Kinds<T>()) {
        for (const std::size_t n : Lengths()) {
          for (std::size_t seed = 0; seed < (n <= 40 ? kSeeds : 1); ++seed) {
            Uniform<T> uniform(seed * 1000 + n);
            std::vector<T> x(n);
            for (std::size_t i = 0; i < n; ++i) x[i] = kind.element(i, n, uniform());
            if (x[0] == -std::numeric_limits<T>::infinity() && n == 1) continue;
            std::vector<RowValue> exact;
            REQUIRE(ReferenceRow(kernel.name, x, exact));
            std::vector<T> y(n);
            kernel.row.run(x.data(), 0, y.data(), 0, 1, n);
            for (std::size_t i = 0; i < n; ++i) {
              const bool within = IsWithin(y[i], exact[i]);
              if (!within) FAIL(kind.name << ", " << n << " elements, the " << i << "th: " << y[i]);
              const long double size = std::fabs(exact[i].exact);
              if (!std::isfinite(size) || size < std::numeric_limits<T>::min()) continue;
              const long double share = std::fabs(static_cast<long double>(y[i]) - exact[i].exact) / exact[i].error;
              if (share > worst_share) {
                worst_share = share;
                worst = std::string(kind.name) + ", " + std::to_string(n);
              }
            }
          }
        }
      }
      MESSAGE(static_cast<double>(worst_share) << " of the bound: " << worst);
    }
  });
}

// Step 2 of the proof.
TEST_CASE_TEMPLATE("the exponentials are as accurate as the proof of the bounds takes them to be", T, float, double) {
  constexpr std::size_t kCount = LANEWISE_EMULATED ? 3000 : 100000;
  const long double unit = std::numeric_limits<T>::epsilon() / 2;
  ForEachTier([unit](Tier, const kernels::KernelTable& table) {
    const auto& exp = [&table]() -> const kernels::UnaryKernel<T>& {
      if constexpr (sizeof(T) == sizeof(float)) {
        return *table.exp_f32;
      } else {
        return *table.exp_f64;
      }
    }();
    Uniform<T> uniform(1);
    for (const T range : {T{1}, sizeof(T) == sizeof(float) ? T{87} : T{708}}) {
      for (std::size_t i = 0; i < kCount; ++i) {
        const T x = -range * uniform();
        T y;
        exp.run(&x, &y, 1);
        const long double exact = std::exp(static_cast<long double>(x));
        const long double error = std::fabs(y - exact) / exact / unit;
        if (error > std::min(1.6L, 0.9L - x)) FAIL(x << ": " << static_cast<double>(error));
      }
    }
    const T zero = 0;
    T one;
    exp.run(&zero, &one, 1);
    CHECK(one == 1);
  });
}

// The largest error of a gradient's results, as a share of what functions.h allows.
template <typename T>
struct GradientShare {
  explicit GradientShare(NumericClass numeric_class) : extra(numeric_class == NumericClass::kFma ? 0 : 1) {}

  void Softmax(const std::vector<T>& y, const std::vector<T>& dy, const std::vector<T>& dx) {
    long double sum = 0;
    long double magnitudes = 0;
    for (std::size_t j = 0; j < y.size(); ++j) {
      const long double product = static_cast<long double>(y[j]) * dy[j];
      sum += product;
      magnitudes += std::fabs(product);
    }
    for (std::size_t i = 0; i < y.size(); ++i) {
      const long double exact = y[i] * (dy[i] - sum);
      Take(dx[i], exact,
           2 * std::fabs(exact) + (Steps(y) + 4) * std::fabs(static_cast<long double>(y[i])) * magnitudes);
    }
  }

  void LogSoftmax(const std::vector<T>& y, const std::vector<T>& dy, const std::vector<T>& dx) {
    long double sum = 0;
    long double magnitudes = 0;
    for (const T v : dy) {
      sum += v;
      magnitudes += std::fabs(v);
    }
    for (std::size_t i = 0; i < y.size(); ++i) {
      const long double e = std::exp(static_cast<long double>(y[i]));
      const long double exact = dy[i] - e * sum;
      Take(dx[i], exact, std::fabs(exact) + (Steps(y) + 5 + extra) * e * magnitudes);
    }
  }

  long double worst = 0;

 private:
  // Of a row in one of 16 lanes.
  static long double Steps(const std::vector<T>& y) {
    const std::size_t steps = (y.size() + 15) / 16;
    return static_cast<long double>(steps);
  }

  void Take(T result, long double exact, long double bound) {
    const long double unit = std::numeric_limits<T>::epsilon() / 2;
    const long double error = std::fabs(result - exact);
    if (error > 0) worst = std::max(worst, error / (bound * unit));
  }

  long double extra;
};

TEST_CASE_TEMPLATE("the softmaxes' gradients err no more than stated", T, float, double) {
  ForEachTier([](Tier tier, const kernels::KernelTable& table) {
    GradientShare<T> softmax(ClassOf(tier));
    GradientShare<T> log_softmax(ClassOf(tier));
    for (const std::size_t n : Lengths()) {
      for (std::size_t seed = 0; seed < (n <= 40 ? kSeeds : 1); ++seed) {
        Uniform<T> uniform(seed * 1000 + n);
        // Sums of one sign, sums that cancel, and results that do.
        for (const T center : {T{0.5}, T{0}, T{100}}) {
          std::vector<T> y(n);
          std::vector<T> log_y(n);
          std::vector<T> dy(n);
          std::vector<T> dx(n);
          for (std::size_t i = 0; i < n; ++i) {
            y[i] = uniform() / static_cast<T>(n);
            log_y[i] = -20 * uniform();
            dy[i] = center + uniform() - T{0.5};
          }
          LANEWISE_ROW_OF(T, table, softmax_gradient).run(y.data(), dy.data(), dx.data(), n);
          softmax.Softmax(y, dy, dx);
          LANEWISE_ROW_OF(T, table, log_softmax_gradient).run(log_y.data(), dy.data(), dx.data(), n);
          log_softmax.LogSoftmax(log_y, dy, dx);
        }
      }
    }
    MESSAGE(static_cast<double>(softmax.worst)
            << " and " << static_cast<double>(log_softmax.worst) << " of the bounds");
    CHECK(softmax.worst <= 1);
    CHECK(log_softmax.worst <= 1);
  });
}

TEST_CASE_TEMPLATE("one element, none, and rows without a softmax", T, float, double) {
  const T inf = std::numeric_limits<T>::infinity();
  const T nan = std::numeric_limits<T>::quiet_NaN();
  ForEachTier([=](Tier, const kernels::KernelTable& table) {
    for (const Kernel<T>& kernel : KernelsIn<T>(table)) {
      CAPTURE(kernel.name);
      const bool log = std::string(kernel.name) == "log_softmax";
      for (const T only : {T{0}, T{-3}, std::numeric_limits<T>::max(), std::numeric_limits<T>::denorm_min()}) {
        T y = 42;
        kernel.row.run(&only, 0, &y, 0, 1, 0);
        CHECK(y == 42);
        kernel.row.run(&only, 0, &y, 0, 1, 1);
        CHECK(y == (log ? T{0} : T{1}));
      }
      for (const std::size_t n : std::initializer_list<std::size_t>{1, 5, 16, 17, 300}) {
        for (const T bad : {inf, nan, -inf}) {
          std::vector<T> x(n, bad == -inf ? bad : T{1});
          x[n - 1] = bad;
          std::vector<T> y(n);
          kernel.row.run(x.data(), 0, y.data(), 0, 1, n);
          CHECK(std::ranges::all_of(y, [](T v) { return std::isnan(v); }));
        }
        if (n == 1) continue;
        // A probability of 0 and its logarithm.
        std::vector<T> x(n, T{1});
        x[0] = -inf;
        std::vector<T> y(n);
        kernel.row.run(x.data(), 0, y.data(), 0, 1, n);
        CHECK(y[0] == (log ? -inf : T{0}));
        // Distances beyond the largest number.
        x[0] = -std::numeric_limits<T>::max();
        x[n - 1] = std::numeric_limits<T>::max();
        kernel.row.run(x.data(), 0, y.data(), 0, 1, n);
        CHECK(y[0] == (log ? -inf : T{0}));
        CHECK(y[n - 1] == (log ? T{0} : T{1}));
      }
    }
  });
}

// Rows are taken some at a time where they are short.
TEST_CASE_TEMPLATE("rows of a matrix are as alone, and nothing beside them is touched", T, float, double) {
  ForEachTier([](Tier, const kernels::KernelTable& table) {
    for (const Kernel<T>& kernel : KernelsIn<T>(table)) {
      CAPTURE(kernel.name);
      for (std::size_t rows = 0; rows <= 9; ++rows) {
        for (const std::size_t n : std::initializer_list<std::size_t>{1, 7, 10, 15, 16, 17, 33}) {
          for (const std::size_t gap : std::initializer_list<std::size_t>{0, 3}) {
            for (const Flush flush : {Flush::kFront, Flush::kBack}) {
              for (const bool in_place : {false, true}) {
                const std::size_t stride = n + gap;
                const std::size_t size = rows == 0 ? 0 : (rows - 1) * stride + n;  // the last row has no gap behind it
                GuardedArray<T> x(size, flush);
                GuardedArray<T> other(size, flush);
                Uniform<T> uniform(n);
                for (T& v : x) v = 30 * uniform();
                const std::vector<T> before(x.begin(), x.end());
                GuardedArray<T>& y = in_place ? x : other;
                kernel.row.run(x.data(), static_cast<std::ptrdiff_t>(stride), y.data(),
                               static_cast<std::ptrdiff_t>(stride), rows, n);
                REQUIRE((x.SurroundingsIntact() && other.SurroundingsIntact()));
                for (std::size_t i = 0; i < rows; ++i) {
                  std::vector<T> alone(n);
                  kernel.row.run(&before[i * stride], 0, alone.data(), 0, 1, n);
                  for (std::size_t j = 0; j < n; ++j) REQUIRE(SameBits(y[i * stride + j], alone[j]));
                }
                for (std::size_t i = 0; i < size; ++i) {
                  if (i % stride < n) continue;
                  REQUIRE(SameBits(x[i], before[i]));
                  if (!in_place) REQUIRE(std::isnan(y[i]));
                }
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
