// SPDX-License-Identifier: Apache-2.0

#include "hash.h"

#include <charconv>

#include "format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace lanewise {

std::uint64_t Hash(const void* bytes, std::size_t size) { return XXH3_64bits(bytes, size); }

std::string HashText(std::uint64_t hash) { return Format("{:016x}", hash); }

std::optional<std::uint64_t> ParseHash(std::string_view text) {
  std::uint64_t hash = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), hash, 16);
  return parsed.ec == std::errc() && HashText(hash) == text ? std::optional(hash) : std::nullopt;
}

}  // namespace lanewise
