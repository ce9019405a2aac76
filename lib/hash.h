// SPDX-License-Identifier: Apache-2.0
//
// The hash of results and parameters. Not for security: it finds changes, not forgeries.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace lanewise {

// XXH3's 64 bits.
std::uint64_t Hash(const void* bytes, std::size_t size);

// Its 16 hexadecimal digits.
std::string HashText(std::uint64_t hash);

}  // namespace lanewise
