// SPDX-License-Identifier: Apache-2.0
//
// How a name that nobody knows is reported, wherever names are read: tiers, kernels, commands, activations, settings.

#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lanewise {

// "unknown tier 'avx51'; valid: portable sse4 avx2 avx512 neon (did you mean 'avx512'?)", where `what` is "tier". The
// nearest of the valid names is the first with the fewest insertions, deletions and substitutions (Levenshtein),
// whatever the case of letters.
std::string UnknownName(std::string_view what, std::string_view name, std::span<const std::string_view> valid);

}  // namespace lanewise
