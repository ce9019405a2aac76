// SPDX-License-Identifier: Apache-2.0
//
// The work that small networks do all day, on every tier and as plain loops, on one thread:
//
//   W1  a forward pass: 1000 samples, 10 -> 20 ReLU -> 5 sigmoid
//   W2  an epoch over 2560 images of bytes, 784 -> 30 sigmoid -> 10 sigmoid, mini-batches of 128; and the sigmoid of
//       10^7 numbers
//   W3  1000 products of 100 x 100, of integers too
//   W4  101 -> 10 sigmoid -> 1 sigmoid: 100 updates of one sample each, and the forward pass of one sample
//
// The library's results must be those of the numerics contract bit by bit; those of the plain loops, which round in
// another order, must be close to the contract's.

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "data.h"
#include "fmt/format.h"
#include "lanewise/gemm.h"
#include "lanewise/mlp.h"
#include "lanewise/random.h"
#include "lanewise/trainer.h"
#include "loops.h"
#include "suite.h"

namespace lanewise::bench {

namespace {

template <typename T>
std::string Identical(std::span<const T> got, std::span<const T> want) {
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (!test::SameBits(got[i], want[i])) return fmt::format("value {} is {}, not {}", i, got[i], want[i]);
  }
  return "";
}

// Sums of up to 1000 terms of size 1, rounded in different orders and then squashed.
template <typename T>
std::string Close(std::span<const T> got, std::span<const T> want) {
  constexpr T kBound = 1000 * std::numeric_limits<T>::epsilon();
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (!(std::fabs(got[i] - want[i]) <= kBound * std::max(T{1}, std::fabs(want[i])))) {
      return fmt::format("value {} is {}, not {} or close to it", i, got[i], want[i]);
    }
  }
  return "";
}

Context ContextOf(Tier tier) { return Context(*SelectKernels(Name(tier))); }

// Adds workload/NAME_TYPE as plain loops, and on each tier.
template <typename T, class Naive, class OnTier>
void AddWorkload(Suite& suite, std::string_view name, std::string_view size, Naive naive, OnTier on_tier) {
  const std::string kernel = fmt::format("workload/{}_{}", name, Name(kElementType<T>));
  suite.Add({.name = fmt::format("{}/naive/{}", kernel, size), .prepare = naive});
  for (const Tier tier : suite.Tiers()) {
    suite.Add({.name = fmt::format("{}/{}/{}", kernel, Name(tier), size), .prepare = [=] { return on_tier(tier); }});
  }
}

// ---- Forward passes ----------------------------------------------------------------------------------------------

template <typename T>
struct ForwardData {
  ForwardData(const std::vector<LayerShape>& layers, std::ptrdiff_t rows_in)
      : network(*Mlp<T>::Create(layers)),
        rows(rows_in),
        x(Uniform<T>(static_cast<std::size_t>(rows * network.inputs()), -1, 1, 1)),
        y(static_cast<std::size_t>(rows * network.outputs())) {
    network.Initialise(1);
  }
  MatrixView<const T> X() const { return {x.data(), rows, network.inputs()}; }
  MatrixView<T> Y() { return {y.data(), rows, network.outputs()}; }

  Mlp<T> network;
  std::ptrdiff_t rows;
  std::vector<T> x, y;
};

template <typename T>
void AddForward(Suite& suite, std::string_view name, std::string_view size, const std::vector<LayerShape>& layers,
                std::ptrdiff_t rows) {
  const auto naive = [=] {
    const auto d = std::make_shared<ForwardData<T>>(layers, rows);
    const auto loops = std::make_shared<Loops<T, NaiveArithmetic<T>>>(d->network);
    return Prepared{.run = [=] { loops->Predict(d->X()); },
                    .check =
                        [=] {
                          Loops<T, ContractArithmetic<T>> contract(d->network, {Tier::kPortable});
                          return Close<T>(loops->Predict(d->X()), contract.Predict(d->X()));
                        },
                    .samples = static_cast<double>(rows)};
  };
  const auto on_tier = [=](Tier tier) {
    const auto d = std::make_shared<ForwardData<T>>(layers, rows);
    const auto context = std::make_shared<Context>(ContextOf(tier));
    const auto packed = std::make_shared<PackedMlp<T>>(*PackedMlp<T>::Pack(context->kernels(), d->network));
    const auto status = std::make_shared<Status>();
    return Prepared{.run = [=] { *status = packed->Predict(*context, d->X(), d->Y()); },
                    .check = [=]() -> std::string {
                      if (!status->ok()) return status->message();
                      Loops<T, ContractArithmetic<T>> contract(d->network, {tier});
                      return Identical<T>(d->y, contract.Predict(d->X()));
                    },
                    .samples = static_cast<double>(rows)};
  };
  AddWorkload<T>(suite, name, size, naive, on_tier);
}

// ---- Training ----------------------------------------------------------------------------------------------------

template <typename T>
struct TrainingData {
  TrainingData(const std::vector<LayerShape>& layers, Dataset data_in, TrainerOptions options_in)
      : network(*Mlp<T>::Create(layers)), data(std::move(data_in)), options(options_in) {
    network.Initialise(1);
  }

  // One epoch by plain loops, in the order in which the Trainer takes the samples.
  template <class Arithmetic>
  void Epoch(Loops<T, Arithmetic>& loops) const {
    std::vector<std::uint64_t> order(static_cast<std::size_t>(data.samples));
    std::iota(order.begin(), order.end(), 0U);
    Random random(options.seed, Stream::kShuffle, 0);
    Shuffle(std::span(order), random);
    const std::ptrdiff_t outputs = network.outputs();
    std::vector<T> x(static_cast<std::size_t>(options.batch * data.features));
    std::vector<T> targets(static_cast<std::size_t>(options.batch * outputs));
    for (std::ptrdiff_t done = 0; done < data.samples; done += options.batch) {
      for (std::ptrdiff_t r = 0; r < options.batch; ++r) {
        const auto sample = static_cast<std::ptrdiff_t>(order[static_cast<std::size_t>(done + r)]);
        Read(sample, x.data() + r * data.features, targets.data() + r * outputs);
      }
      loops.Step({x.data(), options.batch, data.features}, {targets.data(), options.batch, outputs},
                 static_cast<T>(options.learning_rate));
    }
  }

  // The inputs of a sample, and its target: what the data set says, or 1 for its class and 0 for the others.
  void Read(std::ptrdiff_t sample, T* x, T* target) const {
    const std::ptrdiff_t begin = sample * data.features;
    for (std::ptrdiff_t k = 0; k < data.features; ++k) {
      const auto at = static_cast<std::size_t>(begin + k);
      x[k] = data.bytes.empty() ? static_cast<T>(data.values[at])
                                : static_cast<T>(data.bytes[at]) * static_cast<T>(options.input_scale);
    }
    for (std::ptrdiff_t j = 0; j < network.outputs(); ++j) {
      const auto at = static_cast<std::size_t>(sample);
      target[j] = static_cast<T>(data.labels.empty() ? data.targets[at] : data.labels[at] == j ? 1.0F : 0.0F);
    }
  }

  Mlp<T> network;
  Dataset data;
  TrainerOptions options;
};

template <typename T>
void AddTraining(Suite& suite, std::string_view name, std::string_view size, const std::vector<LayerShape>& layers,
                 Dataset (*make_data)(), const TrainerOptions& options) {
  const auto naive = [=] {
    const auto d = std::make_shared<TrainingData<T>>(layers, make_data(), options);
    const auto loops = std::make_shared<Loops<T, NaiveArithmetic<T>>>(d->network);
    return Prepared{.run = [=] { d->Epoch(*loops); },
                    .check =
                        [=] {
                          Loops<T, ContractArithmetic<T>> contract(d->network, {Tier::kPortable});
                          d->Epoch(contract);
                          return Close<T>(loops->network().parameters(), contract.network().parameters());
                        },
                    .samples = static_cast<double>(d->data.samples)};
  };
  const auto on_tier = [=](Tier tier) {
    const auto d = std::make_shared<TrainingData<T>>(layers, make_data(), options);
    const auto context = std::make_shared<Context>(ContextOf(tier));
    const auto trainer = std::make_shared<Trainer<T>>(*Trainer<T>::Create(d->network, options));
    const auto status = std::make_shared<Status>();
    return Prepared{.run = [=] { *status = trainer->Epoch(*context, d->data, 0).status(); },
                    .check = [=]() -> std::string {
                      if (!status->ok()) return status->message();
                      Loops<T, ContractArithmetic<T>> contract(d->network, {tier});
                      d->Epoch(contract);
                      return Identical<T>(trainer->network().parameters(), contract.network().parameters());
                    },
                    .samples = static_cast<double>(d->data.samples)};
  };
  AddWorkload<T>(suite, name, size, naive, on_tier);
}

// Images of noise, a fifth of each image lit as in handwriting, of ten classes.
Dataset Images() {
  Dataset data;
  data.samples = 2560;
  data.features = 784;
  data.classes = 10;
  Random random(1, Stream::kUser);
  data.bytes.resize(static_cast<std::size_t>(data.samples * data.features));
  for (std::uint8_t& byte : data.bytes) {
    const std::uint32_t word = random.Next32();
    byte = word % 5 == 0 ? static_cast<std::uint8_t>(word >> 24) : std::uint8_t{0};
  }
  for (std::ptrdiff_t i = 0; i < data.samples; ++i) data.labels.push_back(static_cast<std::int32_t>(i % 10));
  return data;
}

// 101 numbers and one target, 0 or 1, each.
Dataset Rows() {
  Dataset data;
  data.samples = 100;
  data.features = 101;
  data.target_count = 1;
  data.values = Uniform<float>(static_cast<std::size_t>(data.samples * data.features), -1, 1, 1);
  for (std::ptrdiff_t i = 0; i < data.samples; ++i) data.targets.push_back(static_cast<float>(i % 2));
  return data;
}

// ---- Large arrays and many products ------------------------------------------------------------------------------

struct SigmoidData {
  static constexpr std::size_t kCount = 10'000'000;

  // Every 101st, which meets all places in a vector.
  std::string Check(double max_ulp) const {
    const test::UnaryReference& reference = *test::FindUnary<float>("sigmoid");
    for (std::size_t i = 0; i < kCount; i += 101) {
      const double error = test::UlpError(y[i], reference.exact(x[i]));
      if (!(error <= max_ulp)) return fmt::format("sigmoid({}) is {}, wrong by {} ULP", x[i], y[i], error);
    }
    return "";
  }

  std::vector<float> x = Uniform<float>(kCount, -10, 10, 1);
  std::vector<float> y = std::vector<float>(kCount);
};

void AddSigmoid(Suite& suite) {
  const auto naive = [] {
    const auto d = std::make_shared<SigmoidData>();
    return Prepared{.run = [=] { std::transform(d->x.begin(), d->x.end(), d->y.begin(), NaiveSigmoid<float>); },
                    .check = [=] { return d->Check(4); },
                    .elements = SigmoidData::kCount};
  };
  const auto on_tier = [](Tier tier) {
    const auto d = std::make_shared<SigmoidData>();
    const kernels::UnaryKernel<float>* kernel = kernels::CompiledTable(tier)->sigmoid_f32;
    return Prepared{.run = [=] { kernel->run(d->x.data(), d->y.data(), d->x.size()); },
                    .check = [=] { return d->Check(MaxUlp<float>(Function::kSigmoid, ClassOf(tier))); },
                    .elements = SigmoidData::kCount};
  };
  AddWorkload<float>(suite, "W2_sigmoid", std::to_string(SigmoidData::kCount), naive, on_tier);
}

template <typename T>
struct ProductData {
  static constexpr std::ptrdiff_t kSize = 100;
  static constexpr int kTimes = 1000;
  static constexpr double kFlops = 2.0 * kTimes * kSize * kSize * kSize;

  MatrixView<const T> A() const { return {a.data(), kSize, kSize}; }
  MatrixView<const T> B() const { return {b.data(), kSize, kSize}; }
  MatrixView<T> C() { return {c.data(), kSize, kSize}; }
  std::vector<T> Contract(NumericClass numeric_class) const {
    std::vector<T> want(c.size());
    test::OracleGemm<T>(numeric_class, 1, A(), B(), 0, nullptr, {want.data(), kSize, kSize});
    return want;
  }

  std::vector<T> a = Uniform<T>(kSize * kSize, -1, 1, 1);
  std::vector<T> b = Uniform<T>(kSize * kSize, -1, 1, 2);
  std::vector<T> c = std::vector<T>(kSize * kSize);
  Status status;
};

template <typename T>
void AddProducts(Suite& suite) {
  using Data = ProductData<T>;
  const auto naive = [] {
    const auto d = std::make_shared<Data>();
    const auto run = [=] {
      for (int i = 0; i < Data::kTimes; ++i) NaiveProduct<T>(d->A(), d->B(), nullptr, d->C());
    };
    return Prepared{.run = run,
                    .check =
                        [=] {
                          const std::vector<T> want = d->Contract(NumericClass::kMulAdd);
                          if constexpr (std::is_integral_v<T>) {
                            return Identical<T>(d->c, want);
                          } else {
                            return Close<T>(d->c, want);
                          }
                        },
                    .flops = Data::kFlops};
  };
  const auto on_tier = [](Tier tier) {
    const auto d = std::make_shared<Data>();
    const auto context = std::make_shared<Context>(ContextOf(tier));
    const auto run = [=] {
      for (int i = 0; i < Data::kTimes && d->status.ok(); ++i) d->status = Gemm<T>(*context, d->A(), d->B(), d->C());
    };
    const auto check = [=]() -> std::string {
      if (!d->status.ok()) return d->status.message();
      return Identical<T>(d->c, d->Contract(ClassOf(tier)));
    };
    return Prepared{.run = run, .check = check, .flops = Data::kFlops};
  };
  AddWorkload<T>(suite, "W3", "1000x100x100", naive, on_tier);
}

template <typename T>
void AddBothTypes(Suite& suite) {
  constexpr Activation kRelu = Activation::kRelu;
  constexpr Activation kSigmoid = Activation::kSigmoid;
  const std::vector<LayerShape> w4 = {{101, 10, kSigmoid}, {10, 1, kSigmoid}};
  AddForward<T>(suite, "W1", "1000x10-20-5", {{10, 20, kRelu}, {20, 5, kSigmoid}}, 1000);
  AddProducts<T>(suite);
  AddTraining<T>(suite, "W4_train", "100x101-10-1", w4, Rows,
                 {.loss = Loss::kSquaredError, .learning_rate = 0.1, .momentum = 0, .batch = 1});
  AddForward<T>(suite, "W4_forward", "1x101-10-1", w4, 1);
}

}  // namespace

void AddWorkloads(Suite& suite) {
  AddBothTypes<float>(suite);
  AddBothTypes<double>(suite);
  AddProducts<std::int32_t>(suite);
  AddProducts<std::int64_t>(suite);
  AddTraining<float>(
      suite, "W2_train", "2560x784-30-10", {{784, 30, Activation::kSigmoid}, {30, 10, Activation::kSigmoid}}, Images,
      {.loss = Loss::kSquaredError, .learning_rate = 3, .momentum = 0, .batch = 128, .input_scale = 1.0 / 255});
  AddSigmoid(suite);
}

}  // namespace lanewise::bench
