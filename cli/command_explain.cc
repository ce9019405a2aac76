// SPDX-License-Identifier: Apache-2.0
//
// lanewise explain: how a product of a given shape would be computed here, and why so.

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "command.h"
#include "compute.h"
#include "fmt/format.h"
#include "lanewise/gemm.h"
#include "lanewise/names.h"
#include "options.h"

namespace lanewise::cli {
namespace {

struct Settings {
  explicit Settings(CLI::App& command);

  std::string operation;
  std::string shape;
  std::string type = "f32";
  bool packed = false;
};

struct Options {
  explicit Options(CLI::App& command) : settings(command), isa(command), threads(command), json(command) {}

  Settings settings;
  IsaOption isa;
  ThreadsOption threads;
  JsonOption json;
};

Settings::Settings(CLI::App& command) {
  command.add_option("OPERATION", operation, "gemm")->required();
  command.add_option("MxNxK", shape, "C (M x N) = A (M x K) * B (K x N)")->required();
  command.add_option("--type", type, "f32 or f64")->type_name("NAME")->capture_default_str();
  command.add_flag("--packed", packed, "B is packed beforehand, as a model's weights are");
}

Status Invalid(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

// "64x784x30"
Result<std::array<std::ptrdiff_t, 3>> ParseShape(const std::string& text) {
  std::array<std::ptrdiff_t, 3> sizes = {};
  const char* at = text.data();
  const char* end = at + text.size();
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto [next, error] = std::from_chars(at, end, sizes[i]);
    const bool separated = i + 1 == sizes.size() ? next == end : next != end && *next == 'x';
    // Any product of two such sizes fits.
    if (error != std::errc() || sizes[i] < 0 || sizes[i] > 1 << 24 || !separated) {
      return Invalid(fmt::format("'{}' is no shape; give MxNxK, such as 64x128x784 (each at most {})", text, 1 << 24));
    }
    at = next + 1;
  }
  return sizes;
}

ExitCode Run(const Options& options) {
  const Settings& settings = options.settings;
  if (settings.operation != "gemm") {
    const std::vector<std::string_view> valid = {"gemm"};
    return Fail(Invalid(UnknownName("operation", settings.operation, valid)));
  }
  if (settings.type != "f32" && settings.type != "f64") {
    const std::vector<std::string_view> valid = {"f32", "f64"};
    return Fail(Invalid(UnknownName("--type", settings.type, valid)));
  }
  const Result<std::array<std::ptrdiff_t, 3>> sizes = ParseShape(settings.shape);
  if (!sizes.ok()) return Fail(sizes.status());
  const Result<std::unique_ptr<Compute>> compute = Compute::Make(options.isa, options.threads);
  if (!compute.ok()) return Fail(compute.status());

  const GemmShape shape{.type = settings.type == "f32" ? ElementType::kF32 : ElementType::kF64,
                        .m = (*sizes)[0],
                        .n = (*sizes)[1],
                        .k = (*sizes)[2],
                        .b_packed = settings.packed};
  const GemmPlan plan = PlanGemm(shape, (*compute)->kernels(), (*compute)->context().machine(), (*compute)->threads());
  const std::string kernel_name = "gemm_" + settings.type;
  const Listing listing = ListKernels(options.isa.Request(), ThisCpu());
  const auto kernel = std::ranges::find(listing.kernels, kernel_name, &KernelListing::kernel);

  if (options.json) {
    Json tiers = Json::array();
    for (const TierStanding& standing : kernel->tiers) {
      tiers.push_back(Json{{"tier", Name(standing.tier)}, {"reason", standing.reason}});
    }
    PrintJson(Json{{"kernel", kernel_name},
                   {"m", plan.m},
                   {"n", plan.n},
                   {"k", plan.k},
                   {"packed", settings.packed},
                   {"tier", Name(plan.tier)},
                   {"class", Name(ClassOf(plan.tier))},
                   {"mr", plan.mr},
                   {"nr", plan.nr},
                   {"nc", plan.block_panels * plan.nr},
                   {"kc", plan.kc},
                   {"chains", plan.chains},
                   {"tasks", plan.tasks},
                   {"explanation", Explain(plan)},
                   {"tiers", std::move(tiers)}});
    return kOk;
  }
  std::vector<std::vector<std::string>> rows = {{"tier", "here"}};
  for (const TierStanding& standing : kernel->tiers) rows.push_back({Name(standing.tier), standing.reason});
  Print(Explain(plan) + "\n" + FormatTable(rows));
  return kOk;
}

}  // namespace

Command AddExplain(CLI::App& program) {
  CLI::App* command = program.add_subcommand("explain", "Show how a product would be computed here, and why");
  SetExample(*command, "lanewise explain gemm 64x128x784 --packed");
  const auto options = std::make_shared<Options>(*command);
  return {command, [options] { return Run(*options); }};
}

}  // namespace lanewise::cli
