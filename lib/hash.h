// SPDX-License-Identifier: Apache-2.0
//
// The hash of results and parameters. Not for security: it finds changes, not forgeries.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lanewise {

// XXH3's 64 bits.
std::uint64_t Hash(const void* bytes, std::size_t size);

// Its 16 hexadecimal digits, and the hash of a text that is exactly such digits.
std::string HashText(std::uint64_t hash);
std::optional<std::uint64_t> ParseHash(std::string_view text);

}  // namespace lanewise
