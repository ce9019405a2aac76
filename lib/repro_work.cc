// SPDX-License-Identifier: Apache-2.0

#include "repro_work.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "lanewise/functions.h"
#include "lanewise/gemm.h"
#include "lanewise/mlp.h"
#include "lanewise/model_file.h"
#include "lanewise/random.h"
#include "lanewise/trainer.h"
#include "lanewise/verify.h"

namespace lanewise::internal {
namespace {

using enum Activation;

template <typename T>
constexpr const char* kType = sizeof(T) == sizeof(float) ? "f32" : "f64";

// [low, high)
template <typename T>
std::vector<T> Uniform(std::ptrdiff_t count, double low, double high, Random& random) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& x : values) x = static_cast<T>(low + (high - low) * random.UniformDouble());
  return values;
}

// Where every function and every sum has something to decide.
template <typename T>
std::vector<T> Specials() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values;
  for (const T x :
       {T{0}, Limits::denorm_min(), Limits::min(), Limits::epsilon(), T{0.25}, T{0.5}, T{1}, T{16}, T{88.5}, T{90},
        T{104}, T{709.5}, T{746}, T{1e30F}, Limits::max(), Limits::infinity(), Limits::quiet_NaN()}) {
    for (const T y : {x, x * (1 - Limits::epsilon()), x * (1 + Limits::epsilon())}) {
      values.push_back(y);
      values.push_back(-y);
    }
  }
  return values;
}

// An array that begins `offset` elements after a 64-byte boundary.
template <typename T>
class Shifted {
 public:
  Shifted(std::ptrdiff_t count, std::ptrdiff_t offset) : memory_(static_cast<std::size_t>(count + offset) + 64) {
    void* first = memory_.data();
    std::size_t space = memory_.size() * sizeof(T);
    first_ = static_cast<T*>(std::align(64, 1, first, space)) + offset;
  }
  Shifted(const std::vector<T>& values, std::ptrdiff_t offset) : Shifted(std::ssize(values), offset) {
    std::ranges::copy(values, first_);
  }
  T* data() { return first_; }

 private:
  std::vector<T> memory_;
  T* first_;
};

// rows x cols elements of `values` in memory of its own; transposed: column after column; each line `pad` longer than
// it need be, NaN in between.
template <typename T>
class ShiftedMatrix {
 public:
  ShiftedMatrix(const std::vector<T>& values, std::ptrdiff_t rows, std::ptrdiff_t cols, bool transposed,
                std::ptrdiff_t pad, std::ptrdiff_t offset)
      : memory_((rows + pad) * (cols + pad), offset) {
    std::fill_n(memory_.data(), (rows + pad) * (cols + pad), std::numeric_limits<T>::quiet_NaN());
    view = transposed ? MatrixView<T>(memory_.data(), cols, rows, rows + pad).Transposed()
                      : MatrixView<T>(memory_.data(), rows, cols, cols + pad);
    for (std::ptrdiff_t i = 0; i < rows; ++i) {
      for (std::ptrdiff_t j = 0; j < cols; ++j) view(i, j) = values[static_cast<std::size_t>(i * cols + j)];
    }
  }

 private:
  Shifted<T> memory_;

 public:
  MatrixView<T> view;
};

template <typename T>
void Append(MatrixView<const T> x, std::vector<double>& out) {
  for (std::ptrdiff_t i = 0; i < x.rows; ++i) {
    for (std::ptrdiff_t j = 0; j < x.cols; ++j) out.push_back(static_cast<double>(x(i, j)));
  }
}

// body(first, count) for each batch of `total` rows.
template <typename Body>
Status InBatches(std::ptrdiff_t total, std::ptrdiff_t batch, const Body& body) {
  if (batch == 0) return body(0, total);
  for (std::ptrdiff_t first = 0; first < total; first += batch) {
    Status status = body(first, std::min(batch, total - first));
    if (!status.ok()) return status;
  }
  return Status();
}

class Visitor {
 public:
  explicit Visitor(const std::function<bool(const Operation&)>& visit) : visit_(visit) {}

  // The numbers of the operation that comes next.
  Random Numbers() const { return Random(1, Stream::kRepro, count_); }

  void Visit(const Operation& operation) {
    ++count_;
    if (going_) going_ = visit_(operation);
  }
  bool going() const { return going_; }

 private:
  const std::function<bool(const Operation&)>& visit_;
  std::uint32_t count_ = 0;
  bool going_ = true;
};

// ---- GEMM --------------------------------------------------------------------------------------------------------

struct Product {
  std::ptrdiff_t m, n, k;
  bool a_transposed, b_transposed, bias;
  std::ptrdiff_t pad;
  double alpha, beta;
  Activation activation;
  const char* values;
};

std::ptrdiff_t Between(std::ptrdiff_t low, std::ptrdiff_t high, Random& random) {
  return low + static_cast<std::ptrdiff_t>(random.Below(static_cast<std::uint64_t>(high - low + 1)));
}

// Sizes around the tiles, the chains and the chunk of the contract, and between; every activation with every kind of
// values, the other settings drawn.
Product MakeProduct(int index, Random& random) {
  constexpr std::array<std::array<std::ptrdiff_t, 2>, 4> kM = {{{1, 1}, {2, 8}, {1, 40}, {9, 64}}};
  constexpr std::array<std::array<std::ptrdiff_t, 2>, 4> kN = {{{1, 1}, {2, 16}, {17, 70}, {71, 200}}};
  constexpr std::array<std::array<std::ptrdiff_t, 2>, 5> kK = {{{0, 9}, {10, 80}, {250, 262}, {100, 700}, {505, 520}}};
  constexpr std::array kAlphas = {1.0, 1.0, -0.7, 1.0, -0.7, 1.0, 1.0, 0.0};
  constexpr std::array kBetas = {0.0, 1.0, 0.0, -0.3};
  constexpr std::array kActivations = {kIdentity, kRelu, kSigmoid, kTanh, kSoftmax, kLogSoftmax};
  constexpr std::array kValues = {"ordinary values", "ordinary values", "ordinary values", "denormal products",
                                  "special values"};
  const auto pick = [&random](const auto& items) { return items[random.Below(items.size())]; };
  const auto range = [&](const auto& items) {
    const std::array<std::ptrdiff_t, 2> bounds = pick(items);
    return Between(bounds[0], bounds[1], random);
  };
  Product p = {.m = range(kM),
               .n = range(kN),
               .k = range(kK),
               .a_transposed = random.Below(3) == 0,
               .b_transposed = random.Below(3) == 0,
               .bias = random.Below(2) == 0,
               .pad = random.Below(4) == 0 ? 3 : 0,
               .alpha = pick(kAlphas),
               .beta = pick(kBetas),
               .activation = kActivations[static_cast<std::size_t>(index) % kActivations.size()],
               .values = kValues[static_cast<std::size_t>(index) / 6 % kValues.size()]};
  // A softmax of one column is 1 whatever the sum.
  if (p.n == 1 && (p.activation == kSoftmax || p.activation == kLogSoftmax)) p.activation = kIdentity;
  return p;
}

std::string Describe(const Product& p) {
  std::string text = fmt::format("M = {}, N = {}, K = {}", p.m, p.n, p.k);
  if (p.a_transposed) text += ", A transposed";
  if (p.b_transposed) text += ", B transposed";
  if (p.pad > 0) text += fmt::format(", lines {} longer", p.pad);
  text += fmt::format(", alpha {}, beta {}{}, {}", p.alpha, p.beta, p.bias ? ", bias" : "", Name(p.activation));
  return text + ", " + p.values;
}

template <typename T>
Status RunProduct(Context& context, const Variation& v, const Product& p, const std::vector<T>& a_values,
                  const std::vector<T>& b_values, const std::vector<T>& c_values, std::vector<double>& out) {
  const ShiftedMatrix<T> a(a_values, p.m, p.k, p.a_transposed, p.pad, v.offset);
  const ShiftedMatrix<T> b(b_values, p.k, p.n, p.b_transposed, p.pad, v.offset);
  const ShiftedMatrix<T> c(c_values, p.m, p.n, false, p.pad, v.offset);
  Shifted<T> bias(std::vector<T>(c_values.begin(), c_values.begin() + p.n), v.offset);
  const GemmOptions<T> options{.alpha = static_cast<T>(p.alpha),
                               .beta = static_cast<T>(p.beta),
                               .bias = p.bias ? bias.data() : nullptr,
                               .activation = p.activation};
  Result<PackedMatrix<T>> packed = PackedMatrix<T>::Pack(context.kernels(), b.view);
  if (!packed.ok()) return packed.status();
  Status status = InBatches(p.m, v.batch, [&](std::ptrdiff_t first, std::ptrdiff_t count) {
    const MatrixView<const T> rows = a.view.Rows(first, count);
    return v.packed ? Gemm<T>(context, rows, *packed, c.view.Rows(first, count), options)
                    : Gemm<T>(context, rows, b.view, c.view.Rows(first, count), options);
  });
  Append<T>(c.view, out);
  return status;
}

template <typename T>
void VisitProducts(Visitor& visitor) {
  constexpr int kProducts = 200;
  for (int i = 0; i < kProducts && visitor.going(); ++i) {
    Random random = visitor.Numbers();
    const Product p = MakeProduct(i, random);
    const std::string_view values = p.values;
    // Products of two numbers of this size are denormal.
    const double size = values == "denormal products" ? std::sqrt(std::numeric_limits<T>::min()) / 8 : 1;
    // Sums of about 1, where no activation is flat and hides a difference.
    const double b_size = size * 2 / std::sqrt(static_cast<double>(p.k + 1));
    std::vector<T> a = Uniform<T>(p.m * p.k, -size, size, random);
    const std::vector<T> b = Uniform<T>(p.k * p.n, -b_size, b_size, random);
    const std::vector<T> c = Uniform<T>(p.m * p.n, -size, size, random);
    if (values == "special values" && !a.empty()) {
      const std::vector<T> specials = Specials<T>();
      for (int s = 0; s < 4; ++s) a[random.Below(a.size())] = specials[random.Below(specials.size())];
    }
    visitor.Visit({fmt::format("gemm {}", kType<T>), Describe(p), p.n,
                   [&](Context& context, const Variation& variation, std::vector<double>& out) {
                     return RunProduct<T>(context, variation, p, a, b, c, out);
                   }});
  }
}

// ---- Functions ---------------------------------------------------------------------------------------------------

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
    inputs.push_back({fmt::format("x in [-{0}, {0})", bound), Uniform<T>(kCount, -bound, bound, random)});
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
    visitor.Visit({fmt::format("functions {}", kType<T>), fmt::format("{}, {}", name, inputs.text), 0,
                   [&](Context& context, const Variation& v, std::vector<double>& out) {
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
void VisitFunctions(Visitor& visitor) {
  constexpr std::pair<const char*, UnaryFunction<T>> kUnary[] = {{"exp", Exp<T>},     {"log", Log<T>},
                                                                 {"log1p", Log1p<T>}, {"sigmoid", Sigmoid<T>},
                                                                 {"tanh", Tanh<T>},   {"relu", Relu<T>}};
  for (const auto& [name, function] : kUnary) {
    VisitFunction<T>(visitor, name,
                     [f = function](Context& context, std::span<const T> x, std::span<const T> /*dy*/, std::span<T> y) {
                       return f(context, x, y);
                     });
  }
  constexpr std::pair<const char*, BinaryFunction<T>> kGradients[] = {{"exp gradient", ExpGradient<T>},
                                                                      {"log gradient", LogGradient<T>},
                                                                      {"sigmoid gradient", SigmoidGradient<T>},
                                                                      {"tanh gradient", TanhGradient<T>},
                                                                      {"relu gradient", ReluGradient<T>}};
  for (const auto& [name, function] : kGradients) VisitFunction<T>(visitor, name, function);
}

template <typename T>
void VisitRowFunctions(Visitor& visitor) {
  const std::string topic = fmt::format("softmax {}", kType<T>);
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
      visitor.Visit({topic, fmt::format("{}, {} rows of {}", name, kRows, n), n,
                     [&](Context& context, const Variation& v, std::vector<double>& out) {
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

// ---- Networks ----------------------------------------------------------------------------------------------------

template <typename T>
Result<Mlp<T>> MakeNetwork(const std::vector<LayerShape>& layers) {
  Result<Mlp<T>> network = Mlp<T>::Create(layers);
  if (network.ok()) network->Initialise(1);
  return network;
}

std::string Describe(const std::vector<LayerShape>& layers) {
  std::string text = std::to_string(layers[0].inputs);
  for (const LayerShape& layer : layers) text += fmt::format("-{} {}", layer.outputs, Name(layer.activation));
  return text;
}

template <typename T>
void VisitForward(Visitor& visitor) {
  constexpr std::ptrdiff_t kRows = 100;
  for (const std::vector<LayerShape>& layers : {std::vector<LayerShape>{{10, 20, kRelu}, {20, 5, kSigmoid}},
                                                {{784, 30, kSigmoid}, {30, 10, kSoftmax}},
                                                {{101, 10, kTanh}, {10, 1, kSigmoid}}}) {
    Random random = visitor.Numbers();
    const std::ptrdiff_t inputs = layers.front().inputs;
    const std::ptrdiff_t outputs = layers.back().outputs;
    const std::vector<T> values = Uniform<T>(kRows * inputs, -1, 1, random);
    Dataset pixels{.samples = kRows, .features = inputs};
    for (std::ptrdiff_t i = 0; i < kRows * inputs; ++i) {
      pixels.bytes.push_back(static_cast<std::uint8_t>(random.Below(256)));
    }
    for (const bool bytes : {false, true}) {
      visitor.Visit({fmt::format("forward {}", kType<T>),
                     fmt::format("{}, {} rows{}", Describe(layers), kRows, bytes ? " of bytes" : ""), outputs,
                     [&](Context& context, const Variation& v, std::vector<double>& out) {
                       const Result<Mlp<T>> network = MakeNetwork<T>(layers);
                       if (!network.ok()) return network.status();
                       const Result<PackedMlp<T>> packed = PackedMlp<T>::Pack(context.kernels(), *network);
                       if (!packed.ok()) return packed.status();
                       const ShiftedMatrix<T> x(values, kRows, inputs, false, v.offset, v.offset);
                       const ShiftedMatrix<T> y(values, kRows, outputs, false, v.offset, v.offset);
                       Status status = InBatches(kRows, v.batch, [&](std::ptrdiff_t first, std::ptrdiff_t count) {
                         const MatrixView<T> rows = y.view.Rows(first, count);
                         return bytes ? packed->Predict(context, pixels, first, T{1} / T{255}, rows)
                                      : packed->Predict(context, x.view.Rows(first, count), rows);
                       });
                       Append<T>(y.view, out);
                       return status;
                     }});
    }
  }
}

template <typename T>
void VisitLosses(Visitor& visitor) {
  constexpr std::ptrdiff_t kRows = 300;  // more than one chunk of the gradient's sums
  constexpr std::ptrdiff_t kInputs = 12;
  constexpr std::ptrdiff_t kOutputs = 5;
  constexpr std::pair<Loss, Activation> kLosses[] = {
      {Loss::kSoftmaxCrossEntropy, kSoftmax}, {Loss::kSigmoidCrossEntropy, kSigmoid}, {Loss::kSquaredError, kIdentity},
      {Loss::kSquaredError, kRelu},           {Loss::kSquaredError, kSigmoid},        {Loss::kSquaredError, kTanh},
      {Loss::kSquaredError, kSoftmax}};
  for (const auto& [loss, activation] : kLosses) {
    Random random = visitor.Numbers();
    const std::vector<T> x_values = Uniform<T>(kRows * kInputs, -3, 3, random);
    const std::vector<T> target_values = Uniform<T>(kRows * kOutputs, 0, 1, random);
    std::vector<std::int32_t> labels(kRows);
    for (std::int32_t& label : labels) label = static_cast<std::int32_t>(random.Below(kOutputs));
    visitor.Visit({fmt::format("losses {}", kType<T>),
                   fmt::format("{} of {}: loss, gradient", Name(loss), Name(activation)), 0,
                   [&, l = loss, a = activation](Context& context, const Variation& v, std::vector<double>& out) {
                     Result<Mlp<T>> network = MakeNetwork<T>({{kInputs, 9, kTanh}, {9, kOutputs, a}});
                     if (!network.ok()) return network.status();
                     Result<Trainer<T>> trainer = Trainer<T>::Create(*std::move(network), {.loss = l, .batch = kRows});
                     if (!trainer.ok()) return trainer.status();
                     const ShiftedMatrix<T> x(x_values, kRows, kInputs, false, v.offset, v.offset);
                     const ShiftedMatrix<T> targets(target_values, kRows, kOutputs, false, v.offset, v.offset);
                     const bool by_label = l == Loss::kSoftmaxCrossEntropy;
                     const auto gradient = by_label ? trainer->Gradient(context, x.view, labels)
                                                    : trainer->Gradient(context, x.view, targets.view);
                     if (!gradient.ok()) return gradient.status();
                     const std::vector<double> gradient_values(gradient->begin(), gradient->end());
                     const Result<double> value = by_label ? trainer->Step(context, x.view, labels)
                                                           : trainer->Step(context, x.view, targets.view);
                     if (!value.ok()) return value.status();
                     out.push_back(*value);
                     out.insert(out.end(), gradient_values.begin(), gradient_values.end());
                     return Status();
                   }});
  }
}

// 50 steps: 5 epochs of 10.
template <typename T>
void VisitTraining(Visitor& visitor) {
  constexpr std::ptrdiff_t kInputs = 20;
  Random random = visitor.Numbers();
  Dataset data{.samples = 640, .features = kInputs, .classes = 5};
  for (std::ptrdiff_t i = 0; i < data.samples; ++i) {
    data.labels.push_back(static_cast<std::int32_t>(random.Below(5)));
    for (std::ptrdiff_t j = 0; j < kInputs; ++j) {
      data.bytes.push_back(static_cast<std::uint8_t>(random.Below(128) + (j % 5 == data.labels.back() ? 64 : 0)));
    }
  }
  const auto train = [&](Context& context) -> Result<std::pair<Mlp<T>, std::vector<double>>> {
    Result<Mlp<T>> network = MakeNetwork<T>({{kInputs, 40, kTanh}, {40, 30, kRelu}, {30, 5, kSoftmax}});
    if (!network.ok()) return network.status();
    Result<Trainer<T>> trainer =
        Trainer<T>::Create(*std::move(network), {.learning_rate = 0.05, .batch = 64, .input_scale = 1.0 / 255});
    if (!trainer.ok()) return trainer.status();
    std::vector<double> losses;
    for (std::uint32_t epoch = 0; epoch < 5; ++epoch) {
      const Result<EpochResult> result = trainer->Epoch(context, data, epoch);
      if (!result.ok()) return result.status();
      losses.push_back(result->loss);
    }
    return std::pair(trainer->network(), losses);
  };
  const std::string topic = fmt::format("training {}", kType<T>);
  visitor.Visit({topic, "20-40-30-5, 50 steps: the losses of 5 epochs, the parameters", 0,
                 [&](Context& context, const Variation& /*variation*/, std::vector<double>& out) {
                   const auto trained = train(context);
                   if (!trained.ok()) return trained.status();
                   out = trained->second;
                   const std::span<const T> parameters = trained->first.parameters();
                   out.insert(out.end(), parameters.begin(), parameters.end());
                   return Status();
                 }});
  visitor.Visit({topic, "20-40-30-5, 50 steps: the bytes of the model file", 0,
                 [&](Context& context, const Variation& /*variation*/, std::vector<double>& out) {
                   auto trained = train(context);
                   if (!trained.ok()) return trained.status();
                   Model<T> model{.network = std::move(trained->first), .input_scale = 1.0 / 255};
                   Status status = AddGoldenCases(context, model);
                   if (!status.ok()) return status;
                   const Result<std::string> bytes = ModelBytes(model);
                   if (!bytes.ok()) return bytes.status();
                   for (const char byte : *bytes) out.push_back(static_cast<unsigned char>(byte));
                   return Status();
                 }});
}

template <typename T>
void VisitAll(Visitor& visitor) {
  VisitProducts<T>(visitor);
  VisitFunctions<T>(visitor);
  VisitRowFunctions<T>(visitor);
  VisitLosses<T>(visitor);
  VisitForward<T>(visitor);
  VisitTraining<T>(visitor);
}

}  // namespace

void ForEachOperation(const std::function<bool(const Operation&)>& visit) {
  Visitor visitor(visit);
  VisitAll<float>(visitor);
  VisitAll<double>(visitor);
}

}  // namespace lanewise::internal
