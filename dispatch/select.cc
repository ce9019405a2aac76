// SPDX-License-Identifier: Apache-2.0
//
// Chooses a tier for each kernel and composes their table. Pure: no environment, no detection but in the last function.

#include "select.h"

#include <optional>
#include <string>
#include <utility>

#include "format.h"

namespace lanewise {
namespace {

std::string CompiledNames(const Tables& tables) {
  std::string names;
  for (int i = 0; i < kTierCount; ++i) {
    if (tables[static_cast<std::size_t>(i)] == nullptr) continue;
    if (!names.empty()) names += ' ';
    names += Name(static_cast<Tier>(i));
  }
  return names;
}

// Why exactly this tier cannot run; OK if it can.
Status CheckTier(Tier tier, const CpuFacts& cpu, const Tables& tables) {
  if (tables[static_cast<std::size_t>(tier)] == nullptr) {
    return Status(StatusCode::kNotCompiled, Format("tier '{}' is not compiled into this library; compiled: {}",
                                                   Name(tier), CompiledNames(tables)));
  }
  const CpuFeatures missing = Missing(tier, cpu);
  if (missing.empty()) return {};
  return Status(StatusCode::kNotSupported, Format("this CPU or operating system cannot run tier '{}'; missing: {}",
                                                  Name(tier), ToString(missing)));
}

// The best tier that the request admits and that can run, for the kernels that the request does not name.
Result<Tier> ChooseRest(const Request& request, const CpuFacts& cpu, const Tables& tables) {
  std::optional<Tier> lowest_compiled;
  for (int i = kTierCount - 1; i >= 0; --i) {
    const auto tier = static_cast<Tier>(i);
    if (!request.Allows(tier)) continue;
    const Status status = CheckTier(tier, cpu, tables);
    if (status.ok()) return tier;
    if (request.exactly.has_value()) return status;
    if (status.code() == StatusCode::kNotSupported) lowest_compiled = tier;
  }
  if (!lowest_compiled.has_value()) {
    return Status(StatusCode::kNotCompiled, Format("no tier that the request '{}' leaves is compiled into this "
                                                   "library; compiled: {}",
                                                   request.text, CompiledNames(tables)));
  }
  return Status(StatusCode::kNotSupported,
                Format("this CPU or operating system can run no tier that the request '{}' leaves; missing for "
                       "'{}': {}",
                       request.text, Name(*lowest_compiled), ToString(Missing(*lowest_compiled, cpu))));
}

}  // namespace

Result<Selection> Select(const Request& request, const CpuFacts& cpu, const Tables& tables) {
  const Result<Tier> rest = ChooseRest(request, cpu, tables);
  if (!rest.ok()) return rest.status();
  Selection selection{.table = *tables[static_cast<std::size_t>(*rest)], .rest = *rest, .tiers = {}};
  for (std::size_t i = 0; i < Rows().size(); ++i) {
    const Tier tier = request.exactly_for_row[i].value_or(*rest);
    const Status status = CheckTier(tier, cpu, tables);
    if (!status.ok()) {
      return Status(status.code(), Format("kernel '{}': {}", Rows()[i].name, status.message()));
    }
    Rows()[i].copy(*tables[static_cast<std::size_t>(tier)], selection.table);
    selection.tiers.push_back(tier);
  }
  return selection;
}

Kernels::Kernels(std::shared_ptr<const Selection> selection)
    : selection_(std::move(selection)), table_(&selection_->table) {}

Result<Tier> Kernels::TierOf(std::string_view kernel) const {
  const Result<std::size_t> row = FindRow(kernel);
  if (!row.ok()) return row.status();
  return selection_->tiers[*row];
}

std::string_view Kernels::TierName() const {
  for (const Tier tier : selection_->tiers) {
    if (tier != selection_->tiers.front()) return "mixed";
  }
  return Name(selection_->tiers.front());
}

Kernels MakeKernels(Selection selection) { return Kernels(std::make_shared<const Selection>(std::move(selection))); }

Result<Kernels> SelectKernels(std::string_view request, const CpuFacts& cpu) {
  const Result<Request> parsed = ParseRequest(request);
  if (!parsed.ok()) return parsed.status();
  Result<Selection> selection = Select(*parsed, cpu, CompiledTables());
  if (!selection.ok()) return selection.status();
  return MakeKernels(*std::move(selection));
}

Result<Kernels> SelectKernels(std::string_view request) { return SelectKernels(request, ThisCpu()); }

bool IsCompiled(Tier tier) { return kernels::CompiledTable(tier) != nullptr; }

}  // namespace lanewise
