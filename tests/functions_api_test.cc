// SPDX-License-Identifier: Apache-2.0
//
// The public functions: they are the kernels' rows, and they refuse what does not fit.

#include "lanewise/functions.h"

#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "guarded.h"
#include "network.h"
#include "tiers.h"

namespace lanewise::test {
namespace {

template <typename T>
struct Unary {
  Status (*function)(Context&, std::span<const T>, std::span<T>);
  const kernels::UnaryKernel<T>& row;
};
template <typename T>
std::vector<Unary<T>> Unaries(const kernels::KernelTable& table) {
  return {{Exp<T>, LANEWISE_ROW_OF(T, table, exp)},
          {Log<T>, LANEWISE_ROW_OF(T, table, log)},
          {Log1p<T>, LANEWISE_ROW_OF(T, table, log1p)},
          {Sigmoid<T>, LANEWISE_ROW_OF(T, table, sigmoid)},
          {Tanh<T>, LANEWISE_ROW_OF(T, table, tanh)},
          {Relu<T>, LANEWISE_ROW_OF(T, table, relu)},
          {LeakyRelu<T>, LANEWISE_ROW_OF(T, table, leaky_relu)}};
}

template <typename T>
struct ByRows {
  Status (*function)(Context&, MatrixView<const T>, MatrixView<T>);
  const kernels::RowKernel<T>& row;
};
template <typename T>
std::vector<ByRows<T>> RowFunctions(const kernels::KernelTable& table) {
  return {{Softmax<T>, LANEWISE_ROW_OF(T, table, softmax)}, {LogSoftmax<T>, LANEWISE_ROW_OF(T, table, log_softmax)}};
}

template <typename T>
struct Gradient {
  Status (*function)(Context&, std::span<const T>, std::span<const T>, std::span<T>);
  const kernels::GradientKernel<T>& row;
};
template <typename T>
std::vector<Gradient<T>> Gradients(const kernels::KernelTable& table) {
  return {{ExpGradient<T>, LANEWISE_ROW_OF(T, table, exp_gradient)},
          {LogGradient<T>, LANEWISE_ROW_OF(T, table, log_gradient)},
          {SigmoidGradient<T>, LANEWISE_ROW_OF(T, table, sigmoid_gradient)},
          {TanhGradient<T>, LANEWISE_ROW_OF(T, table, tanh_gradient)},
          {ReluGradient<T>, LANEWISE_ROW_OF(T, table, relu_gradient)},
          {LeakyReluGradient<T>, LANEWISE_ROW_OF(T, table, leaky_relu_gradient)}};
}

template <typename T>
struct GradientByRows {
  Status (*function)(Context&, MatrixView<const T>, MatrixView<const T>, MatrixView<T>);
  const kernels::RowGradientKernel<T>& row;
};
template <typename T>
std::vector<GradientByRows<T>> RowGradients(const kernels::KernelTable& table) {
  return {{SoftmaxGradient<T>, LANEWISE_ROW_OF(T, table, softmax_gradient)},
          {LogSoftmaxGradient<T>, LANEWISE_ROW_OF(T, table, log_softmax_gradient)}};
}

TEST_CASE_TEMPLATE("functions of arrays are their kernels, in place too", T, float, double) {
  ForEachTier([](Tier tier, const kernels::KernelTable& table) {
    Context context(KernelsOf(tier));
    for (const std::size_t n : std::initializer_list<std::size_t>{0, 1, 7, 100}) {
      const std::vector<T> x = RandomValues<T>(static_cast<std::ptrdiff_t>(n), 1);
      const std::vector<T> dy = RandomValues<T>(static_cast<std::ptrdiff_t>(n), 2);
      std::vector<T> expected(n);
      for (const Unary<T>& unary : Unaries<T>(table)) {
        unary.row.run(x.data(), expected.data(), n);
        std::vector<T> y(n);
        REQUIRE(unary.function(context, x, y).ok());
        CHECK(SameBits<T>(y, expected));
        y = x;
        REQUIRE(unary.function(context, y, y).ok());
        CHECK(SameBits<T>(y, expected));
      }
      for (const Gradient<T>& gradient : Gradients<T>(table)) {
        gradient.row.run(x.data(), dy.data(), expected.data(), n);
        std::vector<T> dx(n);
        REQUIRE(gradient.function(context, x, dy, dx).ok());
        CHECK(SameBits<T>(dx, expected));
        dx = dy;
        REQUIRE(gradient.function(context, x, dx, dx).ok());
        CHECK(SameBits<T>(dx, expected));
        dx = x;
        REQUIRE(gradient.function(context, dx, dy, dx).ok());
        CHECK(SameBits<T>(dx, expected));
      }
    }
  });
}

TEST_CASE_TEMPLATE("functions of rows are their kernels, row by row, whatever the row strides", T, float, double) {
  constexpr std::ptrdiff_t kRows = 5;
  ForEachTier([](Tier tier, const kernels::KernelTable& table) {
    Context context(KernelsOf(tier));
    for (const std::ptrdiff_t cols : {0, 1, 10, 37}) {
      const auto n = static_cast<std::size_t>(cols);
      const std::vector<T> x_values = RandomValues<T>(kRows * (cols + 3), 1);
      const std::vector<T> dy_values = RandomValues<T>(kRows * cols, 2);
      const MatrixView<const T> x(x_values.data(), kRows, cols, cols + 3);
      const MatrixView<const T> dy(dy_values.data(), kRows, cols);
      std::vector<T> expected(n);
      // `out` has a column more than is written, which stays 42.
      const auto check_row = [&](const MatrixView<T>& out, std::ptrdiff_t i) {
        const std::span<const T> row(out.data + i * out.row_stride, n + 1);
        CHECK(SameBits<T>(row.first(n), expected));
        CHECK(row[n] == 42);
      };
      std::vector<T> buffer(static_cast<std::size_t>(kRows * (cols + 1)));
      const MatrixView<T> out(buffer.data(), kRows, cols, cols + 1);
      for (const ByRows<T>& function : RowFunctions<T>(table)) {
        std::ranges::fill(buffer, T{42});
        REQUIRE(function.function(context, x, out).ok());
        for (std::ptrdiff_t i = 0; i < kRows; ++i) {
          function.row.run(x.data + i * x.row_stride, 0, expected.data(), 0, 1, n);
          check_row(out, i);
          std::copy_n(x.data + i * x.row_stride, cols, out.data + i * out.row_stride);
        }
        REQUIRE(function.function(context, out, out).ok());
        for (std::ptrdiff_t i = 0; i < kRows; ++i) {
          function.row.run(x.data + i * x.row_stride, 0, expected.data(), 0, 1, n);
          check_row(out, i);
        }
      }
      for (const GradientByRows<T>& gradient : RowGradients<T>(table)) {
        std::ranges::fill(buffer, T{42});
        REQUIRE(gradient.function(context, x, dy, out).ok());
        for (std::ptrdiff_t i = 0; i < kRows; ++i) {
          gradient.row.run(x.data + i * x.row_stride, dy.data + i * dy.row_stride, expected.data(), n);
          check_row(out, i);
        }
      }
    }
  });
}

TEST_CASE_TEMPLATE("threads change nothing", T, float, double) {
  ThreadPool pool(3);
  ForEachTier([&pool](Tier tier, const kernels::KernelTable&) {
    Context alone(KernelsOf(tier));
    Context shared(KernelsOf(tier), pool);
    Machine machine = shared.machine();
    machine.thread_break_even = 1;
    shared.set_machine(machine);
    const auto check = [&](const auto& run, std::size_t n) {
      std::vector<T> expected(n);
      std::vector<T> y(n);
      REQUIRE(run(alone, std::span<T>(expected)).ok());
      REQUIRE(run(shared, std::span<T>(y)).ok());
      CHECK(SameBits<T>(y, expected));
    };
    for (const std::size_t n : std::initializer_list<std::size_t>{0, 1, 63, 64, 65, 129, 1000, 5001}) {
      CAPTURE(n);
      const std::vector<T> x = RandomValues<T>(static_cast<std::ptrdiff_t>(n), 1);
      const std::vector<T> dy = RandomValues<T>(static_cast<std::ptrdiff_t>(n), 2);
      check([&](Context& context, std::span<T> y) { return Sigmoid<T>(context, x, y); }, n);
      check([&](Context& context, std::span<T> y) { return TanhGradient<T>(context, x, dy, y); }, n);
      for (const std::ptrdiff_t cols : {1, 10, 40, 200}) {
        const std::ptrdiff_t rows = std::ssize(x) / cols;
        const MatrixView<const T> in(x.data(), rows, cols);
        const MatrixView<const T> din(dy.data(), rows, cols);
        const auto size = static_cast<std::size_t>(rows * cols);
        check([&](Context& context, std::span<T> y) { return Softmax<T>(context, in, {y.data(), rows, cols}); }, size);
        check(
            [&](Context& context, std::span<T> y) {
              return SoftmaxGradient<T>(context, in, din, {y.data(), rows, cols});
            },
            size);
      }
    }
  });
}

void CheckInvalid(const Status& status, const std::string& part) {
  CAPTURE(status.message());
  CHECK(status.code() == StatusCode::kInvalidArgument);
  CHECK_MESSAGE(status.message().find(part) != std::string::npos, part);
}

TEST_CASE("what does not fit is refused, and nothing is written") {
  Context context = *Context::Make();
  std::vector<float> values(20, 42.0F);
  const std::span<float> all(values);
  const std::vector<float> other(20, 1.0F);
  const std::span<const float> ten = std::span(other).first(10);
  for (const Unary<float>& unary : Unaries<float>(context.kernels().table())) {
    CheckInvalid(unary.function(context, ten, all.first(9)), "sizes differ: an input is 1 x 10, the output 1 x 9");
    CheckInvalid(unary.function(context, all.first(10), all.subspan(9, 10)), "overlaps an input");
    CheckInvalid(unary.function(context, all.subspan(1, 10), all.first(10)), "overlaps an input");
    CheckInvalid(unary.function(context, {static_cast<const float*>(nullptr), 10}, all.first(10)), "null");
  }
  for (const Gradient<float>& gradient : Gradients<float>(context.kernels().table())) {
    CheckInvalid(gradient.function(context, ten, std::span(other).first(9), all.first(10)), "sizes differ");
    CheckInvalid(gradient.function(context, all.first(10), ten, all.subspan(1, 10)), "overlaps an input");
    CheckInvalid(gradient.function(context, ten, all.first(10), all.subspan(1, 10)), "overlaps an input");
  }
  const MatrixView<const float> in(other.data(), 4, 5);
  const MatrixView<float> out(values.data(), 4, 5);
  for (const ByRows<float>& function : RowFunctions<float>(context.kernels().table())) {
    CheckInvalid(function.function(context, in.Rows(0, 3), out), "sizes differ: an input is 3 x 5, the output 4 x 5");
    CheckInvalid(function.function(context, in, {nullptr, 4, 5}), "the output: is 4 x 5 but its data pointer is null");
    CheckInvalid(function.function(context, {other.data(), 4, 5, 1, 4}, out), "column stride is 4");
    CheckInvalid(function.function(context, in, {values.data(), 4, 5, 4}), "row stride 4");
    CheckInvalid(function.function(context, in, {values.data(), 4, 5, 1, 4}), "column stride is 4");
    CheckInvalid(function.function(context, {values.data(), -1, 5}, {values.data(), -1, 5}), "must not be negative");
    // The same memory with the rows elsewhere.
    CheckInvalid(function.function(context, {values.data(), 2, 5, 6}, out.Rows(0, 2)), "overlaps an input");
    CheckInvalid(function.function(context, {values.data(), 2, 5, 0}, out.Rows(0, 2)), "overlaps an input");
  }
  for (const GradientByRows<float>& gradient : RowGradients<float>(context.kernels().table())) {
    CheckInvalid(gradient.function(context, in, in.Columns(0, 4), out), "an input is 4 x 4");
    CheckInvalid(gradient.function(context, in.Rows(0, 2), out.Rows(1, 2), out.Rows(0, 2)), "overlaps an input");
  }
  for (const float value : values) CHECK(value == 42);
}

}  // namespace
}  // namespace lanewise::test
