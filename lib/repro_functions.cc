// SPDX-License-Identifier: Apache-2.0
//
// The fixed work: elementwise functions, softmaxes and their gradients.

#include <bit>
#include <span>
#include <string>

#include "format.h"
#include "lanewise/functions.h"
#include "repro_parts.h"

namespace lanewise::internal {
namespace {

template <typename T>
using UnaryFunction = Status (*)(Context&, std::span<const T>, std::span<T>);
template <typename T>
using BinaryFunction = Status (*)(Context&, std::span<const T>, std::span<const T>, std::span<T>);
template <typename T>
using RowFunction = Status (*)(Context&, MatrixView<const T>, MatrixView<T>);
template <typename T>
using RowGradientFunction = Status (*)(Context&, MatrixView<const T>, MatrixView<const T>, MatrixView<T>);

template <typename T>
struct Inputs {
  std::string text;
  std::vector<T> x;
};

template <typename T>
std::vector<Inputs<T>> FunctionInputs(Random& random) {
  constexpr std::ptrdiff_t kCount = 3000;
  std::vector<Inputs<T>> inputs;
  for (const double bound : {1.0, 16.0, 120.0, 800.0}) {
    inputs.push_back({Format("x in [-{0}, {0})", bound), Uniform<T>(kCount, -bound, bound, random)});
  }
  inputs.push_back({"x of any bits", std::vector<T>(kCount)});
  for (T& x : inputs.back().x) {
    if constexpr (sizeof(T) == sizeof(float)) {
      x = std::bit_cast<float>(random.Next32());
    } else {
      x = std::bit_cast<double>(random.Next64());
    }
  }
  inputs.push_back({"special values", Specials<T>()});
  return inputs;
}

// apply(context, x, dy, y) for each kind of inputs; functions of one argument ignore dy.
template <typename T, typename Apply>
void VisitFunction(Visitor& visitor, const char* name, const Apply& apply) {
  Random random = visitor.Numbers();
  for (const Inputs<T>& inputs : FunctionInputs<T>(random)) {
    const std::vector<T> dy_values = Uniform<T>(std::ssize(inputs.x), -2, 2, random);
    visitor.Visit({Format("functions {}", kType<T>), Format("{}, {}", name, inputs.text), 0,
                   [&](Context& context, const Variation& v, Elements& out) {
                     const std::ptrdiff_t n = std::ssize(inputs.x);
                     Shifted<T> x(inputs.x, v.offset);
                     Shifted<T> dy(dy_values, v.offset);
                     Shifted<T> y(n, v.offset);
                     Status status = InBatches(n, v.batch, [&](std::ptrdiff_t first, std::ptrdiff_t count) {
                       const auto part = [&](Shifted<T>& array) {
                         return std::span<T>(array.data() + first, static_cast<std::size_t>(count));
                       };
                       return apply(context, part(x), part(dy), part(y));
                     });
                     Append<T>({y.data(), 1, n}, out);
                     return status;
                   }});
  }
}

template <typename T>
void VisitElementwise(Visitor& visitor) {
  constexpr std::pair<const char*, UnaryFunction<T>> kUnary[] = {
      {"exp", Exp<T>},   {"log", Log<T>},   {"log1p", Log1p<T>},         {"sigmoid", Sigmoid<T>},
      {"tanh", Tanh<T>}, {"relu", Relu<T>}, {"leaky relu", LeakyRelu<T>}};
  for (const auto& [name, function] : kUnary) {
    VisitFunction<T>(visitor, name,
                     [f = function](Context& context, std::span<const T> x, std::span<const T> /*dy*/, std::span<T> y) {
                       return f(context, x, y);
                     });
  }
  constexpr std::pair<const char*, BinaryFunction<T>> kGradients[] = {
      {"exp gradient", ExpGradient<T>},         {"log gradient", LogGradient<T>},
      {"sigmoid gradient", SigmoidGradient<T>}, {"tanh gradient", TanhGradient<T>},
      {"relu gradient", ReluGradient<T>},       {"leaky relu gradient", LeakyReluGradient<T>}};
  for (const auto& [name, function] : kGradients) VisitFunction<T>(visitor, name, function);
}

template <typename T>
void VisitRowFunctions(Visitor& visitor) {
  const std::string topic = Format("softmax {}", kType<T>);
  constexpr std::pair<const char*, RowFunction<T>> kFunctions[] = {{"softmax", Softmax<T>},
                                                                   {"log-softmax", LogSoftmax<T>}};
  constexpr std::pair<const char*, RowGradientFunction<T>> kGradients[] = {
      {"softmax gradient", SoftmaxGradient<T>}, {"log-softmax gradient", LogSoftmaxGradient<T>}};
  constexpr std::ptrdiff_t kRows = 20;
  for (const std::ptrdiff_t n : {1, 2, 7, 10, 16, 33, 100, 1000}) {
    Random random = visitor.Numbers();
    std::vector<T> x_values = Uniform<T>(kRows * n, -20, 20, random);
    const std::vector<T> dy_values = Uniform<T>(kRows * n, -2, 2, random);
    // The second row goes far beyond what exp can hold, the third holds special values.
    for (std::ptrdiff_t j = 0; j < n; ++j) x_values[static_cast<std::size_t>(n + j)] *= T{50};
    const std::vector<T> specials = Specials<T>();
    x_values[static_cast<std::size_t>(2 * n)] = specials[random.Below(specials.size())];
    x_values[static_cast<std::size_t>(3 * n - 1)] = specials[random.Below(specials.size())];
    const auto visit = [&](const char* name, const auto& apply) {
      visitor.Visit({topic, Format("{}, {} rows of {}", name, kRows, n), n,
                     [&](Context& context, const Variation& v, Elements& out) {
                       const ShiftedMatrix<T> x(x_values, kRows, n, false, v.offset, v.offset);
                       const ShiftedMatrix<T> dy(dy_values, kRows, n, false, v.offset, v.offset);
                       const ShiftedMatrix<T> y(dy_values, kRows, n, false, v.offset, v.offset);
                       Status status = InBatches(kRows, v.batch, [&](std::ptrdiff_t first, std::ptrdiff_t count) {
                         return apply(context, x.view.Rows(first, count), dy.view.Rows(first, count),
                                      y.view.Rows(first, count));
                       });
                       Append<T>(y.view, out);
                       return status;
                     }});
    };
    for (const auto& [name, function] : kFunctions) {
      visit(name, [f = function](Context& context, MatrixView<const T> x, MatrixView<const T> /*dy*/, MatrixView<T> y) {
        return f(context, x, y);
      });
    }
    for (const auto& [name, function] : kGradients) visit(name, function);
  }
}

}  // namespace

template <typename T>
void VisitFunctions(Visitor& visitor) {
  VisitElementwise<T>(visitor);
  VisitRowFunctions<T>(visitor);
}

template void VisitFunctions<float>(Visitor&);
template void VisitFunctions<double>(Visitor&);

}  // namespace lanewise::internal
