// SPDX-License-Identifier: Apache-2.0
//
// Models as files: what is written, that it comes back bit by bit, and that nothing else is taken for a model.

#include "lanewise/model_file.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "format.h"
#include "network.h"
#include "safetensors.h"
#include "temporary_folder.h"

namespace lanewise::test {
namespace {

using enum Activation;

void CheckFails(const Status& status, StatusCode code, const std::string& part) {
  CAPTURE(status.message());
  CHECK(status.code() == code);
  CHECK_MESSAGE(status.message().find(part) != std::string::npos, part);
}

template <typename T>
Model<T> SmallModel() {
  return {.network = RandomNetwork<T>({{3, 4, kRelu}, {4, 2, kSoftmax}}, 1),
          .input_scale = 1.0 / 255,
          .class_names = {"T-shirt \"S\"", "Schuh, groß\n"},
          .recipe = {{"seed", "1"}, {"layers", "3,4,2"}}};
}

template <typename T>
void CheckEqual(const Model<T>& read, const Model<T>& written) {
  CHECK(read.network.layers() == written.network.layers());
  CHECK(SameBits<T>(read.network.parameters(), written.network.parameters()));
  CHECK(SameBits(read.input_scale, written.input_scale));
  CHECK(read.class_names == written.class_names);
  CHECK(read.recipe == written.recipe);
}

TEST_CASE_TEMPLATE("a model comes back bit by bit, and equal models give equal files", T, float, double) {
  using Limits = std::numeric_limits<T>;
  const TemporaryFolder folder;
  Model<T> model = SmallModel<T>();
  const T specials[] = {-T{0}, Limits::denorm_min(), -Limits::min(), Limits::max(), -Limits::max(), T{0.1F}};
  std::ranges::copy(specials, model.network.parameters().begin());
  REQUIRE(SaveModel(folder / "a", model).ok());
  const Result<Model<T>> read = LoadModel<T>(folder / "a");
  REQUIRE_MESSAGE(read.ok(), read.status().message());
  CheckEqual(*read, model);
  REQUIRE(SaveModel(folder / "b", *read).ok());
  CHECK(ReadBytes(folder / "a") == ReadBytes(folder / "b"));
  CHECK(folder.CountFiles() == 2);

  // A file in the way is replaced.
  model.network.Initialise(2);
  REQUIRE(SaveModel(folder / "a", model).ok());
  CheckEqual(*LoadModel<T>(folder / "a"), model);
  CHECK(ReadBytes(folder / "a") != ReadBytes(folder / "b"));
}

TEST_CASE("every activation and number of outputs comes back") {
  const TemporaryFolder folder;
  const std::vector<std::vector<LayerShape>> networks = {
      {{1, 1, kIdentity}},
      {{2, 3, kIdentity},
       {3, 4, kSigmoid},
       {4, 5, kTanh},
       {5, 6, kSoftmax},
       {6, 7, kLogSoftmax},
       {7, 9, kLeakyRelu},
       {9, 300, kRelu}},
      std::vector<LayerShape>(1000, {1, 1, kTanh}),
  };
  for (const std::vector<LayerShape>& layers : networks) {
    const Model<float> model{.network = RandomNetwork<float>(layers, 1)};
    REQUIRE(SaveModel(folder / "m", model).ok());
    const Result<Model<float>> read = LoadModel<float>(folder / "m");
    REQUIRE_MESSAGE(read.ok(), read.status().message());
    CheckEqual(*read, model);
  }
}

TEST_CASE("input scales come back exactly, whatever they are") {
  using Limits = std::numeric_limits<double>;
  const TemporaryFolder folder;
  Model<float> model{.network = RandomNetwork<float>({{1, 1, kRelu}}, 1)};
  for (const double scale : {1.0, 1.0 / 255, -0.1, 0.0, -0.0, 3.0, 1e-300, Limits::denorm_min(), -Limits::max()}) {
    CAPTURE(scale);
    model.input_scale = scale;
    REQUIRE(SaveModel(folder / "m", model).ok());
    const Result<Model<float>> read = LoadModel<float>(folder / "m");
    REQUIRE_MESSAGE(read.ok(), read.status().message());
    CHECK(SameBits(read->input_scale, scale));
  }
}

// ---- The file's contents -----------------------------------------------------------------------------------------

SafetensorsFile Contents(const std::string& path) {
  Result<SafetensorsFile> file = ReadSafetensors(path);
  REQUIRE_MESSAGE(file.ok(), file.status().message());
  return *std::move(file);
}

TEST_CASE("tensors are named and laid out as nn.Sequential has them") {
  const TemporaryFolder folder;
  const Model<double> model{.network = RandomNetwork<double>({{2, 3, kTanh}, {3, 4, kIdentity}, {4, 1, kSigmoid}}, 1),
                            .input_scale = 0.375,
                            .class_names = {"no", "yes"},
                            .recipe = {{"a", "b"}}};
  REQUIRE(SaveModel(folder / "m", model).ok());
  const SafetensorsFile file = Contents(folder / "m");
  CHECK(file.metadata == std::map<std::string, std::string>{
                             {"lanewise.activations", "tanh,identity,sigmoid"},
                             {"lanewise.class_names", R"(["no","yes"])"},
                             {"lanewise.input_scale", "0x1.8p-2"},
                             {"lanewise.numerics_revision", "1"},
                             {"lanewise.recipe", R"({"a":"b"})"},
                         });
  // Linear, Tanh, Linear, Linear, Sigmoid: the linear modules are 0, 2 and 3.
  const char* names[] = {"layers.0.weight", "layers.0.bias",   "layers.2.weight",
                         "layers.2.bias",   "layers.3.weight", "layers.3.bias"};
  REQUIRE(file.tensors.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) CHECK(file.tensors[i].name == names[i]);
  for (std::size_t l = 0; l < 3; ++l) {
    const MatrixView<const double> w = model.network.weights(l);
    CHECK(file.tensors[2 * l].shape == std::vector<std::ptrdiff_t>{w.cols, w.rows});
    CHECK(file.tensors[2 * l + 1].shape == std::vector<std::ptrdiff_t>{w.cols});
    const auto& values = std::get<std::vector<double>>(file.tensors[2 * l].values);
    for (std::ptrdiff_t out = 0; out < w.cols; ++out) {
      for (std::ptrdiff_t in = 0; in < w.rows; ++in) {
        CHECK(values[static_cast<std::size_t>(out * w.rows + in)] == w(in, out));
      }
    }
  }
}

TEST_CASE("what is not known is not written") {
  const TemporaryFolder folder;
  REQUIRE(SaveModel(folder / "m", Model<float>{.network = RandomNetwork<float>({{1, 1, kRelu}}, 1)}).ok());
  const SafetensorsFile file = Contents(folder / "m");
  CHECK(file.metadata == std::map<std::string, std::string>{{"lanewise.activations", "relu"},
                                                            {"lanewise.input_scale", "0x1p+0"},
                                                            {"lanewise.numerics_revision", "1"}});
}

// A file as another program writes it, with nothing but the activations.
TEST_CASE("the activations alone make tensors a model; F32 loads as double") {
  const TemporaryFolder folder;
  SafetensorsFile file;
  file.metadata["lanewise.activations"] = "identity";
  file.metadata["format"] = "pt";
  file.tensors = {{"layers.0.bias", {2}, std::vector<float>{5, 6}},
                  {"layers.0.weight", {2, 2}, std::vector<float>{1, 2, 3, 0.1F}}};
  REQUIRE(WriteSafetensors(folder / "m", file).ok());
  const Result<Model<float>> as_float = LoadModel<float>(folder / "m");
  REQUIRE(as_float.ok());
  CHECK(as_float->input_scale == 1);
  CHECK(as_float->network.weights(0)(0, 1) == 3);
  const Result<Model<double>> as_double = LoadModel<double>(folder / "m");
  REQUIRE(as_double.ok());
  const double expected[] = {1, 3, 2, static_cast<double>(0.1F), 5, 6};
  CHECK(SameBits<double>(as_double->network.parameters(), expected));
}

// ---- Errors ------------------------------------------------------------------------------------------------------

TEST_CASE("SaveModel refuses what LoadModel would not take, and leaves what is there") {
  const TemporaryFolder folder;
  const std::string path = folder.Write("m", "before");
  const auto refuses = [&](const Model<float>& model, const std::string& part) {
    CheckFails(SaveModel(path, model), StatusCode::kInvalidArgument, part);
  };
  Model<float> model = SmallModel<float>();
  model.class_names = {"one"};
  refuses(model, "1 class names for 2 outputs");
  model = SmallModel<float>();
  model.class_names[1] = "\xFF";
  refuses(model, "not UTF-8");
  model = SmallModel<float>();
  model.recipe["key"] = "\xFF";
  refuses(model, "not UTF-8");
  model = SmallModel<float>();
  for (int i = 0; i < 1000; ++i) model.recipe[std::to_string(i)] = "";
  refuses(model, "the recipe has 1002 entries; at most 1000 are allowed");
  model = SmallModel<float>();
  model.input_scale = std::numeric_limits<double>::infinity();
  refuses(model, "input scale inf");
  model = SmallModel<float>();
  model.network.bias(1)[1] = std::numeric_limits<float>::quiet_NaN();
  refuses(model, "a parameter of layer 1 is not finite");
  CHECK(ReadBytes(path) == "before");
  CHECK(folder.CountFiles() == 1);
}

TEST_CASE("where nothing can be written or read, the system's reason is named") {
  const TemporaryFolder folder;
  const std::string nowhere = folder / "missing/m";
  const Status saved = SaveModel(nowhere, SmallModel<float>());
  CheckFails(saved, StatusCode::kIoError, "No such file or directory");
  CheckFails(saved, StatusCode::kIoError, nowhere);
  CheckFails(SaveModel(folder.path(), SmallModel<float>()), StatusCode::kIoError, folder.path());
  CheckFails(SaveModel(folder.Write("file", "") + "/m", SmallModel<float>()), StatusCode::kIoError, "Not a directory");
  CHECK(folder.CountFiles() == 1);
  CheckFails(LoadModel<float>(nowhere).status(), StatusCode::kIoError, "No such file or directory");
  CheckFails(LoadModel<float>(folder.path()).status(), StatusCode::kIoError, folder.path());
}

TEST_CASE("a model cut off anywhere is a bad file") {
  const TemporaryFolder folder;
  REQUIRE(SaveModel(folder / "m", SmallModel<float>()).ok());
  const std::string bytes = ReadBytes(folder / "m");
  const std::string_view whole = bytes;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    const std::string path = folder.Write("cut", whole.substr(0, size));
    const Status status = LoadModel<float>(path).status();
    REQUIRE(status.code() == StatusCode::kBadFile);
    REQUIRE(status.message().find(path) != std::string::npos);
  }
  CheckFails(LoadModel<float>(folder.Write("longer", bytes + "x")).status(), StatusCode::kBadFile, "goes on after");
}

TEST_CASE("a model with any byte changed is a model or a bad file") {
  const TemporaryFolder folder;
  REQUIRE(SaveModel(folder / "m", SmallModel<double>()).ok());
  const std::string bytes = ReadBytes(folder / "m");
  int refused = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int change : {0x01, 0x10, 0x80, 0xFF}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ change);
      const Result<Model<double>> model = LoadModel<double>(folder.Write("changed", changed));
      REQUIRE((model.ok() || model.status().code() == StatusCode::kBadFile));
      refused += !model.ok();
      if (model.ok()) REQUIRE(model->network.IsFinite(0));
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("LoadModel refuses what is no model, and names the rule") {
  const TemporaryFolder folder;
  REQUIRE(SaveModel(folder / "m", SmallModel<float>()).ok());
  const SafetensorsFile good = Contents(folder / "m");
  SafetensorsFile file;
  const auto refuses = [&](const std::string& part) {
    REQUIRE(WriteSafetensors(folder / "bad", file).ok());
    const Status status = LoadModel<float>(folder / "bad").status();
    CheckFails(status, StatusCode::kBadFile, part);
    CheckFails(status, StatusCode::kBadFile, folder / "bad");
    CHECK(LoadModel<double>(folder / "bad").status().message() == status.message());
    file = good;
  };
  const auto refuses_metadata = [&](const char* key, const std::string& value, const std::string& part) {
    file.metadata[std::string("lanewise.") + key] = value;
    refuses(part);
  };
  const auto byte_of = [&](const std::string& text) { return ReadBytes(folder / "m").find(text); };

  file = good;
  file.metadata.erase("lanewise.activations");
  refuses("lanewise.activations is missing; add it");
  refuses_metadata("activations", "relu,swish", "unknown activation 'swish'; valid: identity relu");
  refuses_metadata("activations", "", "unknown activation ''");
  refuses_metadata("activations", "relu,softmax,", "unknown activation ''");
  refuses_metadata("activations", "relu, softmax", "unknown activation ' softmax'");
  refuses_metadata("activations", "relu", "has 4 tensors; 1 layers have 2");
  refuses_metadata("activations", "identity,softmax", "tensor layers.1.weight is missing");
  refuses_metadata("activations", "relu,softmax,relu", "tensor layers.4.weight is missing");

  file.tensors.push_back({"layers.4.weight", {1, 1}, std::vector<float>{1}});
  refuses("has 5 tensors; 2 layers have 4");
  file.tensors.erase(file.tensors.begin() + 1);
  refuses("tensor layers.0.bias is missing");
  file.tensors[0].shape = {3, 4};
  refuses(Format(": byte {}: layers.0.weight must be", byte_of("\"layers.0.weight\"") + 18));
  file.tensors[0].shape = {3, 4};
  refuses("layers.0.weight must be [outputs, inputs] and layers.0.bias [outputs]");
  file.tensors[0].shape = {12};
  refuses("layers.0.weight must be [outputs, inputs]");
  file.tensors[0].shape = {4, 3, 1};
  refuses("layers.0.weight must be [outputs, inputs]");
  file.tensors[1].shape = {4, 1};
  refuses("layers.0.bias [outputs]");
  file.tensors[2] = {"layers.2.weight", {2, 3}, std::vector<float>(6)};
  refuses("layer 1 takes 3 inputs, but layer 0 gives 4 outputs");
  file.tensors[0] = {"layers.0.weight", {4, 0}, std::vector<float>()};
  refuses("layer 0 is 0 x 4");
  for (const float value : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    // The last of the file's elements.
    std::get<std::vector<float>>(file.tensors[3].values)[1] = value;
    REQUIRE(WriteSafetensors(folder / "bad", file).ok());
    const std::size_t place = ReadBytes(folder / "bad").size() - sizeof(float);
    refuses(Format(": byte {}: tensor 'layers.2.bias' holds a value that is not finite", place));
  }

  for (const char* scale : {"", "1", "0x", "-0x", "0x-1p+0", "0x1p", "0x1p+0 ", "--0x1p+0", "0xinf", "0xnan", "nan",
                            "0x1p+2000", "0x1,8p+0", "0X1p+0"}) {
    refuses_metadata("input_scale", scale, "is not a finite number as C's %a prints it");
  }
  refuses_metadata("class_names", R"(["a"])", "has 1 names for 2 outputs");
  refuses_metadata(
      "class_names", "[]x",
      Format(": byte {}: metadata lanewise.class_names: is not a JSON array", byte_of("lanewise.class_names") + 20));
  refuses_metadata("class_names", R"(["a","b","c"])", "has 3 strings; at most 2 fit");
  for (const std::string& names :
       {std::string("a,b"), std::string(R"({"a":"b"})"), std::string(R"(["a",1])"), std::string(R"(["a",["b"]])"),
        std::string(R"(["a","b")"), std::string(), std::string(1'000'000, '[')}) {
    refuses_metadata("class_names", names, "lanewise.class_names: is not a JSON array of strings");
  }
  for (const char* recipe : {"", "[]", R"({"a":1})", R"({"a":{"b":"c"}})", R"({"a":"b"}x)"}) {
    refuses_metadata("recipe", recipe, "lanewise.recipe: is not a JSON object of strings");
  }
  std::string entries = R"({"1000":"")";
  for (int i = 0; i < 1000; ++i) entries += Format(R"(,"{}":"")", i);
  refuses_metadata("recipe", entries + "}", "lanewise.recipe: has 1001 strings; at most 1000 fit");
}

TEST_CASE("a model of doubles is not loaded as float") {
  const TemporaryFolder folder;
  REQUIRE(SaveModel(folder / "m", SmallModel<double>()).ok());
  CheckFails(LoadModel<float>(folder / "m").status(), StatusCode::kBadFile, "F64; this model must be loaded as double");
}

}  // namespace
}  // namespace lanewise::test
