// SPDX-License-Identifier: Apache-2.0
//
// Networks and their predictions, by bytes against a naive forward pass, on every tier.

#include "lanewise/mlp.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "guarded.h"
#include "network.h"
#include "tiers.h"

namespace lanewise::test {
namespace {

using enum Activation;

template <typename T>
PackedMlp<T> Packed(const Context& context, const Mlp<T>& network) {
  Result<PackedMlp<T>> packed = PackedMlp<T>::Pack(context.kernels(), network);
  REQUIRE_MESSAGE(packed.ok(), packed.status().message());
  return *std::move(packed);
}

template <typename T>
std::vector<T> Predicted(Context& context, const PackedMlp<T>& network, MatrixView<const T> x) {
  std::vector<T> y(static_cast<std::size_t>(x.rows * network.outputs()));
  const Status status = network.Predict(context, x, {y.data(), x.rows, network.outputs()});
  REQUIRE_MESSAGE(status.ok(), status.message());
  return y;
}

// Layers with every number of chains, K below and above one chunk, every activation between layers and as the last.
const std::vector<std::vector<LayerShape>> kNetworks = {
    {{1, 1, kIdentity}},
    {{7, 5, kRelu}},
    {{9, 17, kRelu}, {17, 1, kIdentity}},
    {{784, 30, kSigmoid}, {30, 10, kSoftmax}},
    {{300, 33, kTanh}, {33, 16, kRelu}, {16, 2, kLogSoftmax}},
    {{600, 1, kSigmoid}, {1, 3, kTanh}},
    {{5, 40, kSoftmax}, {40, 40, kLogSoftmax}, {40, 3, kIdentity}, {3, 1, kSigmoid}},
};

TEST_CASE_TEMPLATE("Predict equals a naive forward pass, whatever the strides", T, float, double) {
  ForEachTier([](Tier tier, const kernels::KernelTable& table) {
    Context context(KernelsOf(tier));
    for (std::size_t n = 0; n < kNetworks.size(); ++n) {
      CAPTURE(n);
      const Mlp<T> network = RandomNetwork<T>(kNetworks[n], n);
      const PackedMlp<T> packed = Packed(context, network);
      CHECK(packed.layers() == network.layers());
      for (const std::ptrdiff_t rows : {0, 1, 2, 33, 70}) {
        CAPTURE(rows);
        const std::ptrdiff_t in = network.inputs();
        const std::ptrdiff_t out = network.outputs();
        const std::vector<T> values = RandomValues<T>(rows * (in + 2), 1);
        const MatrixView<const T> x(values.data(), rows, in, in + 2);
        const std::vector<T> expected = NaiveForward(tier, table, network, x).back();
        CHECK(SameBits<T>(Predicted(context, packed, x), expected));

        // Into every second row of a larger matrix, whose other elements stay as they are.
        GuardedArray<T> spread(static_cast<std::size_t>(rows == 0 ? 0 : (2 * rows - 1) * out));
        for (T& y : spread) y = 42;
        REQUIRE(packed.Predict(context, x, {spread.data(), rows, out, 2 * out}).ok());
        for (std::ptrdiff_t i = 0; i < std::ssize(spread); ++i) {
          const std::ptrdiff_t row = i / out;
          const T wanted = row % 2 == 1 ? 42 : expected[static_cast<std::size_t>(row / 2 * out + i % out)];
          REQUIRE(SameBits(spread[static_cast<std::size_t>(i)], wanted));
        }
        CHECK(spread.SurroundingsIntact());
      }
    }
  });
}

TEST_CASE_TEMPLATE("a row's answer does not depend on batch, place, blocks or threads", T, float, double) {
  constexpr std::ptrdiff_t kRows = 1000;
  const Mlp<T> network = RandomNetwork<T>({{40, 70, kTanh}, {70, 20, kRelu}, {20, 10, kSoftmax}}, 3);
  const std::vector<T> values = RandomValues<T>(kRows * 40, 4);
  const MatrixView<const T> x(values.data(), kRows, 40);
  ForEachTier([&](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    const PackedMlp<T> packed = Packed(context, network);
    const std::vector<T> all = Predicted(context, packed, x);
    for (std::ptrdiff_t i = 0; i < kRows; ++i) {
      const std::vector<T> alone = Predicted(context, packed, x.Rows(i, 1));
      REQUIRE(SameBits<T>(alone, std::span(all).subspan(static_cast<std::size_t>(i * 10), 10)));
    }
    CHECK(SameBits<T>(Predicted(context, packed, x.Rows(123, 457)), std::span(all).subspan(1230, 4570)));

    Machine small = context.machine();
    small.l2 = 1024;  // blocks of 32 rows
    context.set_machine(small);
    CHECK(SameBits<T>(Predicted(context, packed, x), all));

    for (const int threads : {2, 3}) {
      ThreadPool pool(threads);
      Context threaded = ContextOn(tier, pool);
      CHECK(SameBits<T>(Predicted(threaded, packed, x), all));
    }
  });
}

TEST_CASE_TEMPLATE("tiers of a numeric class predict the same bits", T, float, double) {
  const Mlp<T> network = RandomNetwork<T>(kNetworks[4], 5);
  const std::vector<T> x = RandomValues<T>(50 * 300, 6);
  std::vector<T> of_class[2];
  ForEachTier([&](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    const std::vector<T> y = Predicted(context, Packed(context, network), {x.data(), 50, 300});
    std::vector<T>& first = of_class[ClassOf(tier) == NumericClass::kFma];
    if (first.empty()) first = y;
    CHECK(SameBits<T>(first, y));
  });
}

Dataset Bytes(std::ptrdiff_t samples, std::ptrdiff_t features) {
  Dataset data{.samples = samples, .features = features};
  Random random(7, Stream::kUser);
  for (std::ptrdiff_t i = 0; i < samples * features; ++i) {
    data.bytes.push_back(static_cast<std::uint8_t>(random.Below(256)));
  }
  return data;
}

TEST_CASE_TEMPLATE("Predict on a data set scales bytes and values as it reads them", T, float, double) {
  constexpr std::ptrdiff_t kSamples = 1500;
  const Mlp<T> network = RandomNetwork<T>({{50, 20, kSigmoid}, {20, 30, kTanh}, {30, 3, kSoftmax}}, 8);
  const T scale = T{1} / T{255};
  const Dataset bytes = Bytes(kSamples, 50);
  const Dataset values{.samples = kSamples, .features = 50, .values = RandomValues<float>(kSamples * 50, 9)};
  for (const Dataset* data : {&bytes, &values}) {
    std::vector<T> x;
    for (const std::uint8_t byte : data->bytes) x.push_back(static_cast<T>(byte) * scale);
    for (const float value : data->values) x.push_back(static_cast<T>(value) * scale);
    ForEachTier([&](Tier tier, const kernels::KernelTable& table) {
      const std::vector<T> expected = NaiveForward<T>(tier, table, network, {x.data(), kSamples, 50}).back();
      const auto check = [&](Context context) {
        const PackedMlp<T> packed = Packed(context, network);
        for (const auto& [first, rows] : {std::pair(0, 1500), {0, 1}, {1499, 1}, {17, 1300}, {1500, 0}}) {
          std::vector<T> y(static_cast<std::size_t>(rows * 3));
          REQUIRE(packed.Predict(context, *data, first, scale, {y.data(), rows, 3}).ok());
          CHECK(SameBits<T>(y, std::span(expected).subspan(static_cast<std::size_t>(first * 3), y.size())));
        }
      };
      check(Context(KernelsOf(tier)));
      ThreadPool pool(2);
      check(ContextOn(tier, pool));
    });
  }
}

TEST_CASE("Initialise draws what the header says") {
  Mlp<float> network = *Mlp<float>::Create({{30, 20, kRelu}, {20, 5, kSoftmax}});
  CHECK(network.parameters().size() == 30 * 20 + 20 + 20 * 5 + 5);
  for (const float x : network.parameters()) REQUIRE(x == 0);
  network.Initialise(11);
  const double ranges[] = {std::sqrt(6.0 / 30), std::sqrt(6.0 / 25)};
  for (std::size_t l = 0; l < 2; ++l) {
    Random random(11, Stream::kInitialise, static_cast<std::uint32_t>(l));
    const MatrixView<const float> w = std::as_const(network).weights(l);
    double largest = 0;
    for (std::ptrdiff_t i = 0; i < w.rows; ++i) {
      for (std::ptrdiff_t j = 0; j < w.cols; ++j) {
        REQUIRE(w(i, j) == static_cast<float>((2 * random.UniformDouble() - 1) * ranges[l]));
        largest = std::max(largest, std::fabs(static_cast<double>(w(i, j))));
      }
    }
    CHECK(largest > 0.9 * ranges[l]);
    for (const float b : network.bias(l)) CHECK(b == 0);
  }
  const std::vector<float> first(network.parameters().begin(), network.parameters().end());
  network.Initialise(12);
  CHECK_FALSE(SameBits<float>(network.parameters(), first));
}

// ---- Evaluate ----------------------------------------------------------------------------------------------------

// A network that answers with its inputs.
template <typename T>
PackedMlp<T> Echo(const Context& context, std::ptrdiff_t outputs) {
  Mlp<T> network = *Mlp<T>::Create({{outputs, outputs, kIdentity}});
  for (std::ptrdiff_t i = 0; i < outputs; ++i) network.weights(0)(i, i) = 1;
  return Packed(context, network);
}

TEST_CASE_TEMPLATE("Evaluate counts classes and averages errors", T, float, double) {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    {
      INFO("several outputs: the first of the largest");
      Dataset data{.samples = 4, .features = 3, .labels = {0, 1, 2, 1}, .classes = 3};
      data.values = {1, 0, 0, 0.5, 0.5, 0, 0, 0, 2, 0, 0, 0.25F};
      const Result<Evaluation> e = Evaluate<T>(context, Echo<T>(context, 3), data, 1);
      REQUIRE(e.ok());
      CHECK(e->samples == 4);
      CHECK(e->correct == 2);
      CHECK(e->accuracy == 0.5);
      CHECK(e->classes == 3);
      CHECK(e->confusion == std::vector<std::int64_t>{1, 0, 0, 1, 0, 1, 0, 0, 1});
      CHECK(e->squared_error == (0 + 0.5 + 1 + 1.0625) / 12);
    }
    {
      INFO("one output: at least one half");
      Dataset data{.samples = 4, .features = 1, .values = {1, 2, 3, -1}, .labels = {0, 1, 0, 0}, .classes = 2};
      const Result<Evaluation> e = Evaluate<T>(context, Echo<T>(context, 1), data, T{0.25});
      REQUIRE(e.ok());
      CHECK(e->confusion == std::vector<std::int64_t>{2, 1, 0, 1});
      CHECK(e->accuracy == 0.75);
      CHECK(e->squared_error == (0.0625 + 0.25 + 0.5625 + 0.0625) / 4);
    }
    {
      INFO("regression");
      Dataset data{.samples = 2, .features = 2, .bytes = {10, 20, 30, 40}, .targets = {1, 2, 3, 6}, .target_count = 2};
      const Result<Evaluation> e = Evaluate<T>(context, Echo<T>(context, 2), data, T{0.125});
      REQUIRE(e.ok());
      CHECK(e->classes == 0);
      CHECK(e->confusion.empty());
      CHECK(e->correct == 0);
      CHECK(e->squared_error == (0.0625 + 0.25 + 0.5625 + 1) / 4);
    }
    {
      INFO("more samples than a block, fewer classes than outputs");
      Dataset data = Bytes(2500, 4);
      data.classes = 2;
      std::int64_t correct = 0;
      for (std::ptrdiff_t i = 0; i < data.samples; ++i) {
        data.labels.push_back(static_cast<std::int32_t>(i % 2));
        const auto row = data.bytes.begin() + i * 4;
        correct += std::max_element(row, row + 4) - row == i % 2;
      }
      const Result<Evaluation> e = Evaluate<T>(context, Echo<T>(context, 4), data, 1);
      REQUIRE(e.ok());
      CHECK(e->classes == 4);
      CHECK(e->correct == correct);
    }
  });
}

// ---- Errors ------------------------------------------------------------------------------------------------------

void CheckInvalid(const Status& status, const std::string& part) {
  CAPTURE(status.message());
  CHECK(status.code() == StatusCode::kInvalidArgument);
  CHECK_MESSAGE(status.message().find(part) != std::string::npos, part);
}

TEST_CASE("Create refuses what is no network") {
  constexpr std::ptrdiff_t kHuge = std::numeric_limits<std::ptrdiff_t>::max();
  CheckInvalid(Mlp<float>::Create({}).status(), "at least one layer");
  CheckInvalid(Mlp<float>::Create({{0, 3, kRelu}}).status(), "layer 0 is 0 x 3");
  CheckInvalid(Mlp<float>::Create({{3, 2, kRelu}, {2, -1, kRelu}}).status(), "layer 1 is 2 x -1");
  CheckInvalid(Mlp<float>::Create({{3, 2, kRelu}, {3, 1, kRelu}}).status(),
               "layer 1 takes 3 inputs, but layer 0 gives 2 outputs");
  CheckInvalid(Mlp<float>::Create({{kHuge, 2, kRelu}}).status(), "does not fit");
  CheckInvalid(Mlp<double>::Create({{kHuge / 16, 2, kRelu}}).status(), "does not fit");
  CheckInvalid(Mlp<double>::Create({{1, kHuge, kRelu}}).status(), "does not fit");
  const std::ptrdiff_t quarter = kHuge / 4 / 8;
  CheckInvalid(Mlp<double>::Create({{quarter, 1, kRelu}, {1, quarter, kRelu}, {quarter, 2, kRelu}}).status(),
               "layer 2");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which end the program
  CHECK(Mlp<float>::Create({{kHuge / 16, 2, kRelu}}).status().code() == StatusCode::kOutOfMemory);
#endif
}

TEST_CASE("Predict refuses what does not fit, and leaves y alone") {
  ForEachTier([](Tier tier, const kernels::KernelTable&) {
    Context context(KernelsOf(tier));
    const PackedMlp<float> network = Packed(context, RandomNetwork<float>({{4, 5, kRelu}, {5, 3, kSoftmax}}, 1));
    std::vector<float> x = RandomValues<float>(40, 2);
    std::vector<float> y(30, 42.0F);
    const MatrixView<const float> in(x.data(), 10, 4);
    const MatrixView<float> out(y.data(), 10, 3);
    CheckInvalid(network.Predict(context, in.Columns(0, 3), out), "x is 10 x 3");
    CheckInvalid(network.Predict(context, in.Rows(0, 9), out), "shapes do not match");
    CheckInvalid(network.Predict(context, in, out.Columns(0, 2)), "y is 10 x 2");
    CheckInvalid(network.Predict(context, {x.data(), -1, 4}, {y.data(), -1, 3}), "must not be negative");
    CheckInvalid(network.Predict(context, {nullptr, 10, 4}, out), "x: is 10 x 4 but its data pointer is null");
    CheckInvalid(network.Predict(context, in, {nullptr, 10, 3}), "y: is 10 x 3 but its data pointer is null");
    CheckInvalid(network.Predict(context, in, {y.data(), 10, 3, 1, 10}), "y: column stride is 10");
    CheckInvalid(network.Predict(context, in, {y.data(), 10, 3, 2}), "y: row stride 2");
    CheckInvalid(network.Predict(context, in, {x.data(), 10, 3}), "y overlaps x");
    CheckInvalid(network.Predict(context, in, {x.data() + 39, 10, 3}), "y overlaps x");

    Dataset data{.samples = 10, .features = 4, .values = x};
    CheckInvalid(network.Predict(context, data, 1, 1, out), "10 samples from 1 on");
    CheckInvalid(network.Predict(context, data, -1, 1, out), "from -1 on");
    CheckInvalid(network.Predict(context, data, 11, 1, {y.data(), 0, 3}), "0 samples from 11 on");
    CheckInvalid(network.Predict(context, data, PTRDIFF_MAX, 1, out), "the data set has 10");
    CheckInvalid(network.Predict(context, data, 0, 1, {y.data(), -1, 3}), "must not be negative");
    CheckInvalid(network.Predict(context, data, 0, 1, {nullptr, 10, 3}), "null");
    CheckInvalid(network.Predict(context, data, 0, 1, out.Columns(0, 2)), "shapes do not match");
    data.values.pop_back();
    CheckInvalid(network.Predict(context, data, 0, 1, out), "39 inputs for 10 samples");
    data.features = 5;
    CheckInvalid(network.Predict(context, data, 0, 1, out), "has 5 features");
    for (const float value : y) CHECK(value == 42);
  });
}

TEST_CASE("Predict refuses weights that lie as other kernels need them") {
  bool refused = false;
  ForEachTier([&](Tier packed_for, const kernels::KernelTable& packed_table) {
    ForEachTier([&](Tier run_on, const kernels::KernelTable& run_table) {
      Context context(KernelsOf(run_on));
      const auto network = PackedMlp<float>::Pack(KernelsOf(packed_for), RandomNetwork<float>({{4, 40, kRelu}}, 1));
      REQUIRE(network.ok());
      const std::vector<float> x = RandomValues<float>(8, 2);
      std::vector<float> y(80, 42.0F);
      const Status status = network->Predict(context, {x.data(), 2, 4}, {y.data(), 2, 40});
      const bool same = packed_table.gemm_f32->chains1.nr == run_table.gemm_f32->chains1.nr;
      CHECK(status.code() == (same ? StatusCode::kOk : StatusCode::kLayoutMismatch));
      if (same) return;
      refused = true;
      CHECK(status.message().find(Name(packed_for)) != std::string::npos);
      for (const float value : y) CHECK(value == 42);
    });
  });
  WARN_MESSAGE(refused, "all tiers of this CPU have panels of one width");
}

TEST_CASE("Evaluate refuses data that does not go with the network") {
  Context context = *Context::Make();
  const PackedMlp<float> two = Echo<float>(context, 2);
  const Dataset good{.samples = 1, .features = 2, .values = {1, 2}, .labels = {0}, .classes = 2};
  REQUIRE(Evaluate<float>(context, two, good, 1).ok());
  Dataset data = good;
  data.classes = 3;
  CheckInvalid(Evaluate<float>(context, two, data, 1).status(), "3 classes, the network 2 outputs");
  data = good;
  data.labels[0] = 2;
  CheckInvalid(Evaluate<float>(context, two, data, 1).status(), "label 2 of sample 0");
  data = good;
  data.labels.clear();
  data.classes = 0;
  CheckInvalid(Evaluate<float>(context, two, data, 1).status(), "neither labels nor targets");
  data.targets = {1, 2, 3};
  data.target_count = 3;
  CheckInvalid(Evaluate<float>(context, two, data, 1).status(), "3 targets per sample, the network 2 outputs");
  CheckInvalid(Evaluate<float>(context, Echo<float>(context, 3), good, 1).status(), "2 features per sample");
  const Dataset one{.samples = 1, .features = 1, .values = {1}, .labels = {2}, .classes = 3};
  CheckInvalid(Evaluate<float>(context, Echo<float>(context, 1), one, 1).status(), "serves two");
}

}  // namespace
}  // namespace lanewise::test
