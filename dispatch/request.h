// SPDX-License-Identifier: Apache-2.0
//
// What was asked for: the request grammar of lanewise/isa.h as data. Internal; knows names, neither CPUs nor tables.

#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lanewise/status.h"
#include "lanewise/tier.h"
#include "rows.h"

namespace lanewise {

struct Request {
  std::string text;  // as given, for messages
  std::optional<Tier> exactly;
  std::optional<Tier> at_most;
  std::array<bool, kTierCount> without{};
  std::vector<std::optional<Tier>> exactly_for_row;  // one per row

  // Whether the request admits the tier for a row; `row` indexes Rows().
  bool Allows(Tier tier, std::size_t row) const;
  // The same for a kernel that the request does not name.
  bool Allows(Tier tier) const;
};

// The index in Rows() of a kernel, or kUnknownName.
Result<std::size_t> FindRow(std::string_view kernel);

// kInvalidArgument or kUnknownName, as lanewise/isa.h says.
Result<Request> ParseRequest(std::string_view text);

}  // namespace lanewise
