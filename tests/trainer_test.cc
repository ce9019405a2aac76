// SPDX-License-Identifier: Apache-2.0
//
// Steps of training on every tier: gradients against central differences, steps by bytes against plain loops.

#include "lanewise/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "network.h"
#include "reference.h"
#include "tiers.h"
#include "trainer_case.h"

namespace lanewise::test {
namespace {

using enum Activation;

double LossOf(Context& context, const Mlp<double>& network, const TrainerOptions& options, const Batch<double>& batch) {
  Trainer<double> trainer = MakeTrainer(network, options);
  const Result<double> loss = batch.Step(trainer, context);
  REQUIRE_MESSAGE(loss.ok(), loss.status().message());
  return *loss;
}

// ---- Gradients ---------------------------------------------------------------------------------------------------

// Every parameter's gradient against (loss(w + h) - loss(w - h)) / 2h, relative to the largest of its layer, whose
// gradient must not vanish.
void CheckGradient(Context& context, std::vector<LayerShape> layers, Loss loss, std::ptrdiff_t rows) {
  // The seed is one that leaves no ReLU dead in any of the networks.
  const Mlp<double> network = RandomNetwork<double>(std::move(layers), 29);
  const Batch<double> batch(rows, network.inputs(), network.outputs(), 18);
  const TrainerOptions options{.loss = loss, .batch = rows};
  Trainer<double> trainer = MakeTrainer(network, options);
  const Result<std::span<const double>> gradient = batch.Gradient(trainer, context);
  REQUIRE_MESSAGE(gradient.ok(), gradient.status().message());
  REQUIRE(gradient->size() == network.parameters().size());
  CHECK(SameBits<double>(trainer.network().parameters(), network.parameters()));  // no step was made

  std::size_t at = 0;
  for (std::size_t l = 0; l < network.layers().size(); ++l) {
    const auto count = static_cast<std::size_t>((network.layers()[l].inputs + 1) * network.layers()[l].outputs);
    double largest = 0;
    double error = 0;
    for (const std::size_t end = at + count; at < end; ++at) {
      constexpr double kStep = 0x1p-17;  // near the cube root of double's precision
      Mlp<double> moved = network;
      moved.parameters()[at] = network.parameters()[at] + kStep;
      const double above = LossOf(context, moved, options, batch);
      moved.parameters()[at] = network.parameters()[at] - kStep;
      const double numeric = (above - LossOf(context, moved, options, batch)) / (2 * kStep);
      largest = std::max(largest, std::fabs(numeric));
      error = std::max(error, std::fabs((*gradient)[at] - numeric));
    }
    CAPTURE(l);
    CHECK(largest > 1e-4);
    CHECK(error < 1e-6 * largest);
  }
}

TEST_CASE("gradients equal central differences, for every activation and loss") {
  constexpr Activation kAll[] = {kIdentity, kRelu, kLeakyRelu, kSigmoid, kTanh, kSoftmax, kLogSoftmax};
  struct Last {
    Activation activation;
    Loss loss;
  };
  std::vector<Last> lasts = {{kSoftmax, Loss::kSoftmaxCrossEntropy}, {kSigmoid, Loss::kSigmoidCrossEntropy}};
  for (const Activation activation : kAll) lasts.push_back({activation, Loss::kSquaredError});
  ForEachTier([&](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    for (const Last& last : lasts) {
      CAPTURE(std::string(Name(last.loss)));
      CAPTURE(std::string(Name(last.activation)));
      for (const Activation hidden : kAll) {
        CAPTURE(std::string(Name(hidden)));
        for (const std::ptrdiff_t rows : {1, 5}) {
          CAPTURE(rows);
          CheckGradient(context, {{4, 6, hidden}, {6, 3, last.activation}}, last.loss, rows);
        }
      }
    }
  });
}

TEST_CASE("gradients of deep networks, one output, and batches longer than a chunk") {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    CheckGradient(context, {{3, 5, kTanh}, {5, 18, kSigmoid}, {18, 4, kTanh}, {4, 2, kSoftmax}},
                  Loss::kSoftmaxCrossEntropy, 7);
    CheckGradient(context, {{3, 4, kSigmoid}, {4, 1, kSigmoid}}, Loss::kSigmoidCrossEntropy, 300);
    CheckGradient(context, {{2, 3, kTanh}, {3, 2, kIdentity}}, Loss::kSquaredError, 530);
    CheckGradient(context, {{2, 3, kSoftmax}}, Loss::kSoftmaxCrossEntropy, 1);
  });
}

TEST_CASE("losses are those of their formulas") {
  Mlp<double> network = *Mlp<double>::Create({{2, 2, kIdentity}});
  network.weights(0)(0, 0) = 1;
  network.weights(0)(1, 1) = 1;  // so that z = x
  const auto with_last = [&network](Activation activation) {
    Mlp<double> other = *Mlp<double>::Create({{2, 2, activation}});
    std::ranges::copy(network.parameters(), other.parameters().begin());
    return other;
  };
  Batch<double> batch(2, 2, 2, 1);
  batch.x = {0.5, -1, 40, 3};
  batch.labels = {1, 0};
  batch.targets = {0, 1, 1, 0.25};
  const auto log_sum = [](double a, double b) { return std::log(std::exp(a) + std::exp(b)); };
  const auto entropy = [](double z, double t) {
    const double y = 1 / (1 + std::exp(-z));
    return -t * std::log(y) - (1 - t) * std::log(1 - y);
  };
  ForEachTier([&](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    const auto loss = [&](Activation activation, Loss kind) {
      return LossOf(context, with_last(activation), {.loss = kind, .batch = 2}, batch);
    };
    CHECK(loss(kIdentity, Loss::kSquaredError) ==
          doctest::Approx((0.25 + 4 + 39 * 39 + 2.75 * 2.75) / 4).epsilon(1e-14));
    CHECK(loss(kSoftmax, Loss::kSoftmaxCrossEntropy) ==
          doctest::Approx((log_sum(0.5, -1) + 1 + log_sum(40, 3) - 40) / 2).epsilon(1e-14));
    // -log(1 - sigmoid(40)) would be infinite; its target is 1, so the term is 4e-18.
    CHECK(loss(kSigmoid, Loss::kSigmoidCrossEntropy) ==
          doctest::Approx((entropy(0.5, 0) + entropy(-1, 1) + entropy(3, 0.25)) / 4).epsilon(1e-14));
  });
}

// ---- Steps by bytes ----------------------------------------------------------------------------------------------

// Training with the squared error in plain loops, in the order that the contract and trainer.h state.
template <typename T>
class NaiveTrainer {
 public:
  NaiveTrainer(Tier tier, const kernels::KernelTable& table, Mlp<T> network, T lr, T mu)
      : tier_(tier), table_(table), network_(std::move(network)), lr_(lr), mu_(mu) {
    velocity_.resize(network_.parameters().size());
  }

  double Step(MatrixView<const T> x, MatrixView<const T> targets) {
    const NumericClass numeric_class = ClassOf(tier_);
    const std::vector<std::vector<T>> outputs = NaiveForward(tier_, table_, network_, x);
    std::vector<T> dz(outputs.back().size());
    std::vector<T> terms(dz.size());
    const auto count = static_cast<double>(dz.size());
    for (std::ptrdiff_t i = 0; i < x.rows; ++i) {
      for (std::ptrdiff_t j = 0; j < targets.cols; ++j) {
        const auto at = static_cast<std::size_t>(i * targets.cols + j);
        const T error = outputs.back()[at] - targets(i, j);
        terms[at] = error * error;
        dz[at] = error * static_cast<T>(2 / count);
      }
    }
    std::vector<T> gradient(velocity_.size());
    for (std::size_t l = network_.layers().size(); l-- > 0;) {
      const LayerShape& layer = network_.layers()[l];
      if (layer.activation == kRelu) {
        for (std::size_t i = 0; i < dz.size(); ++i) dz[i] = outputs[l][i] <= 0 ? 0 : dz[i];
      }
      const MatrixView<const T> dz_view(dz.data(), x.rows, layer.outputs);
      const MatrixView<const T> input = l == 0 ? x : MatrixView<const T>(outputs[l - 1].data(), x.rows, layer.inputs);
      T* dw = gradient.data() + (network_.weights(l).data - network_.parameters().data());
      OracleGemm<T>(numeric_class, 1, input.Transposed(), dz_view, 0, nullptr, {dw, layer.inputs, layer.outputs});
      const std::vector<T> db = ReferenceColumnSum(dz.data(), layer.outputs, static_cast<std::size_t>(x.rows),
                                                   static_cast<std::size_t>(layer.outputs));
      std::ranges::copy(db, dw + layer.inputs * layer.outputs);
      std::vector<T> dx(static_cast<std::size_t>(x.rows * layer.inputs));
      OracleGemm<T>(numeric_class, 1, dz_view, std::as_const(network_).weights(l).Transposed(), 0, nullptr,
                    {dx.data(), x.rows, layer.inputs});
      dz = dx;
    }
    for (std::size_t i = 0; i < velocity_.size(); ++i) {
      velocity_[i] = MultiplyAdd(numeric_class, mu_, velocity_[i], gradient[i]);
      T& w = network_.parameters()[i];
      w = MultiplyAdd(numeric_class, -lr_, velocity_[i], w);
    }
    return static_cast<double>(ReferenceSum(terms.data(), terms.size())) / count;
  }

  const Mlp<T>& network() const { return network_; }

 private:
  Tier tier_;
  const kernels::KernelTable& table_;
  Mlp<T> network_;
  T lr_, mu_;
  std::vector<T> velocity_;
};

TEST_CASE_TEMPLATE("steps equal plain loops, by bytes", T, float, double) {
  const std::vector<std::vector<LayerShape>> networks = {
      {{6, 20, kRelu}, {20, 7, kIdentity}, {7, 1, kIdentity}},
      {{13, 40, kRelu}, {40, 3, kRelu}},
      {{300, 5, kIdentity}},
      {{1, 1, kIdentity}},
  };
  ForEachTier([&](Tier tier, const kernels::KernelTable& table) {
    Context context(KernelsOf(tier));
    for (std::size_t n = 0; n < networks.size(); ++n) {
      CAPTURE(n);
      const Mlp<T> network = RandomNetwork<T>(networks[n], n);
      const TrainerOptions options{.loss = Loss::kSquaredError, .learning_rate = 0.01, .momentum = 0.875, .batch = 600};
      Trainer<T> trainer = MakeTrainer(network, options);
      NaiveTrainer<T> naive(tier, table, network, static_cast<T>(0.01), static_cast<T>(0.875));
      std::uint64_t seed = 0;
      for (const std::ptrdiff_t rows : {5, 1, 33, 600, 5, 256}) {
        CAPTURE(rows);
        const Batch<T> batch(rows, network.inputs(), network.outputs(), ++seed);
        const Result<double> loss = trainer.Step(context, batch.X(), batch.Targets());
        REQUIRE_MESSAGE(loss.ok(), loss.status().message());
        REQUIRE(*loss == naive.Step(batch.X(), batch.Targets()));
        REQUIRE(SameBits<T>(trainer.network().parameters(), naive.network().parameters()));
      }
      CHECK_FALSE(SameBits<T>(trainer.network().parameters(), network.parameters()));
    }
  });
}

// Inputs and targets of any strides mean the same.
TEST_CASE("a step reads x and targets by their strides") {
  Context context = *Context::Make();
  const Mlp<float> network = RandomNetwork<float>({{3, 4, kTanh}, {4, 2, kIdentity}}, 1);
  const TrainerOptions options{.loss = Loss::kSquaredError, .batch = 8};
  const Batch<float> batch(8, 3, 2, 2);
  std::vector<float> x(batch.x.size());
  std::vector<float> targets(batch.targets.size());
  const MatrixView<float> x_by_columns = MatrixView<float>(x.data(), 3, 8).Transposed();
  const MatrixView<float> targets_by_columns = MatrixView<float>(targets.data(), 2, 8).Transposed();
  for (std::ptrdiff_t i = 0; i < 8; ++i) {
    for (std::ptrdiff_t j = 0; j < 3; ++j) x_by_columns(i, j) = batch.X()(i, j);
    for (std::ptrdiff_t j = 0; j < 2; ++j) targets_by_columns(i, j) = batch.Targets()(i, j);
  }
  Trainer<float> dense = MakeTrainer(network, options);
  Trainer<float> strided = MakeTrainer(network, options);
  REQUIRE(dense.Step(context, batch.X(), batch.Targets()).ok());
  REQUIRE(strided.Step(context, x_by_columns, targets_by_columns).ok());
  CHECK(SameBits<float>(dense.network().parameters(), strided.network().parameters()));
}

// What a step prepares for the next ones must not be taken for those of other rows, strides, kernels or threads.
TEST_CASE_TEMPLATE("steps with other rows, strides and contexts in turn give the bits of steps alone", T, float,
                   double) {
  std::vector<Tier> tiers;  // of one class
  ForEachTier([&tiers](Tier tier, const kernels::KernelTable&) {
    if (tiers.empty() || ClassOf(tier) == ClassOf(tiers.front())) tiers.push_back(tier);
  });
  ThreadPool two(2);
  std::vector<Context> contexts;
  for (const Tier tier : tiers) {
    contexts.emplace_back(KernelsOf(tier));
    contexts.push_back(ContextOn(tier, two));
  }
  const Mlp<T> network = RandomNetwork<T>({{7, 20, kTanh}, {20, 18, kRelu}, {18, 1, kIdentity}}, 4);
  const TrainerOptions options{.loss = Loss::kSquaredError, .learning_rate = 0.01, .batch = 16};
  Trainer<T> in_turn = MakeTrainer(network, options);
  Trainer<T> alone = MakeTrainer(network, options);
  Context fixed(KernelsOf(tiers.front()));
  std::uint64_t seed = 0;
  for (int round = 0; round < 2; ++round) {
    for (Context& context : contexts) {
      for (const std::ptrdiff_t rows : {1, 16, 5}) {
        const Batch<T> batch(rows, 7, 1, ++seed);
        std::vector<T> spread(static_cast<std::size_t>(rows * 14));
        const MatrixView<T> by_columns = MatrixView<T>(spread.data(), 7, rows, 2 * rows).Transposed();
        const MatrixView<T> by_rows(spread.data(), rows, 7, 14);
        const MatrixView<T> x = round == 0 ? by_rows : by_columns;
        for (std::ptrdiff_t i = 0; i < rows; ++i) {
          for (std::ptrdiff_t j = 0; j < 7; ++j) x(i, j) = batch.X()(i, j);
        }
        REQUIRE(in_turn.Step(context, x, batch.Targets()).ok());
        REQUIRE(batch.Step(alone, fixed).ok());
        CHECK(SameBits<T>(in_turn.network().parameters(), alone.network().parameters()));
      }
    }
  }
  // A trainer that was moved goes on.
  Trainer<T> moved = std::move(in_turn);
  const Batch<T> batch(5, 7, 1, 99);
  REQUIRE(batch.Step(moved, contexts.back()).ok());
  REQUIRE(batch.Step(alone, fixed).ok());
  CHECK(SameBits<T>(moved.network().parameters(), alone.network().parameters()));
}

}  // namespace
}  // namespace lanewise::test
