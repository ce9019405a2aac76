// SPDX-License-Identifier: Apache-2.0
//
// Edit distance and the message that rests on it.

#include "lanewise/names.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include "format.h"

namespace lanewise {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substituted = diagonal + (Lower(a[i]) == Lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string UnknownName(std::string_view what, std::string_view name, std::span<const std::string_view> valid) {
  const auto nearest = std::min_element(
      valid.begin(), valid.end(), [name](auto a, auto b) { return EditDistance(name, a) < EditDistance(name, b); });
  std::string message = Format("unknown {} '{}'; valid: {}", what, name, Join(valid, " "));
  if (nearest != valid.end()) message += Format(" (did you mean '{}'?)", *nearest);
  return message;
}

}  // namespace lanewise
