// SPDX-License-Identifier: Apache-2.0
//
// The fixed work of lanewise/repro.h: what is computed, from which numbers. It must not know tiers, threads or hashes.
// Changing anything here changes the hashes: make tests/golden/repro.json again.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lanewise/context.h"
#include "lanewise/status.h"

namespace lanewise::internal {

// What must not change a result.
struct Variation {
  std::ptrdiff_t offset;  // elements between a 64-byte boundary and the first element of each array
  std::ptrdiff_t batch;   // rows (of functions: elements) at once; 0: all
  bool packed;            // weights packed beforehand, where there is the choice
  const char* text;
};

// A result's elements: floats and doubles as the bits of doubles, every NaN as the same one; integers as int64.
using Elements = std::vector<std::uint64_t>;

struct Operation {
  std::string topic;
  std::string text;        // shape and settings
  std::ptrdiff_t columns;  // of the result; 0 if it is no matrix
  // Appends the result to `out`. May throw std::bad_alloc.
  std::function<Status(Context& context, const Variation& variation, Elements& out)> run;
  bool integers = false;
};

// Calls visit for each operation in turn, all of a topic after each other, until it returns false.
void ForEachOperation(const std::function<bool(const Operation&)>& visit);

}  // namespace lanewise::internal
