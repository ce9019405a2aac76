// SPDX-License-Identifier: Apache-2.0
//
// That results do not depend on where they are computed: a row alone or in a batch, at any index, in arrays at any
// place and of any strides, with weights packed or not; a function's value alone or in an array.

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "doctest/doctest.h"
#include "lanewise/functions.h"
#include "lanewise/gemm.h"
#include "network.h"

namespace lanewise::test {
namespace {

constexpr std::ptrdiff_t kRows = 1000;

// A matrix that begins `offset` elements after a 64-byte boundary, with any strides; NaN between its elements.
template <typename T>
class Placed {
 public:
  Placed(const std::vector<T>& values, std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t offset,
         std::ptrdiff_t row_stride, std::ptrdiff_t col_stride)
      : memory_(static_cast<std::size_t>(offset + (rows - 1) * row_stride + (cols - 1) * col_stride) + 65, NAN) {
    void* first = memory_.data();
    std::size_t space = memory_.size() * sizeof(T);
    view = {static_cast<T*>(std::align(64, 1, first, space)) + offset, rows, cols, row_stride, col_stride};
    for (std::ptrdiff_t i = 0; i < rows; ++i) {
      for (std::ptrdiff_t j = 0; j < cols; ++j) view(i, j) = values[static_cast<std::size_t>(i * cols + j)];
    }
  }

 private:
  std::vector<T> memory_;

 public:
  MatrixView<T> view;
};

template <typename T>
void CheckRow(MatrixView<const T> c, std::ptrdiff_t row, const std::vector<T>& expected, std::ptrdiff_t expected_row) {
  for (std::ptrdiff_t j = 0; j < c.cols; ++j) {
    if (SameBits(c(row, j), expected[static_cast<std::size_t>(expected_row * c.cols + j)])) continue;
    CAPTURE(row);
    CAPTURE(j);
    FAIL("another result: ", c(row, j), " instead of ", expected[static_cast<std::size_t>(expected_row * c.cols + j)]);
  }
}

template <typename T>
void CheckProducts(Tier tier, std::ptrdiff_t n, std::ptrdiff_t k, Activation activation) {
  CAPTURE(n);
  CAPTURE(k);
  Context context(KernelsOf(tier));
  const std::vector<T> x = RandomValues<T>(kRows * k, 1);
  const std::vector<T> w = RandomValues<T>(k * n, 2);
  const std::vector<T> bias = RandomValues<T>(n, 3);
  const std::vector<T> nothing(static_cast<std::size_t>(kRows * n));
  Result<PackedMatrix<T>> packed = PackedMatrix<T>::Pack(context.kernels(), {w.data(), k, n});
  REQUIRE(packed.ok());

  // Each row alone.
  std::vector<T> alone(nothing);
  const GemmOptions<T> options{.bias = bias.data(), .activation = activation};
  for (std::ptrdiff_t i = 0; i < kRows; ++i) {
    REQUIRE(Gemm<T>(context, {&x[static_cast<std::size_t>(i * k)], 1, k}, {w.data(), k, n},
                    {&alone[static_cast<std::size_t>(i * n)], 1, n}, options)
                .ok());
  }

  // A batch of all of them, and of each of the first sizes, so that a row stands at every index of a tile.
  for (const std::ptrdiff_t rows : {2, 3, 5, 8, 13, 14, 15, 29, 64, 1000}) {
    for (const bool by_packed : {false, true}) {
      std::vector<T> c(nothing);
      const MatrixView<const T> a(&x[static_cast<std::size_t>((kRows - rows) * k)], rows, k);
      const MatrixView<T> result(c.data(), rows, n);
      REQUIRE((by_packed ? Gemm<T>(context, a, *packed, result, options)
                         : Gemm<T>(context, a, {w.data(), k, n}, result, options))
                  .ok());
      for (std::ptrdiff_t i = 0; i < rows; ++i) CheckRow<T>(result, i, alone, kRows - rows + i);
    }
  }

  // The same row at every index among others.
  constexpr std::ptrdiff_t kBatch = 31;
  for (std::ptrdiff_t index = 0; index < kBatch; ++index) {
    std::vector<T> batch(x.begin(), x.begin() + kBatch * k);
    std::copy_n(x.begin() + 500 * k, k, batch.begin() + index * k);
    std::vector<T> c(nothing);
    const MatrixView<T> result(c.data(), kBatch, n);
    REQUIRE(Gemm<T>(context, {batch.data(), kBatch, k}, *packed, result, options).ok());
    CheckRow<T>(result, index, alone, 500);
  }

  // Every alignment, and strides of all kinds.
  constexpr std::ptrdiff_t kSome = 17;
  for (std::ptrdiff_t offset = 0; offset < static_cast<std::ptrdiff_t>(64 / sizeof(T)); ++offset) {
    for (const std::ptrdiff_t pad : {0, 1, 7}) {
      const bool transposed = (offset + pad) % 3 == 1;
      CAPTURE(offset);
      CAPTURE(pad);
      const Placed<T> a(x, kSome, k, offset, transposed ? 1 : k + pad, transposed ? kSome + pad : 1);
      const Placed<T> sparse(x, kSome, k, offset, 2 * k + 3, 2);
      const Placed<T> b(w, k, n, offset, transposed ? 1 : n + pad, transposed ? k + pad : 1);
      const Placed<T> c(nothing, kSome, n, offset, n + pad, 1);
      const Placed<T> b_row(bias, 1, n, offset, n, 1);
      const GemmOptions<T> placed{.bias = b_row.view.data, .activation = activation};
      const MatrixView<const T> layouts[] = {a.view, sparse.view};
      for (const MatrixView<const T>& rows : layouts) {
        for (const bool by_packed : {false, true}) {
          REQUIRE((by_packed ? Gemm<T>(context, rows, *packed, c.view, placed)
                             : Gemm<T>(context, rows, b.view, c.view, placed))
                      .ok());
          for (std::ptrdiff_t i = 0; i < kSome; ++i) CheckRow<T>(c.view, i, alone, i);
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("a row's result is the same bytes in any batch, at any index, place and stride, packed or not", T,
                   float, double) {
  using enum Activation;
  ForEachTier([](Tier tier, const kernels::KernelTable& /*table*/) {
    CheckProducts<T>(tier, 1, 300, kSigmoid);
    CheckProducts<T>(tier, 10, 101, kSoftmax);
    CheckProducts<T>(tier, 16, 257, kTanh);
    CheckProducts<T>(tier, 30, 20, kRelu);
    CheckProducts<T>(tier, 75, 260, kIdentity);
    CheckProducts<T>(tier, 60, 40, kLeakyRelu);
    CheckProducts<T>(tier, 130, 33, kLogSoftmax);
  });
}

template <typename T>
using Function = Status (*)(Context&, std::span<const T>, std::span<T>);

template <typename T>
constexpr std::pair<const char*, Function<T>> kFunctions[] = {
    {"exp", Exp<T>},   {"log", Log<T>},   {"log1p", Log1p<T>},         {"sigmoid", Sigmoid<T>},
    {"tanh", Tanh<T>}, {"relu", Relu<T>}, {"leaky relu", LeakyRelu<T>}};

// f of each element, computed by itself.
template <typename T>
std::vector<T> OneByOne(Context& context, Function<T> function, const std::vector<T>& x) {
  std::vector<T> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(function(context, {&x[i], 1}, {&y[i], 1}).ok());
  return y;
}

TEST_CASE_TEMPLATE("f(x) is the same bytes alone and inside arrays of any length, at any place", T, float, double) {
  constexpr std::ptrdiff_t kLongest = 200;
  // Of all sizes that the functions treat differently, those that they cannot hold too.
  std::vector<T> x = RandomValues<T>(kLongest, 1);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] *= static_cast<T>(std::ldexp(1.0, static_cast<int>(i % 23) - 12));
  x[50] = std::numeric_limits<T>::infinity();
  x[77] = std::numeric_limits<T>::quiet_NaN();
  x[111] = std::numeric_limits<T>::denorm_min();
  ForEachTier([&](Tier tier, const kernels::KernelTable& /*table*/) {
    Context context(KernelsOf(tier));
    for (const std::pair<const char*, Function<T>>& entry : kFunctions<T>) {
      INFO(std::string(entry.first));
      const Function<T> function = entry.second;
      const std::vector<T> alone = OneByOne<T>(context, function, x);
      for (std::ptrdiff_t n = 0; n <= kLongest; ++n) {
        for (const std::ptrdiff_t offset : {n % 16, (n + 7) % 16}) {
          CAPTURE(n);
          CAPTURE(offset);
          // The array's end is the values' end: so each value comes to stand everywhere.
          const std::vector<T> last(x.end() - n, x.end());
          const Placed<T> in(last, 1, n, offset, n, 1);
          const Placed<T> out(last, 1, n, 15 - offset, n, 1);
          const auto size = static_cast<std::size_t>(n);
          REQUIRE(function(context, {in.view.data, size}, {out.view.data, size}).ok());
          CHECK(SameBits<T>({out.view.data, size}, std::span<const T>(alone).last(size)));
          REQUIRE(function(context, {in.view.data, size}, {in.view.data, size}).ok());
          CHECK(SameBits<T>({in.view.data, size}, std::span<const T>(alone).last(size)));
        }
      }
    }
  });
}

// Kernels look at several vectors at once for numbers that need more than a formula.
TEST_CASE_TEMPLATE("f(x) is the same bytes beside whatever stands in the vectors next to it", T, float, double) {
  using Limits = std::numeric_limits<T>;
  const T values[] = {T{0.5},
                      T{-3},
                      static_cast<T>(-104),
                      static_cast<T>(sizeof(T) == sizeof(float) ? 88 : 700),
                      Limits::max(),
                      Limits::lowest(),
                      Limits::denorm_min(),
                      Limits::infinity(),
                      -Limits::infinity(),
                      Limits::quiet_NaN(),
                      Limits::signaling_NaN()};
  // Each beside each, so many places apart (those of vectors of any length), among easy numbers.
  constexpr std::size_t kDistances[] = {1, 2, 4, 8, 16, 32};
  constexpr std::size_t kBlock = 64;
  std::vector<T> x = RandomValues<T>(
      static_cast<std::ptrdiff_t>(std::size(values) * std::size(values) * std::size(kDistances) * kBlock), 2);
  std::size_t block = 0;
  for (const T first : values) {
    for (const T second : values) {
      for (const std::size_t distance : kDistances) {
        x[block + 5] = first;
        x[block + 5 + distance] = second;
        block += kBlock;
      }
    }
  }
  ForEachTier([&](Tier tier, const kernels::KernelTable& /*table*/) {
    Context context(KernelsOf(tier));
    for (const std::pair<const char*, Function<T>>& entry : kFunctions<T>) {
      INFO(std::string(entry.first));
      std::vector<T> y(x.size());
      REQUIRE(entry.second(context, x, y).ok());
      CHECK(SameBits<T>(y, OneByOne<T>(context, entry.second, x)));
    }
  });
}

}  // namespace
}  // namespace lanewise::test
