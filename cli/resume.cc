// SPDX-License-Identifier: Apache-2.0

#include "resume.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "lanewise/activation.h"
#include "options.h"

namespace lanewise::cli {
namespace {

// Options and the entries of the recipe that have their values.
constexpr std::pair<const char*, const char*> kInRecipe[] = {
    {"--layers", "layers"},     {"--loss", "loss"},         {"--lr", "learning_rate"},
    {"--schedule", "schedule"}, {"--momentum", "momentum"}, {"--batch", "batch"},
    {"--epochs", "epochs"},     {"--seed", "seed"},         {"--val-split", "val_split"}};

// 0 if it is none.
std::uint32_t ParseCount(std::string_view text) {
  std::uint32_t count = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
  return parsed.ptr == text.data() + text.size() && parsed.ec == std::errc() ? count : 0;
}

// As a shell reads it back.
std::string ShellWord(const std::string& text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

}  // namespace

Result<AnyCheckpoint> LoadAnyCheckpoint(const std::string& path) {
  if (path == "-") {
    return Invalid("a checkpoint is a file, not standard input; give its path");
  }
  Result<Checkpoint<float>> checkpoint = LoadCheckpoint<float>(path);
  if (checkpoint.ok()) return AnyCheckpoint(*std::move(checkpoint));
  if (checkpoint.status().code() != StatusCode::kBadFile) return checkpoint.status();
  Result<Checkpoint<double>> in_double = LoadCheckpoint<double>(path);
  if (!in_double.ok()) return in_double.status();
  return AnyCheckpoint(*std::move(in_double));
}

TypedOptions OptionsOf(const Recipe& recipe, const std::vector<LayerShape>& layers, double input_scale,
                       const std::string& type) {
  TypedOptions options = {{"--input-scale", fmt::format("{}", input_scale)}, {"--type", type}};
  for (const auto& [option, entry] : kInRecipe) {
    if (const auto found = recipe.find(entry); found != recipe.end()) options[option] = found->second;
  }
  if (layers.size() > 1) options["--activation"] = Name(layers.front().activation);
  // Other losses leave no choice.
  if (options["--loss"] == Name(Loss::kSquaredError)) options["--output-activation"] = Name(layers.back().activation);
  return options;
}

TypedOptions OptionsOf(const AnyCheckpoint& checkpoint) {
  return std::visit(
      [&](const auto& c) {
        return OptionsOf(c.model.recipe, c.model.network.layers(), c.model.input_scale,
                         checkpoint.index() == 0 ? "f32" : "f64");
      },
      checkpoint);
}

Status TakeOptions(const std::string& path, const TypedOptions& theirs, CLI::App& command) {
  for (const auto& [name, value] : theirs) {
    CLI::Option* option = command.get_option(name);
    if (option->count() > 0) continue;
    try {
      option->add_result(value);
      option->run_callback();
    } catch (const CLI::ParseError& error) {
      return Status(StatusCode::kBadFile, fmt::format("{}: its recipe: {}", path, error.what()));
    }
  }
  return Status();
}

Status CheckOptions(const std::string& path, const TypedOptions& theirs, const TypedOptions& ours) {
  std::vector<std::string> differences;
  for (const auto& [name, value] : ours) {
    const auto found = theirs.find(name);
    const std::string was = found == theirs.end() ? "none" : found->second;
    const std::uint32_t epochs = name == "--epochs" ? ParseCount(was) : 0;
    if (was == value || (epochs > 0 && epochs < ParseCount(value))) continue;
    differences.push_back(fmt::format("{} {} (not {})", name, was, value));
  }
  if (differences.empty()) return Status();
  return Invalid(fmt::format("--resume: {} was trained with {}", path, fmt::join(differences, ", ")));
}

Recipe ContinuedRecipe(Recipe recipe, std::uint32_t epochs, std::uint32_t epochs_begun) {
  const std::string before = std::exchange(recipe["epochs"], std::to_string(epochs));
  if (before != recipe["epochs"] && recipe["schedule"] != "constant") {
    std::string& raised = recipe["epochs_raised"];
    raised += fmt::format("{}from {} after epoch {}", raised.empty() ? "" : ", ", before, epochs_begun);
  }
  return recipe;
}

Status CheckCheckpointPath(const std::string& path, const std::string& out) {
  if (path == "-") return Invalid("a checkpoint is a file, not standard output; give its path");
  std::error_code error;
  if (path == out || std::filesystem::equivalent(path, out, error)) {
    return Invalid(fmt::format("{} is --out's; a checkpoint needs a file of its own", path));
  }
  return Status();
}

std::string CommandToGoOn(const std::string& path, const CLI::App& command) {
  std::string line = "lanewise " + command.get_name();
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || name == "--checkpoint" || name == "--resume") continue;
    line += " " + name;
    if (option->get_type_size() != 0) line += " " + ShellWord(fmt::format("{}", fmt::join(option->results(), ",")));
  }
  return line + " --resume " + ShellWord(path);
}

}  // namespace lanewise::cli
