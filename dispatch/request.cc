// SPDX-License-Identifier: Apache-2.0
//
// Parses requests. Every message names the item at fault, the rule and the way out.

#include "request.h"

#include <algorithm>

#include "format.h"
#include "lanewise/names.h"

namespace lanewise {
namespace {

constexpr std::string_view kForms = "a request is a comma-separated list of TIER, <=TIER, -TIER and KERNEL=TIER";

Status Invalid(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool IsName(std::string_view text) {
  const auto in_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), in_name);
}

Result<Tier> ParseTier(std::string_view name) {
  std::vector<std::string_view> names;
  for (int i = 0; i < kTierCount; ++i) {
    const auto tier = static_cast<Tier>(i);
    if (name == Name(tier)) return tier;
    names.emplace_back(Name(tier));
  }
  for (const Row& row : Rows()) {
    if (name == row.name) return Invalid(Format("'{0}' is a kernel, not a tier; write {0}=TIER", name));
  }
  return Status(StatusCode::kUnknownName, UnknownName("tier", name, names));
}

// portable < sse4 < avx2 < avx512, and portable < neon.
bool AtMost(Tier tier, Tier limit) {
  return tier == limit || tier == Tier::kPortable || (limit != Tier::kNeon && tier < limit);
}

Status ParseItem(std::string_view item, Request& request) {
  std::string_view kernel;
  std::string_view tier_name = item;
  enum { kExactly, kAtMost, kWithout, kForKernel } form = kExactly;
  if (item.starts_with("<=")) {
    form = kAtMost;
    tier_name = item.substr(2);
  } else if (item.starts_with("-")) {
    form = kWithout;
    tier_name = item.substr(1);
  } else if (const std::size_t equals = item.find('='); equals != std::string_view::npos) {
    form = kForKernel;
    kernel = item.substr(0, equals);
    tier_name = item.substr(equals + 1);
  }
  if (!IsName(tier_name) || (form == kForKernel && !IsName(kernel))) {
    return Invalid(Format("{:?} is not understood; {}", item, kForms));
  }

  const Result<Tier> tier = ParseTier(tier_name);
  if (!tier.ok()) return tier.status();
  if (form == kForKernel) {
    const Result<std::size_t> row = FindRow(kernel);
    if (!row.ok()) return row.status();
    std::optional<Tier>& exactly = request.exactly_for_row[*row];
    if (exactly.has_value()) return Invalid(Format("kernel '{}' is given twice", kernel));
    exactly = *tier;
  } else if (form == kWithout) {
    request.without[static_cast<std::size_t>(*tier)] = true;
  } else if (request.exactly.has_value() || request.at_most.has_value()) {
    return Invalid(Format("'{}' is one tier too many; give only one TIER or <=TIER", item));
  } else if (form == kAtMost) {
    request.at_most = *tier;
  } else {
    request.exactly = *tier;
  }
  return {};
}

}  // namespace

Result<std::size_t> FindRow(std::string_view kernel) {
  std::vector<std::string_view> names;
  for (const Row& row : Rows()) {
    if (kernel == row.name) return names.size();
    names.push_back(row.name);
  }
  return Status(StatusCode::kUnknownName, UnknownName("kernel", kernel, names));
}

bool Request::Allows(Tier tier) const {
  if (exactly.has_value()) return tier == *exactly;
  return !without[static_cast<std::size_t>(tier)] && (!at_most.has_value() || AtMost(tier, *at_most));
}

bool Request::Allows(Tier tier, std::size_t row) const {
  return exactly_for_row[row].has_value() ? tier == *exactly_for_row[row] : Allows(tier);
}

Result<Request> ParseRequest(std::string_view text) {
  Request request;
  request.text = Trim(text);
  request.exactly_for_row.resize(Rows().size());
  if (request.text.empty()) return request;

  std::string_view rest = request.text;
  for (bool more = true; more;) {
    const std::size_t comma = rest.find(',');
    more = comma != std::string_view::npos;
    const std::string_view item = Trim(rest.substr(0, comma));
    if (item.empty()) return Invalid(Format("the request '{}' has an empty item; {}", request.text, kForms));
    Status status = ParseItem(item, request);
    if (!status.ok()) return status;
    if (more) rest.remove_prefix(comma + 1);
  }

  if (request.exactly.has_value() && request.without[static_cast<std::size_t>(*request.exactly)]) {
    return Invalid(Format("the request '{}' asks for {} and rules it out", request.text, Name(*request.exactly)));
  }
  bool leaves_one = false;
  for (int i = 0; i < kTierCount; ++i) leaves_one |= request.Allows(static_cast<Tier>(i));
  if (!leaves_one) return Invalid(Format("the request '{}' leaves no tier", request.text));
  return request;
}

}  // namespace lanewise
