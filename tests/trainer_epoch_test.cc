// SPDX-License-Identifier: Apache-2.0
//
// Epochs of training: equal bits over threads and tiers, what is learnt, divergence, errors.

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
#include "tiers.h"
#include "trainer_case.h"

namespace lanewise::test {
namespace {

using enum Activation;

// ---- Epochs ------------------------------------------------------------------------------------------------------

// Points in 8 dimensions; the class is the nearest of 5 random centres, the targets are what the centres are.
Dataset Clusters(std::ptrdiff_t samples) {
  const std::vector<float> centres = RandomValues<float>(5 * 8, 1);
  const std::vector<float> noise = RandomValues<float>(samples * 8, 2);
  Dataset data{.samples = samples, .features = 8, .classes = 5};
  for (std::ptrdiff_t i = 0; i < samples; ++i) {
    data.labels.push_back(static_cast<std::int32_t>(i % 5));
    for (std::ptrdiff_t j = 0; j < 8; ++j) {
      data.values.push_back(centres[static_cast<std::size_t>(i % 5 * 8 + j)] +
                            0.3F * noise[static_cast<std::size_t>(i * 8 + j)]);
    }
  }
  return data;
}

TEST_CASE_TEMPLATE("training gives the same bits on any number of threads and every tier of a class", T, float,
                   double) {
  const Dataset data = Clusters(1000);
  const Mlp<T> network = RandomNetwork<T>({{8, 40, kTanh}, {40, 30, kRelu}, {30, 5, kSoftmax}}, 3);
  std::vector<T> of_class[2];
  ForEachTier([&](Tier tier, const kernels::KernelTable&) {
    for (const int threads : {1, 2, 3, 8}) {
      CAPTURE(threads);
      ThreadPool pool(threads);
      Context context = ContextOn(tier, pool);
      Trainer<T> trainer = MakeTrainer(network, {.learning_rate = 0.02, .batch = 96});
      double first_loss = 0;
      EpochResult result;
      for (std::uint32_t epoch = 0; epoch < 5; ++epoch) {
        const Result<EpochResult> done = trainer.Epoch(context, data, epoch);
        REQUIRE_MESSAGE(done.ok(), done.status().message());
        result = *done;
        if (epoch == 0) first_loss = result.loss;
      }
      CHECK(result.samples == 1000);
      CHECK(result.loss < 0.2 * first_loss);
      CHECK(result.accuracy > 0.95);
      std::vector<T>& expected = of_class[ClassOf(tier) == NumericClass::kFma];
      const std::span<const T> trained = trainer.network().parameters();
      if (expected.empty()) expected.assign(trained.begin(), trained.end());
      CHECK(SameBits<T>(trained, expected));
    }
  });
}

TEST_CASE("an epoch is its steps, in the shuffled order") {
  const Dataset data = Clusters(50);
  const Mlp<float> network = RandomNetwork<float>({{8, 5, kSoftmax}}, 1);
  const TrainerOptions options{.batch = 16, .seed = 9, .input_scale = 0.5};
  ForEachTier([&](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    Trainer<float> by_epoch = MakeTrainer(network, options);
    std::vector<std::ptrdiff_t> done;
    const Result<EpochResult> result = by_epoch.Epoch(context, data, 4, [&done](std::ptrdiff_t samples) {
      done.push_back(samples);
      return true;
    });
    REQUIRE(result.ok());
    CHECK(done == std::vector<std::ptrdiff_t>{16, 32, 48, 50});

    std::vector<std::size_t> order(50);
    for (std::size_t i = 0; i < 50; ++i) order[i] = i;
    Random random(9, Stream::kShuffle, 4);
    Shuffle(std::span(order), random);
    Trainer<float> by_step = MakeTrainer(network, options);
    double loss = 0;
    for (std::size_t begin = 0; begin < 50; begin += 16) {
      const std::size_t rows = std::min<std::size_t>(16, 50 - begin);
      std::vector<float> x;
      std::vector<std::int32_t> labels;
      for (std::size_t i = begin; i < begin + rows; ++i) {
        for (std::size_t j = 0; j < 8; ++j) x.push_back(data.values[order[i] * 8 + j] * 0.5F);
        labels.push_back(data.labels[order[i]]);
      }
      const Result<double> step = by_step.Step(context, {x.data(), std::ssize(labels), 8}, labels);
      REQUIRE(step.ok());
      loss += *step * static_cast<double>(rows);
    }
    CHECK(result->loss == loss / 50);
    CHECK(SameBits<float>(by_epoch.network().parameters(), by_step.network().parameters()));
  });
}

// The four points of exclusive or, which no single layer can tell apart.
TEST_CASE_TEMPLATE("a network learns exclusive or", T, float, double) {
  const Dataset data{
      .samples = 4, .features = 2, .bytes = {0, 0, 0, 1, 1, 0, 1, 1}, .labels = {0, 1, 1, 0}, .classes = 2};
  ForEachTier([&](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    for (const Loss loss : {Loss::kSigmoidCrossEntropy, Loss::kSquaredError, Loss::kSoftmaxCrossEntropy}) {
      CAPTURE(std::string(Name(loss)));
      Mlp<T> network = loss == Loss::kSoftmaxCrossEntropy ? RandomNetwork<T>({{2, 6, kTanh}, {6, 2, kSoftmax}}, 5)
                                                          : RandomNetwork<T>({{2, 6, kTanh}, {6, 1, kSigmoid}}, 5);
      Trainer<T> trainer = MakeTrainer(network, {.loss = loss, .learning_rate = 0.5, .batch = 4});
      EpochResult last;
      for (std::uint32_t epoch = 0; epoch < 500; ++epoch) {
        const Result<EpochResult> result = trainer.Epoch(context, data, epoch);
        REQUIRE_MESSAGE(result.ok(), result.status().message());
        last = *result;
      }
      CHECK(last.loss < 0.01);
      CHECK(last.accuracy == 1);
      const Result<PackedMlp<T>> packed = PackedMlp<T>::Pack(context.kernels(), trainer.network());
      REQUIRE(packed.ok());
      const Result<Evaluation> evaluation = Evaluate<T>(context, *packed, data, 1);
      REQUIRE(evaluation.ok());
      CHECK(evaluation->accuracy == 1);
    }
  });
}

TEST_CASE("a network learns a linear map from targets") {
  Dataset data{.samples = 200, .features = 2, .values = RandomValues<float>(400, 1), .target_count = 2};
  for (std::size_t i = 0; i < 200; ++i) {
    const float a = data.values[2 * i];
    const float b = data.values[2 * i + 1];
    data.targets.insert(data.targets.end(), {a - 2 * b + 0.5F, 3 * a});
  }
  ForEachTier([&](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    Trainer<float> trainer = MakeTrainer(RandomNetwork<float>({{2, 2, kIdentity}}, 1),
                                         {.loss = Loss::kSquaredError, .learning_rate = 0.1, .batch = 20});
    for (std::uint32_t epoch = 0; epoch < 50; ++epoch) {
      const Result<EpochResult> result = trainer.Epoch(context, data, epoch);
      REQUIRE(result.ok());
      CHECK(result->accuracy == 0);  // there are no labels
    }
    const float expected[] = {1, 3, -2, 0, 0.5, 0};
    for (std::size_t i = 0; i < 6; ++i) CHECK(std::fabs(trainer.network().parameters()[i] - expected[i]) < 1e-4F);
  });
}

TEST_CASE("progress that returns false stops the epoch") {
  Context context = *Context::Make();
  const Dataset data = Clusters(100);
  const Mlp<float> network = RandomNetwork<float>({{8, 5, kSoftmax}}, 1);
  Trainer<float> stopped = MakeTrainer(network, {.batch = 10});
  const Result<EpochResult> result =
      stopped.Epoch(context, data, 0, [](std::ptrdiff_t samples) { return samples < 30; });
  REQUIRE(result.ok());
  CHECK(result->samples == 30);
  CHECK(result->loss > 0);
  Trainer<float> whole = MakeTrainer(network, {.batch = 10});
  REQUIRE(whole.Epoch(context, data, 0).ok());
  CHECK_FALSE(SameBits<float>(stopped.network().parameters(), whole.network().parameters()));
}

// ---- Divergence --------------------------------------------------------------------------------------------------

template <typename T>
bool AllFinite(const Mlp<T>& network) {
  return std::ranges::all_of(network.parameters(), [](T x) { return std::isfinite(x); });
}

TEST_CASE_TEMPLATE("a learning rate that is too large ends in kDiverged", T, float, double) {
  struct Case {
    std::vector<LayerShape> layers;
    Loss loss;
  };
  const Case cases[] = {
      {{{8, 10, kRelu}, {10, 5, kIdentity}}, Loss::kSquaredError},
      {{{8, 10, kRelu}, {10, 10, kRelu}, {10, 5, kSoftmax}}, Loss::kSoftmaxCrossEntropy},
      {{{8, 10, kRelu}, {10, 10, kRelu}, {10, 5, kSigmoid}}, Loss::kSigmoidCrossEntropy},
  };
  const Dataset data = Clusters(60);
  ForEachTier([&](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    for (const Case& c : cases) {
      CAPTURE(std::string(Name(c.loss)));
      const TrainerOptions options{
          .loss = c.loss, .learning_rate = sizeof(T) == 4 ? 1e30 : 1e200, .momentum = 0.5, .batch = 20};
      Trainer<T> trainer = MakeTrainer(RandomNetwork<T>(c.layers, 1), options);
      Status status;
      for (std::uint32_t epoch = 0; epoch < 20 && status.ok(); ++epoch) {
        const Result<EpochResult> result = trainer.Epoch(context, data, epoch);
        if (result.ok()) REQUIRE(AllFinite(trainer.network()));
        status = result.status();
      }
      CAPTURE(status.message());
      CHECK(status.code() == StatusCode::kDiverged);
      CHECK(status.message().starts_with("epoch "));
      CHECK(status.message().find("diverged") != std::string::npos);
    }
  });
}

TEST_CASE("a step that meets or makes what is not finite is no success") {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    const Mlp<float> network = RandomNetwork<float>({{2, 3, kSigmoid}, {3, 2, kIdentity}}, 1);
    const TrainerOptions options{.loss = Loss::kSquaredError, .learning_rate = 1e38, .batch = 4};
    Batch<float> batch(4, 2, 2, 2);

    // The loss is finite, the parameters after the step are not.
    for (float& target : batch.targets) target = 1e15F;
    Trainer<float> trainer = MakeTrainer(network, options);
    const Status made = batch.Step(trainer, context).status();
    CHECK(made.code() == StatusCode::kDiverged);
    CHECK(made.message().find("a parameter of layer 0 is not finite") != std::string::npos);

    // The loss is not: nothing was changed.
    for (float& target : batch.targets) target = 1e30F;
    trainer = MakeTrainer(network, options);
    const Status met = batch.Step(trainer, context).status();
    CHECK(met.code() == StatusCode::kDiverged);
    CHECK(met.message().find("the loss is inf") != std::string::npos);
    batch.x[3] = std::numeric_limits<float>::quiet_NaN();
    CHECK(batch.Gradient(trainer, context).status().code() == StatusCode::kDiverged);
    CHECK(batch.Step(trainer, context).status().code() == StatusCode::kDiverged);
    CHECK(SameBits<float>(trainer.network().parameters(), network.parameters()));
  });
}

// Huge but finite parameters, whose sum is not finite, are none of it.
TEST_CASE("large parameters are not taken for divergence") {
  Context context = *Context::Make();
  Mlp<float> network = *Mlp<float>::Create({{2, 2, kIdentity}});
  for (float& w : network.parameters()) w = std::numeric_limits<float>::max();
  network.bias(0)[0] = network.bias(0)[1] = 0;
  const float x[] = {0, 0};
  Trainer<float> trainer = MakeTrainer(network, {.loss = Loss::kSquaredError, .batch = 1});
  const Result<double> loss = trainer.Step(context, {x, 1, 2}, MatrixView<const float>(x, 1, 2));
  REQUIRE_MESSAGE(loss.ok(), loss.status().message());
  CHECK(*loss == 0);
}

// ---- Errors ------------------------------------------------------------------------------------------------------

void CheckInvalid(const Status& status, const std::string& part) {
  CAPTURE(status.message());
  CHECK(status.code() == StatusCode::kInvalidArgument);
  CHECK_MESSAGE(status.message().find(part) != std::string::npos, part);
}

TEST_CASE("Create refuses options out of range, and a loss that does not go with the last activation") {
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Mlp<float> network = RandomNetwork<float>({{2, 2, kSoftmax}}, 1);
  const auto check = [&network](const TrainerOptions& options, const std::string& part) {
    CheckInvalid(Trainer<float>::Create(network, options).status(), part);
  };
  for (const double rate : {0.0, -1.0, inf, nan, 1e-60, 1e60}) check({.learning_rate = rate}, "learning rate");
  for (const double momentum : {-0.1, 1.0, nan, 0.99999999999}) check({.momentum = momentum}, "momentum");
  for (const std::ptrdiff_t batch : {0, -1}) check({.batch = batch}, "batch size");
  for (const double scale : {inf, nan, -1e60}) check({.input_scale = scale}, "input scale");
  check({.batch = PTRDIFF_MAX}, "does not fit");
  check({.loss = Loss::kSigmoidCrossEntropy}, "needs sigmoid as the last layer's activation; it is softmax");
  CHECK(Trainer<float>::Create(network, {.loss = Loss::kSquaredError}).ok());
  CHECK(Trainer<double>::Create(RandomNetwork<double>({{2, 2, kSoftmax}}, 1), {.learning_rate = 1e60}).ok());
  CheckInvalid(Trainer<float>::Create(RandomNetwork<float>({{2, 2, kLogSoftmax}}, 1), {}).status(), "needs softmax");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which end the program
  CHECK(Trainer<float>::Create(network, {.batch = PTRDIFF_MAX / 16}).status().code() == StatusCode::kOutOfMemory);
#endif
}

TEST_CASE("the learning rate can change between steps") {
  Context context = *Context::Make();
  const Mlp<float> network = RandomNetwork<float>({{3, 2, kIdentity}}, 1);
  const Batch<float> batch(4, 3, 2, 1);
  TrainerOptions options{.loss = Loss::kSquaredError, .learning_rate = 0.5, .batch = 4};
  Trainer<float> fixed = MakeTrainer(network, options);
  options.learning_rate = 0.25;
  Trainer<float> changed = MakeTrainer(network, options);
  for (const double bad : {0.0, -1.0, 1e60, std::numeric_limits<double>::quiet_NaN()}) {
    CheckInvalid(changed.set_learning_rate(bad), "learning rate");
    CHECK(changed.options().learning_rate == 0.25);
  }
  REQUIRE(changed.set_learning_rate(0.5).ok());
  REQUIRE(batch.Step(fixed, context).ok());
  REQUIRE(batch.Step(changed, context).ok());
  CHECK(SameBits<float>(fixed.network().parameters(), changed.network().parameters()));
}

TEST_CASE("Step and Gradient refuse a batch that does not fit, and change nothing") {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    const Batch<float> batch(4, 3, 2, 1);
    const MatrixView<const float> x = batch.X();
    const MatrixView<const float> t = batch.Targets();

    const Mlp<float> classes = RandomNetwork<float>({{3, 2, kSoftmax}}, 1);
    Trainer<float> by_label = MakeTrainer(classes, {.batch = 4});
    const auto with_labels = [&](MatrixView<const float> view, const std::vector<std::int32_t>& labels,
                                 const std::string& part) {
      CheckInvalid(by_label.Step(context, view, labels).status(), part);
      CheckInvalid(by_label.Gradient(context, view, labels).status(), part);
    };
    with_labels(x, {0, 1, 0}, "3 labels for 4 rows");
    with_labels(x, {0, 1, 0, 2}, "label 2");
    with_labels(x, {0, -1, 0, 1}, "label -1");
    with_labels(x.Columns(0, 2), batch.labels, "x has 2 columns, the network takes 3");
    with_labels({nullptr, 4, 3}, batch.labels, "null");
    with_labels(x.Rows(0, 0), {}, "x has 0 rows");
    with_labels({x.data, 5, 3, 0}, {0, 0, 0, 0, 0}, "a step takes 1 to 4");
    CheckInvalid(by_label.Step(context, x, t).status(), "takes labels");
    CHECK(SameBits<float>(by_label.network().parameters(), classes.parameters()));

    const Mlp<float> probabilities = RandomNetwork<float>({{3, 2, kSigmoid}}, 1);
    Trainer<float> by_target = MakeTrainer(probabilities, {.loss = Loss::kSigmoidCrossEntropy, .batch = 4});
    const auto with_targets = [&](MatrixView<const float> view, MatrixView<const float> targets,
                                  const std::string& part) {
      CheckInvalid(by_target.Step(context, view, targets).status(), part);
      CheckInvalid(by_target.Gradient(context, view, targets).status(), part);
    };
    with_targets(x, t.Rows(0, 3), "targets are 3 x 2; need 4 x 2");
    with_targets(x, t.Columns(0, 1), "targets are 4 x 1");
    with_targets(x, {nullptr, 4, 2}, "targets: is 4 x 2 but its data pointer is null");
    with_targets(x, {t.data, 4, 2, PTRDIFF_MAX}, "does not fit");
    for (const float bad : {-0.1F, 1.1F, std::numeric_limits<float>::quiet_NaN()}) {
      std::vector<float> targets = batch.targets;
      targets[5] = bad;
      with_targets(x, {targets.data(), 4, 2}, "of sample 2 is not in [0, 1]");
    }
    CheckInvalid(by_target.Step(context, x, batch.labels).status(), "takes targets, not labels");
    CHECK(SameBits<float>(by_target.network().parameters(), probabilities.parameters()));
  });
}

TEST_CASE("A step refuses inputs that lie in the gradient, which it writes") {
  Context context = *Context::Make();
  Trainer<float> trainer = MakeTrainer(RandomNetwork<float>({{3, 2, kSoftmax}}, 1), {.batch = 4});
  const Batch<float> batch(4, 3, 2, 1);
  const Result<std::span<const float>> gradient = batch.Gradient(trainer, context);
  REQUIRE(gradient.ok());
  const std::vector<float> before(gradient->begin(), gradient->end());
  CheckInvalid(trainer.Step(context, {gradient->data(), 2, 3}, std::vector<std::int32_t>{0, 1}).status(),
               "x overlaps the gradient");
  CheckInvalid(trainer.Gradient(context, {gradient->data() + 7, 2, 3, 0}, std::vector<std::int32_t>{0, 1}).status(),
               "x overlaps the gradient");
  CHECK(SameBits<float>(*gradient, before));
}

TEST_CASE("Epoch refuses a data set that does not fit") {
  Context context = *Context::Make();
  const auto check = [&context](std::vector<LayerShape> layers, Loss loss, const Dataset& data,
                                const std::string& part) {
    const Mlp<float> network = RandomNetwork<float>(std::move(layers), 1);
    Trainer<float> trainer = MakeTrainer(network, {.loss = loss});
    CheckInvalid(trainer.Epoch(context, data, 0).status(), part);
    CHECK(SameBits<float>(trainer.network().parameters(), network.parameters()));
  };
  const Dataset labelled{.samples = 2, .features = 1, .values = {1, 2}, .labels = {0, 2}, .classes = 3};
  const Dataset targets{.samples = 2, .features = 1, .values = {1, 2}, .targets = {0.5, 1.5}, .target_count = 1};
  check({{2, 3, kSoftmax}}, Loss::kSoftmaxCrossEntropy, labelled, "1 features per sample, the network takes 2");
  check({{1, 2, kSoftmax}}, Loss::kSoftmaxCrossEntropy, labelled, "3 classes, the network 2 outputs");
  check({{1, 1, kSoftmax}}, Loss::kSoftmaxCrossEntropy, targets, "needs labels");
  check({{1, 2, kIdentity}}, Loss::kSquaredError, targets, "1 targets per sample, the network 2 outputs");
  check({{1, 1, kSigmoid}}, Loss::kSigmoidCrossEntropy, targets, "target 1.5 of sample 1 is not in [0, 1]");
  Dataset two = labelled;
  two.labels = {0, 1};
  two.classes = 2;
  check({{1, 1, kSoftmax}}, Loss::kSoftmaxCrossEntropy, two, "an output for each class");
  two.labels = {0};
  check({{1, 2, kSoftmax}}, Loss::kSoftmaxCrossEntropy, two, "1 labels for 2 samples");
}

TEST_CASE("names of losses") {
  for (const Loss loss : {Loss::kSoftmaxCrossEntropy, Loss::kSigmoidCrossEntropy, Loss::kSquaredError}) {
    CHECK(LossFromName(Name(loss)) == loss);
  }
  CHECK(Name(Loss::kSquaredError) == "squared-error");
  CHECK_FALSE(LossFromName("hinge").has_value());
}

}  // namespace
}  // namespace lanewise::test
