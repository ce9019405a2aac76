// SPDX-License-Identifier: Apache-2.0

#include "hash.h"

#include "format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace lanewise {

std::uint64_t Hash(const void* bytes, std::size_t size) { return XXH3_64bits(bytes, size); }

std::string HashText(std::uint64_t hash) { return Format("{:016x}", hash); }

}  // namespace lanewise
