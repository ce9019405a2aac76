// SPDX-License-Identifier: Apache-2.0
//
// lanewise accuracy: the errors of the float functions on every tier, measured against what the library promises.

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "command.h"
#include "fmt/format.h"
#include "lanewise/accuracy.h"
#include "lanewise/context.h"
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

struct Settings {
  std::string function;
  bool full = false;
  bool certificate = false;
};

// The tiers to measure: the one that --isa leaves for the function, or all that run here.
Result<std::vector<Context>> Contexts(const IsaOption& isa) {
  std::vector<Context> contexts;
  if (!isa.Request().empty()) {
    Result<Context> context = Context::Make(isa.Request());
    if (!context.ok()) return context.status();
    contexts.push_back(std::move(context).value());
    return contexts;
  }
  for (int t = 0; t < kTierCount; ++t) {
    Result<Context> context = Context::Make(Name(static_cast<Tier>(t)));
    if (context.ok()) contexts.push_back(std::move(context).value());
  }
  return contexts;
}

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

Result<std::vector<Row>> Measure(Function function, std::vector<Context>& contexts, Executor& executor, bool full) {
  std::vector<Tier> tiers;
  std::vector<Candidate> candidates;
  for (const Context& context : contexts) {
    const Result<Tier> tier = context.kernels().TierOf(fmt::format("{}_f32", Name(function)));
    if (!tier.ok()) return tier.status();
    tiers.push_back(*tier);
    candidates.push_back(
        {Name(*tier), [function, kernels = context.kernels()](const float* x, float* y, std::size_t n) {
           Context own(kernels);
           // What could not be computed counts as wrong.
           if (!Apply(own, function, {x, n}, {y, n}).ok()) std::fill_n(y, n, std::numeric_limits<float>::quiet_NaN());
         }});
  }
  ProgressBar bar;
  SweepOptions options;
  options.hash = Hash;
  options.progress = [&bar, function](double done) {
    bar.Draw(fmt::format("{:7}", Name(function)), done, "");
    return !Interrupted();
  };
  Result<std::vector<Accuracy>> accuracies =
      Sweep(function, candidates, full ? FullSweep() : QuickSweep(), executor, options);
  bar.Clear();
  if (!accuracies.ok()) return accuracies.status();
  std::vector<Row> rows;
  for (std::size_t t = 0; t < tiers.size(); ++t) {
    Row row{function, tiers[t], MaxUlp<float>(function, ClassOf(tiers[t])), std::move((*accuracies)[t]), ""};
    row.trouble = TroubleOf(row, rows);
    rows.push_back(std::move(row));
  }
  return rows;
}

Json ToJson(const Row& row) {
  const Accuracy& a = row.accuracy;
  return Json{{"function", Name(row.function)},
              {"type", "f32"},
              {"tier", Name(row.tier)},
              {"class", Name(ClassOf(row.tier))},
              {"max_ulp", std::isfinite(a.max_ulp) ? Json(a.max_ulp) : Json()},
              {"bound", row.bound},
              {"worst_input", fmt::format("{:#010x}", a.worst_input)},
              {"not_nearest", a.not_nearest},
              {"not_monotonic", a.not_monotonic},
              {"out_of_range", a.out_of_range},
              {"hash", HashOfAll(a.hashes)},
              {"ok", row.trouble.empty()}};
}

// What a full sweep found of one function, once per class, with a hash of each chunk that anyone can compute again.
Json Certificate(const std::vector<Row>& rows) {
  Json classes = Json::array();
  for (const Row& row : rows) {
    const std::string_view name = Name(ClassOf(row.tier));
    if (std::any_of(classes.begin(), classes.end(), [name](const Json& c) { return c["class"] == name; })) continue;
    constexpr std::size_t kPerLine = 64;
    std::vector<std::string> lines(row.accuracy.hashes.size() / kPerLine);
    for (std::size_t i = 0; i < row.accuracy.hashes.size(); ++i) {
      lines[i / kPerLine] += ShortHex(row.accuracy.hashes[i]);
    }
    const Json found = ToJson(row);
    Json entry{{"class", name}};
    for (const char* key : {"max_ulp", "worst_input", "not_nearest", "not_monotonic", "out_of_range"}) {
      entry[key] = found[key];
    }
    entry["chunks"] = std::move(lines);
    classes.push_back(std::move(entry));
  }
  return Json{{"function", Name(rows[0].function)},
              {"type", "f32"},
              {"inputs", "2^32 bit patterns in ascending order, in 4096 chunks"},
              {"hash", "the low 32 bits of XXH3-128 of a chunk's results, little-endian, every NaN as 0x7fc00000"},
              {"classes", std::move(classes)}};
}

std::string Table(const std::vector<Row>& rows) {
  std::vector<std::vector<std::string>> table = {
      {"function", "tier", "max ULP", "at", "not nearest", "order", "hash", ""}};
  for (const Row& row : rows) {
    const Accuracy& a = row.accuracy;
    table.push_back({std::string(Name(row.function)), Name(row.tier), fmt::format("{:.4f}", a.max_ulp),
                     fmt::format("{:a}", static_cast<double>(std::bit_cast<float>(a.worst_input))),
                     fmt::format("{}", a.not_nearest), fmt::format("{}", a.not_monotonic), HashOfAll(a.hashes),
                     row.trouble});
  }
  return FormatTable(table);
}

ExitCode Run(const Settings& settings, const IsaOption& isa, const ThreadsOption& threads_option, bool json) {
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
  Result<std::vector<Context>> contexts = Contexts(isa);
  if (!contexts.ok()) return Fail(contexts.status(), isa.Origin());
  ThreadPool pool(threads->count);
  CatchInterrupt();

  std::vector<Row> rows;
  for (Function function : functions) {
    Result<std::vector<Row>> measured = Measure(function, *contexts, pool, settings.full);
    if (Interrupted()) return Fail(kInterrupted, "interrupted");
    if (!measured.ok()) return Fail(measured.status());
    std::move(measured->begin(), measured->end(), std::back_inserter(rows));
  }
  const bool ok = std::all_of(rows.begin(), rows.end(), [](const Row& row) { return row.trouble.empty(); });
  if (settings.certificate && ok) {
    PrintJson(Certificate(rows));
  } else if (json) {
    Json results = Json::array();
    for (const Row& row : rows) results.push_back(ToJson(row));
    PrintJson(Json{{"inputs", settings.full ? "all" : "sample"}, {"results", std::move(results)}});
  } else {
    Print(Table(rows));
    Print(settings.full ? "\nAll 2^32 inputs.\n" : "\nA sample of 5 million inputs; --full takes all 2^32.\n");
  }
  return ok ? kOk : kCheckFailed;
}

}  // namespace

Command AddAccuracy(CLI::App& program) {
  CLI::App* command = program.add_subcommand("accuracy", "Measure the errors of exp, log, sigmoid ... on every tier");
  auto settings = std::make_shared<Settings>();
  CLI::Option* function =
      command->add_option("FUNCTION", settings->function, "exp, log, log1p, sigmoid, tanh or relu. Default:\nall");
  command->add_flag("--full", settings->full, "All 2^32 inputs (about a minute a function)\ninstead of a sample");
  command
      ->add_flag("--certificate", settings->certificate,
                 "With --full: print the function's certificate, a\nJSON document with a hash of each 2^20 results")
      ->needs(function)
      ->needs("--full");
  const IsaOption isa(*command);
  const ThreadsOption threads(*command);
  const JsonOption json(*command);
  SetExample(*command, "lanewise accuracy sigmoid --full");
  return {command, [=] { return Run(*settings, isa, threads, static_cast<bool>(json)); }};
}

}  // namespace lanewise::cli
