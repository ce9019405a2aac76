// SPDX-License-Identifier: Apache-2.0
//
// The comparison for people, line by line and summed up, and for programs.

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "measure.h"

namespace lanewise::peers {

// The columns: Lanewise and the peers, in order.
std::string Heading(const std::vector<std::string>& libraries);

// A cell in these columns: GFLOP/s, or the time of a call in ns and in cycles.
std::string Line(const Measurement& measurement, const std::vector<std::string>& libraries);

// Geometric means and the worst cells.
std::string Summary(const std::vector<Measurement>& measurements);

// One document, of all cells; `about` is (key, value) of what the figures depend on.
std::string Json(const std::vector<std::pair<std::string, std::string>>& about,
                 const std::vector<Measurement>& measurements);

}  // namespace lanewise::peers
