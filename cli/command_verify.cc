// SPDX-License-Identifier: Apache-2.0
//
// lanewise verify: whether a model's golden cases come out on every tier.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "any_model.h"
#include "command.h"
#include "compute.h"
#include "fmt/format.h"
#include "lanewise/verify.h"
#include "options.h"
#include "output.h"

namespace lanewise::cli {
namespace {

struct Row {
  std::string tier;
  Verification verification;
};

std::string_view Expected(const Verification& v) { return v.exact ? "the same bits" : "within the bound"; }

std::string_view ClassName(const Verification& v) { return v.numeric_class ? Name(*v.numeric_class) : "mixed"; }

std::string Found(const Verification& v) {
  if (!v.weights_ok) return "the weights have another hash";
  if (v.other_bits == 0) return "the same bits";
  return fmt::format("{} of {} outputs differ, at most by {:.2g} of the bound", v.other_bits, v.outputs,
                     v.largest_share);
}

Json ToJson(const Row& row) {
  const Verification& v = row.verification;
  Json result{{"tier", row.tier},
              {"class", ClassName(v)},
              {"expected", Expected(v)},
              {"cases", v.cases},
              {"outputs", v.outputs},
              {"other_bits", v.other_bits},
              {"share_of_bound", v.largest_share},
              {"weights_ok", v.weights_ok},
              {"ok", v.ok()}};
  if (v.other_bits > 0) {
    result["worst"] = Json{{"case", v.worst_case},
                           {"output", v.worst_output},
                           {"expected", v.expected},
                           {"found", v.found},
                           {"bound", v.bound}};
  }
  return result;
}

std::string Table(const std::vector<Row>& rows) {
  std::vector<std::vector<std::string>> table = {{"tier", "class", "cases", "expected", "found"}};
  for (const Row& row : rows) {
    const Verification& v = row.verification;
    table.push_back({row.tier, std::string(ClassName(v)), std::to_string(v.cases), std::string(Expected(v)), Found(v)});
  }
  return FormatTable(table);
}

std::string Trouble(const Row& row) {
  const Verification& v = row.verification;
  if (!v.weights_ok) return "the weights are not those that the golden cases were made with";
  return fmt::format("on {}, case {}, output {} is {:a} ({}) instead of {:a} ({}); {}", row.tier, v.worst_case,
                     v.worst_output, v.found, v.found, v.expected, v.expected,
                     v.exact ? "every bit must agree" : fmt::format("they may be {:.3g} apart", v.bound));
}

template <typename T>
ExitCode Verify(const std::string& path, const Model<T>& model, const std::vector<Kernels>& selections, int threads,
                bool json) {
  if (!model.golden) {
    return Fail(kCannotTell, fmt::format("{}: has no golden cases; `lanewise train` writes them", path));
  }
  ThreadPool pool(threads);
  std::vector<Row> rows;
  for (const Kernels& kernels : selections) {
    Context context(kernels, pool);
    const Result<Verification> verification = VerifyModel(context, model);
    if (!verification.ok()) return Fail(verification.status(), path);
    rows.push_back({std::string(kernels.TierName()), *verification});
  }
  if (json) {
    Json results = Json::array();
    for (const Row& row : rows) results.push_back(ToJson(row));
    PrintJson(Json{{"model", path},
                   {"class", Name(model.golden->numeric_class)},
                   {"numerics_revision", model.numerics_revision},
                   {"results", std::move(results)}});
  } else {
    Print(Table(rows));
  }
  for (const Row& row : rows) {
    if (!row.verification.ok()) return Fail(kCheckFailed, fmt::format("{}: {}", path, Trouble(row)));
  }
  return kOk;
}

ExitCode Run(const std::string& path, const IsaOption& isa, const ThreadsOption& threads_option, bool json) {
  const Result<std::vector<Kernels>> selections = SelectionsToCheck(isa);
  if (!selections.ok()) return Fail(selections.status());
  const Result<Threads> threads = threads_option.Get();
  if (!threads.ok()) return Fail(threads.status());
  const Result<AnyModel> model = LoadAnyModel(path);
  if (!model.ok()) return Fail(model.status());
  return std::visit([&](const auto& typed) { return Verify(path, typed, *selections, threads->count, json); }, *model);
}

}  // namespace

Command AddVerify(CLI::App& program) {
  CLI::App* command = program.add_subcommand("verify", "Check a model's golden cases on every tier");
  SetExample(*command, "lanewise verify clothes.safetensors --isa all");
  const auto path = std::make_shared<std::string>();
  command->add_option("MODEL", *path, "Model file")->required();
  const IsaOption isa(*command, "all: one tier after the other");
  const ThreadsOption threads(*command);
  const JsonOption json(*command);
  return {command, [=] { return Run(*path, isa, threads, static_cast<bool>(json)); }};
}

}  // namespace lanewise::cli
