// SPDX-License-Identifier: Apache-2.0
//
// A product with every setting, run and compared with the oracle by bytes; for the tests of GEMM.

#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "doctest/doctest.h"
#include "guarded.h"
#include "kernel_table.h"
#include "lanewise/gemm.h"
#include "lanewise/random.h"
#include "oracle.h"
#include "tiers.h"

namespace lanewise::test {

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
inline constexpr T kPoison = std::is_integral_v<T> ? std::numeric_limits<T>::max() / 3
                                                   : std::numeric_limits<T>::quiet_NaN();

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
inline constexpr double kFactors[] = {0, 1, std::is_integral_v<T> ? -123456789 : -0.7};

inline constexpr Layout kLayouts[] = {Layout::kDense,    Layout::kTransposed, Layout::kPadded,
                                      Layout::kReversed, Layout::kSpread,     Layout::kRepeated};

}  // namespace lanewise::test
