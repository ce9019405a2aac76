// SPDX-License-Identifier: Apache-2.0
//
// lanewise predict: samples in, a line of CSV for each out; or small pictures with what the model sees in them.

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "any_model.h"
#include "command.h"
#include "compute.h"
#include "data_options.h"
#include "fmt/format.h"
#include "lanewise/data/read.h"
#include "options.h"
#include "output_file.h"
#include "picture.h"

namespace lanewise::cli {
namespace {

struct PredictSettings {
  explicit PredictSettings(CLI::App& command);

  std::string model;
  std::string input;  // "": the built-in digits
  std::string output;
  bool all_outputs = false;
  bool show = false;
  std::ptrdiff_t skip = 0;
  std::optional<std::ptrdiff_t> limit;
};

struct PredictOptions {
  explicit PredictOptions(CLI::App& command)
      : settings(command), columns(command), isa(command), threads(command), json(command) {
    command.get_option("--show")->excludes(command.get_option("--json"));
  }

  PredictSettings settings;
  ColumnOptions columns;
  IsaOption isa;
  ThreadsOption threads;
  JsonOption json;
};

PredictSettings::PredictSettings(CLI::App& command) {
  command.add_option("MODEL", model, "Model file")->required();
  command
      .add_option("--input", input,
                  "CSV or IDX file, IDX folder (its t10k part), or -\nfor standard input; may be gzipped. A CSV has\n"
                  "features alone, but for columns that --label or\n--targets name, which are left out. Without it:\n"
                  "built-in digits")
      ->type_name("PATH");
  command.add_option("--output", output, "File to write; -, the default, is standard output")->type_name("FILE");
  command.add_flag("--proba", all_outputs, "All outputs instead of class and probability");
  command.add_flag("--show", show, "Pictures in the terminal instead of CSV");
  command.add_option("--skip", skip, "Samples to leave out first")
      ->type_name("N")
      ->check(WholeNumber<std::ptrdiff_t>(0));
  command.add_option("--limit", limit, "Samples to predict at most")
      ->type_name("N")
      ->check(WholeNumber<std::ptrdiff_t>(1));
}

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += c;
    quoted += c;
  }
  return quoted + "\"";
}

// What a row of outputs says: a class and its output, which is a probability after softmax and sigmoid.
template <typename T>
struct Answer {
  std::size_t number;
  T value;
};

template <typename T>
Answer<T> BestClass(std::span<const T> outputs) {
  if (outputs.size() == 1) return outputs[0] >= T{0.5} ? Answer<T>{1, outputs[0]} : Answer<T>{0, 1 - outputs[0]};
  const auto best = std::ranges::max_element(outputs);
  return {static_cast<std::size_t>(best - outputs.begin()), *best};
}

std::string ValueName(Activation last) {
  if (last == Activation::kLogSoftmax) return "log-probability";
  return last == Activation::kSoftmax || last == Activation::kSigmoid ? "probability" : "output";
}

template <typename T>
bool GivesClass(const PredictOptions& options, const Model<T>& model) {
  return IsClassifier(model) && !options.settings.all_outputs;
}

template <typename T>
std::string CsvHeader(const PredictOptions& options, const Model<T>& model) {
  if (GivesClass(options, model)) return "class," + ValueName(model.network.layers().back().activation) + "\n";
  const auto outputs = static_cast<std::size_t>(model.network.outputs());
  std::string line;
  for (std::size_t j = 0; j < outputs; ++j) {
    if (j > 0) line += ',';
    // A single output is the one of the second class.
    line += IsClassifier(model) ? CsvField(ClassName(model, outputs == 1 ? 1 : j)) : fmt::format("y{}", j);
  }
  return line + "\n";
}

template <typename T>
std::string CsvLine(const PredictOptions& options, const Model<T>& model, std::span<const T> outputs) {
  if (GivesClass(options, model)) {
    const Answer<T> answer = BestClass(outputs);
    return fmt::format("{},{}\n", CsvField(ClassName(model, answer.number)), answer.value);
  }
  std::string line;
  for (std::size_t j = 0; j < outputs.size(); ++j) line += fmt::format("{}{}", j == 0 ? "" : ",", outputs[j]);
  return line + "\n";
}

template <typename T>
Json ToJson(const PredictOptions& options, const Model<T>& model, std::span<const T> outputs) {
  if (GivesClass(options, model)) {
    const Answer<T> answer = BestClass(outputs);
    return Json{{"class", ClassName(model, answer.number)},
                {ValueName(model.network.layers().back().activation), answer.value}};
  }
  return Json(std::vector<T>(outputs.begin(), outputs.end()));
}

// A picture with the most likely classes beside it.
template <typename T>
std::string Picture(const Model<T>& model, const Dataset& data, std::ptrdiff_t sample, std::span<const T> outputs) {
  std::vector<std::string> notes = {fmt::format("sample {}", sample), ""};
  if (IsClassifier(model) && outputs.size() > 1) {
    std::vector<std::size_t> order(outputs.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, [outputs](std::size_t a, std::size_t b) {
      return outputs[a] != outputs[b] ? outputs[a] > outputs[b] : a < b;
    });
    order.resize(std::min<std::size_t>(order.size(), 3));
    const bool probability = ValueName(model.network.layers().back().activation) == "probability";
    for (const std::size_t i : order) {
      const auto value = static_cast<double>(outputs[i]);
      notes.push_back(fmt::format("{:<20} {}", ClassName(model, i),
                                  probability ? fmt::format("{:6.2f} %", 100 * value) : fmt::format("{:.6g}", value)));
    }
  } else if (IsClassifier(model)) {
    notes.push_back(ClassName(model, BestClass(outputs).number));
  } else {
    for (const T y : outputs) notes.push_back(fmt::format("{:.6g}", y));
  }
  if (!data.labels.empty()) {
    const auto label = static_cast<std::size_t>(data.labels[static_cast<std::size_t>(sample)]);
    const bool known = model.class_names.empty() || label < model.class_names.size();
    notes.insert(notes.end(), {"", "label: " + (known ? ClassName(model, label) : std::to_string(label))});
  }

  const std::vector<std::string> lines =
      DrawPicture(data.bytes.data() + sample * data.features, data.image_rows, data.image_cols);
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string line = i < notes.size() ? fmt::format("{}   {}", lines[i], notes[i]) : lines[i];
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text + "\n";
}

Result<Dataset> ReadInput(const PredictOptions& options) {
  const PredictSettings& settings = options.settings;
  if (!settings.input.empty()) {
    return ReadData(settings.input, Split::kTest, options.columns.Get(CsvRole::kNone));
  }
  constexpr std::ptrdiff_t kDigits = 100;
  std::ptrdiff_t samples = 0;
  if (__builtin_add_overflow(settings.skip, settings.limit.value_or(kDigits), &samples)) samples = PTRDIFF_MAX;
  return BuiltInDigits(Split::kTest, samples);
}

// Rows [first, first + rows) of a result in text, or in JSON's array.
template <typename T>
ExitCode Predict(const PredictOptions& options, const Model<T>& model, Compute& compute, const Dataset& data,
                 OutputFile& output) {
  const PredictSettings& settings = options.settings;
  const Result<PackedMlp<T>> network = PackedMlp<T>::Pack(compute.kernels(), model.network);
  if (!network.ok()) return Fail(network.status());

  constexpr std::ptrdiff_t kBlock = 1024;  // samples between two writes
  const std::ptrdiff_t outputs = network->outputs();
  const std::ptrdiff_t left = data.samples - settings.skip;
  const std::ptrdiff_t end = settings.skip + std::min(left, settings.limit.value_or(left));
  std::vector<T> y(static_cast<std::size_t>(kBlock * outputs));
  Json document = Json::array();
  std::string text = options.json || settings.show ? "" : CsvHeader(options, model);
  for (std::ptrdiff_t first = settings.skip; first < end; first += kBlock) {
    const std::ptrdiff_t rows = std::min(kBlock, end - first);
    const Status status =
        network->Predict(compute.context(), data, first, static_cast<T>(model.input_scale), {y.data(), rows, outputs});
    if (!status.ok()) return Fail(status);
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
      const std::span<const T> row(y.data() + r * outputs, static_cast<std::size_t>(outputs));
      if (options.json) {
        document.push_back(ToJson(options, model, row));
      } else {
        text += settings.show ? Picture(model, data, first + r, row) : CsvLine(options, model, row);
      }
    }
    if (const Status written = output.Write(std::exchange(text, "")); !written.ok()) return Fail(written, "--output");
  }
  if (options.json) text = JsonText(document);
  Status written = output.Write(text);
  if (written.ok()) written = output.Finish();
  return written.ok() ? kOk : Fail(written, "--output");
}

ExitCode Run(const PredictOptions& options) {
  const PredictSettings& settings = options.settings;
  const Result<std::unique_ptr<Compute>> compute = Compute::Make(options.isa, options.threads);
  if (!compute.ok()) return Fail(compute.status());
  const Result<AnyModel> model = LoadAnyModel(settings.model);
  if (!model.ok()) return Fail(model.status());
  const Status kept = CheckKeepsInputs(settings.output, {{"MODEL", settings.model}, {"--input", settings.input}});
  if (!kept.ok()) return Fail(kept, "--output");
  Result<OutputFile> output = OutputFile::Open(settings.output);
  if (!output.ok()) return Fail(output.status(), "--output");
  const Result<Dataset> data = ReadInput(options);
  if (!data.ok()) return Fail(data.status());
  const auto invalid = [](std::string message) {
    return Fail(Status(StatusCode::kInvalidArgument, std::move(message)));
  };
  if (settings.skip >= data->samples) {
    return invalid(fmt::format("--skip: {} is not below the {} samples", settings.skip, data->samples));
  }
  if (settings.show && data->image_rows == 0) return invalid("--show: the input has no images (an IDX file may)");
  return std::visit(
      [&](const auto& typed) {
        const std::ptrdiff_t inputs = typed.network.inputs();
        if (data->features == inputs) return Predict(options, typed, **compute, *data, *output);
        return invalid(
            fmt::format("--input: samples have {} features, {} takes {} (columns of a CSV that are none: "
                        "--label, --targets)",
                        data->features, settings.model, inputs));
      },
      *model);
}

}  // namespace

Command AddPredict(CLI::App& program) {
  CLI::App* command = program.add_subcommand("predict", "Predict samples: CSV or IDX in, CSV out");
  SetExample(*command,
             "lanewise predict clothes.safetensors --input t10k-images-idx3-ubyte.gz --show\n"
             "  cut -d, -f1-4 iris.csv | lanewise predict iris.safetensors --input - --proba");
  const auto options = std::make_shared<PredictOptions>(*command);
  return {command, [options] { return Run(*options); }};
}

}  // namespace lanewise::cli
