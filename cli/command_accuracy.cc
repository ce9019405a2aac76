// SPDX-License-Identifier: Apache-2.0
//
// lanewise accuracy: the errors of the functions on every tier, measured against what the library promises.

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "command.h"
#include "compute.h"
#include "fmt/format.h"
#include "lanewise/accuracy.h"
#include "lanewise/isa.h"
#include "lanewise/names.h"
#include "options.h"
#include "output.h"
#include "progress.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace lanewise::cli {
namespace {

// The low half of XXH3's 128 bits.
std::uint64_t Hash(const void* bytes, std::size_t size) { return XXH3_128bits(bytes, size).low64; }

std::string Hex(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

// In a certificate, where 4096 of them stand.
std::string ShortHex(std::uint64_t hash) { return fmt::format("{:08x}", hash & 0xFFFFFFFF); }

std::string HashOfAll(const std::vector<std::uint64_t>& hashes) {
  return Hex(Hash(hashes.data(), hashes.size() * sizeof(std::uint64_t)));
}

struct AccuracySettings {
  std::string function;
  bool f64 = false;
  bool full = false;
  bool certificate = false;

  const char* Type() const { return f64 ? "f64" : "f32"; }
};

// For double: blocks of 2^16 inputs. A million inputs, and 10^8.
constexpr std::size_t kQuickBlocks = 16;
constexpr std::size_t kFullBlocks = 1526;

struct Row {
  Function function;
  Tier tier;
  double bound;
  Accuracy accuracy;
  std::string trouble;  // empty if the promises hold
};

// The first row of the same function and class must have the same bits.
std::string TroubleOf(const Row& row, const std::vector<Row>& before) {
  if (row.accuracy.max_ulp > row.bound) return fmt::format("exceeds {} ULP", row.bound);
  if (row.accuracy.out_of_range > 0) return "out of range";
  for (const Row& other : before) {
    if (other.function == row.function && ClassOf(other.tier) == ClassOf(row.tier) &&
        other.accuracy.hashes != row.accuracy.hashes) {
      return fmt::format("differs from {}", Name(other.tier));
    }
  }
  return "";
}

// Sweeps float, searches double.
template <typename T>
Result<std::vector<Accuracy>> Accuracies(Function function, const std::vector<Kernels>& all, Executor& executor,
                                         bool full, const SweepOptions& options) {
  std::vector<CandidateOf<T>> candidates;
  candidates.reserve(all.size());
  for (const Kernels& kernels : all) candidates.push_back(Implementation<T>(function, kernels));
  if constexpr (sizeof(T) == sizeof(float)) {
    return Sweep(function, candidates, full ? FullSweep() : QuickSweep(), executor, options);
  } else {
    return Search(function, candidates, full ? kFullBlocks : kQuickBlocks, executor, options);
  }
}

Result<std::vector<Row>> Measure(Function function, const std::vector<Kernels>& all, Executor& executor,
                                 const AccuracySettings& settings) {
  ProgressBar bar;
  SweepOptions options;
  options.hash = Hash;
  options.progress = [&bar, function](double done) {
    bar.Draw(fmt::format("{:7}", Name(function)), done, "");
    return !Interrupted();
  };
  Result<std::vector<Accuracy>> accuracies = settings.f64
                                                 ? Accuracies<double>(function, all, executor, settings.full, options)
                                                 : Accuracies<float>(function, all, executor, settings.full, options);
  bar.Clear();
  if (!accuracies.ok()) return accuracies.status();
  std::vector<Row> rows;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Result<Tier> tier = all[i].TierOf(fmt::format("{}_{}", Name(function), settings.Type()));
    if (!tier.ok()) return tier.status();
    const NumericClass numeric_class = ClassOf(*tier);
    const double bound =
        settings.f64 ? MaxUlp<double>(function, numeric_class) : MaxUlp<float>(function, numeric_class);
    Row row{function, *tier, bound, std::move((*accuracies)[i]), ""};
    row.trouble = TroubleOf(row, rows);
    rows.push_back(std::move(row));
  }
  return rows;
}

// The bits of an input of the type.
std::string InputHex(std::uint64_t bits, bool f64) { return fmt::format("{:#0{}x}", bits, f64 ? 18 : 10); }

Json ToJson(const Row& row, const AccuracySettings& settings) {
  const Accuracy& a = row.accuracy;
  Json json{{"function", Name(row.function)},
            {"type", settings.Type()},
            {"tier", Name(row.tier)},
            {"class", Name(ClassOf(row.tier))},
            {"max_ulp", std::isfinite(a.max_ulp) ? Json(a.max_ulp) : Json()},
            {"bound", row.bound},
            {"worst_input", InputHex(a.worst_input, settings.f64)},
            {"not_nearest", a.not_nearest}};
  if (!settings.f64) json["not_monotonic"] = a.not_monotonic;
  json["out_of_range"] = a.out_of_range;
  json["hash"] = HashOfAll(a.hashes);
  json["ok"] = row.trouble.empty();
  return json;
}

// What a full run found of one function, once per class, with hashes of results that anyone can compute again.
Json Certificate(const std::vector<Row>& rows, const AccuracySettings& settings) {
  Json classes = Json::array();
  for (const Row& row : rows) {
    const std::string_view name = Name(ClassOf(row.tier));
    if (std::any_of(classes.begin(), classes.end(), [name](const Json& c) { return c["class"] == name; })) continue;
    constexpr std::size_t kPerLine = 64;
    // Of double, the blocks that the tests run: all would be no better.
    const std::size_t count = settings.f64 ? kPerLine : row.accuracy.hashes.size();
    std::vector<std::string> lines(count / kPerLine);
    for (std::size_t i = 0; i < count; ++i) lines[i / kPerLine] += ShortHex(row.accuracy.hashes[i]);
    const Json found = ToJson(row, settings);
    Json entry{{"class", name}};
    for (const char* key : {"max_ulp", "worst_input", "not_nearest", "not_monotonic", "out_of_range"}) {
      if (found.contains(key)) entry[key] = found[key];
    }
    entry[settings.f64 ? "blocks" : "chunks"] = std::move(lines);
    classes.push_back(std::move(entry));
  }
  Json json{{"function", Name(rows[0].function)}, {"type", settings.Type()}};
  if (settings.f64) {
    json["inputs"] = fmt::format("{} blocks of 2^16, half of them around the worst of the others", kFullBlocks);
    json["hash"] =
        "the low 32 bits of XXH3-128 of a block's results, little-endian, every NaN as 0x7ff8000000000000; the first "
        "64";
  } else {
    json["inputs"] = "2^32 bit patterns in ascending order, in 4096 chunks";
    json["hash"] = "the low 32 bits of XXH3-128 of a chunk's results, little-endian, every NaN as 0x7fc00000";
  }
  json["classes"] = std::move(classes);
  return json;
}

std::string Table(const std::vector<Row>& rows, bool f64) {
  std::vector<std::vector<std::string>> table = {
      {"function", "tier", "max ULP", "at", "not nearest", "order", "hash", ""}};
  for (const Row& row : rows) {
    const Accuracy& a = row.accuracy;
    const double worst =
        f64 ? std::bit_cast<double>(a.worst_input) : std::bit_cast<float>(static_cast<std::uint32_t>(a.worst_input));
    table.push_back({std::string(Name(row.function)), Name(row.tier), fmt::format("{:.4f}", a.max_ulp),
                     fmt::format("{:a}", worst), fmt::format("{}", a.not_nearest),
                     f64 ? "-" : fmt::format("{}", a.not_monotonic), HashOfAll(a.hashes), row.trouble});
  }
  return FormatTable(table);
}

// What was gone through, below the table.
const char* Inputs(const AccuracySettings& settings) {
  if (settings.f64) return settings.full ? "10^8 hard and random inputs" : "A million inputs; --full takes 10^8";
  return settings.full ? "All 2^32 inputs" : "A sample of 5 million inputs; --full takes all 2^32";
}

ExitCode Run(const AccuracySettings& settings, const IsaOption& isa, const ThreadsOption& threads_option, bool json) {
  std::vector<Function> functions(std::begin(kFunctions), std::end(kFunctions));
  if (!settings.function.empty()) {
    const std::optional<Function> function = FunctionFromName(settings.function);
    if (!function) {
      std::vector<std::string_view> names;
      std::transform(functions.begin(), functions.end(), std::back_inserter(names), [](Function f) { return Name(f); });
      return Fail(Status(StatusCode::kUnknownName, UnknownName("function", settings.function, names)));
    }
    functions = {*function};
  }
  const Result<Threads> threads = threads_option.Get();
  if (!threads.ok()) return Fail(threads.status());
  const Result<std::vector<Kernels>> kernels = SelectionsToCheck(isa);
  if (!kernels.ok()) return Fail(kernels.status());
  ThreadPool pool(threads->count);
  CatchInterrupt();

  std::vector<Row> rows;
  for (Function function : functions) {
    Result<std::vector<Row>> measured = Measure(function, *kernels, pool, settings);
    if (Interrupted()) return Fail(kInterrupted, "interrupted");
    if (!measured.ok()) return Fail(measured.status());
    std::move(measured->begin(), measured->end(), std::back_inserter(rows));
  }
  const bool ok = std::all_of(rows.begin(), rows.end(), [](const Row& row) { return row.trouble.empty(); });
  if (settings.certificate && ok) {
    PrintJson(Certificate(rows, settings));
  } else if (json) {
    Json results = Json::array();
    for (const Row& row : rows) results.push_back(ToJson(row, settings));
    const char* inputs = !settings.full ? "sample" : settings.f64 ? "search" : "all";
    PrintJson(Json{{"inputs", inputs}, {"results", std::move(results)}});
  } else {
    Print(Table(rows, settings.f64));
    Print(fmt::format("\n{}.\n", Inputs(settings)));
  }
  return ok ? kOk : kCheckFailed;
}

}  // namespace

Command AddAccuracy(CLI::App& program) {
  CLI::App* command = program.add_subcommand("accuracy", "Measure the errors of functions on every tier");
  auto settings = std::make_shared<AccuracySettings>();
  CLI::Option* function = command->add_option("FUNCTION", settings->function,
                                              "exp, log, log1p, sigmoid, tanh, relu or\nleaky_relu. Default: all");
  command->add_flag("--f64", settings->f64, "The functions of double instead of float");
  command->add_flag(
      "--full", settings->full,
      "All 2^32 inputs (about a minute a function),\nor of double 10^8 hard and random ones, instead\nof a sample");
  command
      ->add_flag("--certificate", settings->certificate,
                 "With --full: print the function's certificate, a\nJSON document with hashes of results")
      ->needs(function)
      ->needs("--full");
  const IsaOption isa(*command, "all: one tier after the other");
  const ThreadsOption threads(*command);
  const JsonOption json(*command);
  SetExample(*command, "lanewise accuracy sigmoid --full");
  return {command, [=] { return Run(*settings, isa, threads, static_cast<bool>(json)); }};
}

}  // namespace lanewise::cli
