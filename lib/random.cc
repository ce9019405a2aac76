// SPDX-License-Identifier: Apache-2.0
//
// The parts of Random that need not be inline.

#include "lanewise/random.h"

#include <cassert>

namespace lanewise {

void Random::FillBlock() {
  const std::uint64_t block = position_ / 4;
  block_ = Philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), index_,
                       static_cast<std::uint32_t>(stream_)},
                      {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
  block_is_current_ = true;
}

std::uint64_t Random::Below(std::uint64_t bound) {
  assert(bound >= 1);
  __extension__ using Wide = unsigned __int128;
  Wide product = Wide{Next64()} * bound;
  if (static_cast<std::uint64_t>(product) < bound) {
    // 2^64 mod bound: the products whose low half lies below it would make some results likelier than others.
    const std::uint64_t surplus = (0 - bound) % bound;
    while (static_cast<std::uint64_t>(product) < surplus) product = Wide{Next64()} * bound;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

}  // namespace lanewise
