// SPDX-License-Identifier: Apache-2.0
//
// Golden cases: that they are stored, come out on every tier, find every change, and that their bounds hold.

#include "lanewise/verify.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "network.h"
#include "safetensors.h"
#include "temporary_folder.h"

namespace lanewise::test {
namespace {

using enum Activation;

const std::vector<LayerShape> kNetworks[] = {
    {{1, 1, kIdentity}},
    {{101, 10, kSigmoid}, {10, 1, kSigmoid}},
    {{784, 30, kRelu}, {30, 10, kSoftmax}},
    {{20, 40, kTanh}, {40, 300, kLogSoftmax}},
    {{600, 70, kIdentity}, {70, 20, kSoftmax}, {20, 3, kTanh}},
};

template <typename T>
Model<T> GoldenModel(Context& context, const std::vector<LayerShape>& layers) {
  Model<T> model{.network = RandomNetwork<T>(layers, 7)};
  const Status status = AddGoldenCases(context, model);
  REQUIRE_MESSAGE(status.ok(), status.message());
  REQUIRE(model.golden.has_value());
  return model;
}

template <typename T>
Verification Verified(Context& context, const Model<T>& model) {
  const Result<Verification> verification = VerifyModel(context, model);
  REQUIRE_MESSAGE(verification.ok(), verification.status().message());
  return *verification;
}

TEST_CASE_TEMPLATE("cases come out bit by bit within their class, and within the bound in the other", T, float,
                   double) {
  const TemporaryFolder folder;
  for (const std::vector<LayerShape>& layers : kNetworks) {
    std::string bytes_of_class[2];
    ForEachTier([&](Tier maker, const kernels::KernelTable& /*table*/) {
      Context context(KernelsOf(maker));
      const Model<T> made = GoldenModel<T>(context, layers);
      const Result<std::string> bytes = ModelBytes(made);
      REQUIRE_MESSAGE(bytes.ok(), bytes.status().message());
      std::string& first = bytes_of_class[ClassOf(maker) == NumericClass::kFma];
      if (first.empty()) first = *bytes;
      CHECK(*bytes == first);
      const Result<Model<T>> model = LoadModel<T>(folder.Write("m", *bytes));
      REQUIRE_MESSAGE(model.ok(), model.status().message());
      ForEachTier([&](Tier tier, const kernels::KernelTable& /*other*/) {
        CAPTURE(Name(maker));
        ThreadPool pool(2);
        Context other = ContextOn(tier, pool);
        const Verification v = Verified(other, *model);
        CHECK(v.ok());
        CHECK(v.exact == (ClassOf(tier) == ClassOf(maker)));
        CHECK(v.cases == 4);
        CHECK(v.outputs == 4 * layers.back().outputs);
        CHECK(v.largest_share <= 1);
        if (v.exact) CHECK(v.other_bits == 0);
      });
    });
  }
}

TEST_CASE("another numerics revision is held to the bound alone") {
  Context context(KernelsOf(Tier::kPortable));
  Model<float> model = GoldenModel<float>(context, kNetworks[2]);
  model.numerics_revision = kNumericsRevision + 1;
  CHECK(!Verified(context, model).exact);
  CHECK(Verified(context, model).ok());
  // One unit in the last place is within it, the double is not.
  float& output = model.golden->outputs[3];
  output = std::nextafter(output, 2.0F);
  CHECK(Verified(context, model).ok());
  output *= 2;
  const Verification v = Verified(context, model);
  CHECK(!v.ok());
  CHECK(v.worst_output == 3);
  CHECK(v.expected == static_cast<double>(output));
  CHECK(std::fabs(v.found - v.expected) > v.bound);
}

TEST_CASE("every change is found") {
  ForEachTier([](Tier tier, const kernels::KernelTable& /*table*/) {
    Context context(KernelsOf(tier));
    const Model<double> model = GoldenModel<double>(context, kNetworks[3]);
    for (const std::size_t place : {std::size_t{0}, std::size_t{299}, std::size_t{300 + 17}}) {
      Model<double> changed = model;
      double& output = changed.golden->outputs[place];
      output = std::nextafter(output, 0.0);
      const Verification v = Verified(context, changed);
      CHECK(!v.ok());
      CHECK(v.other_bits == 1);
      CHECK(v.worst_case == static_cast<std::ptrdiff_t>(place / 300));
      CHECK(v.worst_output == static_cast<std::ptrdiff_t>(place % 300));
      CHECK(v.expected == output);
    }
    Model<double> changed = model;
    changed.golden->outputs[5] = std::numeric_limits<double>::quiet_NaN();
    changed.numerics_revision = kNumericsRevision + 1;
    CHECK(!Verified(context, changed).ok());
    changed = model;
    // A parameter that no output shows.
    changed.network.parameters()[0] = std::nextafter(changed.network.parameters()[0], 0.0);
    CHECK(!Verified(context, changed).weights_ok);
    CHECK(!Verified(context, changed).ok());
    const Status saved = ModelBytes(changed).status();
    CHECK(saved.code() == StatusCode::kInvalidArgument);
    CHECK(saved.message().find("AddGoldenCases makes new ones") != std::string::npos);
  });
}

TEST_CASE("models without cases, and cases that do not fit") {
  Context context(KernelsOf(Tier::kPortable));
  Model<float> model = GoldenModel<float>(context, kNetworks[1]);
  model.golden->inputs.pop_back();
  CHECK(VerifyModel(context, model).status().code() == StatusCode::kInvalidArgument);
  model.golden.reset();
  CHECK(VerifyModel(context, model).status().code() == StatusCode::kInvalidArgument);

  // Outputs that are not finite are no cases.
  Model<float> large{.network = RandomNetwork<float>({{2, 2, kIdentity}, {2, 2, kIdentity}}, 1)};
  for (float& x : large.network.parameters()) x = 3e38F;
  CHECK(AddGoldenCases(context, large).ok());
  CHECK((!large.golden || large.golden->inputs.size() < 8));
  CHECK(ModelBytes(large).ok());

  // Wide networks have fewer.
  Model<float> wide{.network = RandomNetwork<float>({{40'000, 1, kTanh}}, 1)};
  REQUIRE(AddGoldenCases(context, wide).ok());
  CHECK(wide.golden->inputs.size() == 40'000);
}

TEST_CASE("kernels of both classes make no cases, and are held to the bound") {
  const Result<Kernels> mixed =
      SelectKernels(IsCompiled(Tier::kNeon) ? "sigmoid_f32=portable" : "gemm_f32=avx2,sigmoid_f32=sse4");
  if (!mixed.ok()) return;  // a CPU without avx2
  Context context(*mixed);
  Model<float> model{.network = RandomNetwork<float>(kNetworks[1], 7)};
  CHECK(AddGoldenCases(context, model).ok());
  CHECK(!model.golden);
  Context portable(KernelsOf(Tier::kPortable));
  const Verification v = Verified(context, GoldenModel<float>(portable, kNetworks[1]));
  CHECK(!v.numeric_class);
  CHECK(!v.exact);
  CHECK(v.ok());
}

TEST_CASE("floats loaded as double have no golden cases") {
  const TemporaryFolder folder;
  Context context(KernelsOf(Tier::kPortable));
  REQUIRE(SaveModel(folder / "m", GoldenModel<float>(context, kNetworks[1])).ok());
  CHECK(LoadModel<float>(folder / "m")->golden.has_value());
  CHECK(!LoadModel<double>(folder / "m")->golden.has_value());
}

TEST_CASE("golden cases of a file are checked, and errors name the place") {
  const TemporaryFolder folder;
  Context context(KernelsOf(Tier::kPortable));
  const std::vector<LayerShape> layers = {{2, 3, kRelu}, {3, 1, kSigmoid}};
  REQUIRE(SaveModel(folder / "m", GoldenModel<float>(context, layers)).ok());
  const Result<SafetensorsFile> good = ReadSafetensors(folder / "m");
  REQUIRE(good.ok());
  const auto refuses = [&](const std::string& key, const std::string& value, const std::string& rule) {
    SafetensorsFile file = *good;
    file.metadata["lanewise." + key] = value;
    if (value == "(none)") file.metadata.erase("lanewise." + key);
    REQUIRE(WriteSafetensors(folder / "bad", file).ok());
    const Status status = LoadModel<float>(folder / "bad").status();
    CAPTURE(key);
    CAPTURE(value.substr(0, 100));
    CAPTURE(status.message());
    CHECK(status.code() == StatusCode::kBadFile);
    CHECK(status.message().find(folder / "bad") == 0);
    CHECK(status.message().find(rule) != std::string::npos);
    if (value != "(none)") CHECK(status.message().find(": byte ") != std::string::npos);
  };
  for (const char* key : {"golden_class", "golden_inputs", "golden_outputs", "weights_hash"}) {
    refuses(key, "(none)", std::string("metadata lanewise.") + key + " is missing; golden cases have");
  }
  for (const char* name : {"", "FMA", "fma ", "avx2"}) refuses("golden_class", name, "is neither fma nor mul-add");
  for (const char* numbers : {"", " ", "1 2", "0x1p+0 ", " 0x1p+0", "0x1p+0  0x1p+0", "0x1p+0,0x1p+0", "0xinf", "0xnan",
                              "0x1.0000001p+0", "0x1p+128", "0x1p-200"}) {
    refuses("golden_inputs", numbers, "lanewise.golden_inputs: is not a list of finite floats");
    refuses("golden_outputs", numbers, "lanewise.golden_outputs: is not a list of finite floats");
  }
  refuses("golden_inputs", "0x1p+0",
          "1 inputs and 4 outputs are not 1 to 64 cases of a network of 2 inputs and 1 outputs");
  refuses("golden_outputs", "0x1p+0", "8 inputs and 1 outputs are not 1 to 64 cases");
  for (const char* hash : {"", "0", "0123456789ABCDEF", "0123456789abcde", "0123456789abcdef0", "-123456789abcdef",
                           "0x23456789abcdef", "0123456789abcdeg"}) {
    refuses("weights_hash", hash, "is not 16 hexadecimal digits");
  }
}

}  // namespace
}  // namespace lanewise::test
