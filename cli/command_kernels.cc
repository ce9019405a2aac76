// SPDX-License-Identifier: Apache-2.0
//
// lanewise kernels: for every operation the kernel that runs on this CPU, and why the others do not.

#include <algorithm>
#include <string>
#include <vector>

#include "command.h"
#include "fmt/format.h"
#include "lanewise/isa.h"
#include "options.h"

namespace lanewise::cli {
namespace {

std::string ChosenTile(const KernelListing& kernel) { return kernel.has_choice ? kernel.Of(kernel.chosen).tile : ""; }

const char* ChosenClass(const KernelListing& kernel) { return Name(kernel.Of(kernel.chosen).numeric_class); }

Json ToJson(const KernelListing& kernel) {
  Json tiers = Json::array();
  for (const TierStanding& standing : kernel.tiers) {
    tiers.push_back(Json{{"tier", Name(standing.tier)},
                         {"class", Name(standing.numeric_class)},
                         {"compiled", standing.compiled},
                         {"supported", standing.supported},
                         {"allowed", standing.allowed},
                         {"reason", standing.reason},
                         {"tile", standing.tile.empty() ? Json() : Json(standing.tile)}});
  }
  const std::string tile = ChosenTile(kernel);
  return Json{{"kernel", kernel.kernel},
              {"type", kernel.type},
              {"kind", kernel.kind},
              {"class", kernel.has_choice ? Json(ChosenClass(kernel)) : Json()},
              {"tile", tile.empty() ? Json() : Json(tile)},
              {"chosen", kernel.has_choice ? Json(Name(kernel.chosen)) : Json()},
              {"tiers", std::move(tiers)}};
}

// Kernels with the same answer share a line.
std::string ChoiceTable(const std::vector<KernelListing>& kernels) {
  std::vector<std::vector<std::string>> rows = {{"type", "tier", "class", "tile", "kernels"}};
  for (const KernelListing& kernel : kernels) {
    const std::string tile = ChosenTile(kernel);
    std::vector<std::string> row = {kernel.type, kernel.has_choice ? Name(kernel.chosen) : "none",
                                    kernel.has_choice ? ChosenClass(kernel) : "-", tile.empty() ? "-" : tile,
                                    kernel.kernel};
    const auto same = std::find_if(rows.begin() + 1, rows.end(), [&row](const auto& other) {
      return std::equal(row.begin(), row.end() - 1, other.begin());
    });
    if (same == rows.end()) {
      rows.push_back(std::move(row));
    } else {
      same->back() += " " + kernel.kernel;
    }
  }
  return FormatTable(rows);
}

// Each tier with its reasons; one that does not hold for all kernels says for how many.
std::string ReasonTable(const std::vector<KernelListing>& kernels) {
  std::vector<std::vector<std::string>> rows = {{"tier", "here"}};
  for (std::size_t t = 0; t < kTierCount; ++t) {
    std::vector<std::pair<std::string, std::size_t>> reasons;  // with the number of kernels
    for (const KernelListing& kernel : kernels) {
      const std::string& reason = kernel.tiers[t].reason;
      const auto known = std::find_if(reasons.begin(), reasons.end(), [&](const auto& r) { return r.first == reason; });
      if (known == reasons.end()) {
        reasons.emplace_back(reason, 1);
      } else {
        ++known->second;
      }
    }
    std::string cell;
    for (const auto& [reason, count] : reasons) {
      if (!cell.empty()) cell += "; ";
      cell += reason;
      if (reasons.size() > 1) cell += fmt::format(" ({} of {})", count, kernels.size());
    }
    rows.push_back({Name(static_cast<Tier>(t)), cell});
  }
  return FormatTable(rows);
}

ExitCode Run(const IsaOption& isa, bool json) {
  const std::string request = isa.Request();
  const Listing listing = ListKernels(request, ThisCpu());
  if (json) {
    Json kernels = Json::array();
    for (const KernelListing& kernel : listing.kernels) kernels.push_back(ToJson(kernel));
    PrintJson(Json{{"isa",
                    {{"request", request},
                     {"origin", isa.Origin().empty() ? Json() : Json(isa.Origin())},
                     {"error", listing.error.ok() ? Json() : Json(listing.error.message())}}},
                   {"kernels", std::move(kernels)}});
  } else {
    Print(FormatTable(
        {{"cpu", ThisCpu().brand.empty() ? ThisCpu().architecture : ThisCpu().brand},
         {"request", request.empty() ? "none (--isa, LANEWISE_ISA)" : fmt::format("{} ({})", request, isa.Origin())}}));
    Print("\n" + ChoiceTable(listing.kernels) + "\n" + ReasonTable(listing.kernels));
  }
  return listing.error.ok() ? kOk : Fail(listing.error, isa.Origin());
}

}  // namespace

Command AddKernels(CLI::App& program) {
  CLI::App* command = program.add_subcommand("kernels", "List every kernel, what runs here and why");
  SetExample(*command, "lanewise kernels --isa '<=avx2,gemm_f32=sse4'");
  const IsaOption isa(*command);
  const JsonOption json(*command);
  return {command, [isa, json] { return Run(isa, static_cast<bool>(json)); }};
}

}  // namespace lanewise::cli
