// SPDX-License-Identifier: Apache-2.0
//
// Explains a selection: for each kernel what each tier's standing is, in words. Chooses nothing itself.

#include <optional>
#include <utility>

#include "format.h"
#include "lanewise/isa.h"
#include "select.h"

namespace lanewise {
namespace {

// The reason, given all else about the standing. `chosen` is the kernel's tier, if the request was not refused.
std::string Reason(const TierStanding& standing, std::string_view request, bool understood, std::optional<Tier> chosen,
                   const CpuFacts& cpu) {
  if (chosen == standing.tier) return "chosen";
  if (!standing.compiled) return "not compiled";
  if (!standing.supported) return "missing: " + ToString(Missing(standing.tier, cpu));
  if (!understood) return "the request is not valid";
  if (!standing.allowed) return Format("not allowed by the request '{}'", request);
  if (!chosen.has_value()) return "the request is refused";
  return Format("slower than {}", Name(*chosen));
}

}  // namespace

Listing ListKernels(std::string_view request, const CpuFacts& cpu, const Tables& tables) {
  Listing listing;
  const Result<Request> parsed = ParseRequest(request);
  std::optional<Selection> selection;
  if (parsed.ok()) {
    Result<Selection> selected = Select(*parsed, cpu, tables);
    if (selected.ok()) {
      selection = *std::move(selected);
    } else {
      listing.error = selected.status();
    }
  } else {
    listing.error = parsed.status();
  }

  for (std::size_t i = 0; i < Rows().size(); ++i) {
    const Row& row = Rows()[i];
    KernelListing kernel;
    kernel.kernel = row.name;
    kernel.type = row.type;
    kernel.kind = row.kind;
    std::optional<Tier> chosen;
    if (selection.has_value()) chosen = selection->tiers[i];
    kernel.has_choice = chosen.has_value();
    kernel.chosen = chosen.value_or(Tier::kPortable);
    for (int t = 0; t < kTierCount; ++t) {
      TierStanding standing;
      standing.tier = static_cast<Tier>(t);
      const kernels::KernelTable* table = tables[static_cast<std::size_t>(t)];
      standing.compiled = table != nullptr;
      standing.supported = Missing(standing.tier, cpu).empty();
      standing.allowed = parsed.ok() && parsed->Allows(standing.tier, i);
      standing.numeric_class = row.is_exact ? NumericClass::kExact : ClassOf(standing.tier);
      standing.reason = Reason(standing, request, parsed.ok(), chosen, cpu);
      if (standing.compiled) standing.tile = row.tile(*table);
      kernel.tiers.push_back(std::move(standing));
    }
    listing.kernels.push_back(std::move(kernel));
  }
  return listing;
}

Listing ListKernels(std::string_view request, const CpuFacts& cpu) {
  return ListKernels(request, cpu, CompiledTables());
}

}  // namespace lanewise
