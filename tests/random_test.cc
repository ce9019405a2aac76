// SPDX-License-Identifier: Apache-2.0
//
// The generator against Random123's known answers, and what is drawn from it.

#include "lanewise/random.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "doctest/doctest.h"

namespace lanewise {
namespace {

using Words = std::array<std::uint32_t, 4>;

TEST_CASE("Philox4x32-10 gives Random123's known answers") {
  CHECK(Philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("the sequence is the block function over the stated counter") {
  const std::uint64_t seed = 0x0123456789abcdef;
  Random random(seed, Stream::kShuffle, 7);
  for (std::uint32_t block = 0; block < 3; ++block) {
    for (const std::uint32_t word : Philox4x32({block, 0, 7, 2}, {0x89abcdef, 0x01234567})) {
      CHECK(random.Next32() == word);
    }
  }
  CHECK(random.position() == 12);
  // The carry into the second counter word.
  random.Seek((std::uint64_t{1} << 34) - 1);
  CHECK(random.Next32() == Philox4x32({0xffffffff, 0, 7, 2}, {0x89abcdef, 0x01234567})[3]);
  CHECK(random.Next32() == Philox4x32({0, 1, 7, 2}, {0x89abcdef, 0x01234567})[0]);
}

TEST_CASE("Seek reaches any position, and a copy goes on from the same one") {
  std::vector<std::uint32_t> words;
  words.reserve(20);
  Random random(1, Stream::kUser);
  for (int i = 0; i < 20; ++i) words.push_back(random.Next32());
  for (const std::size_t position : {19U, 0U, 5U, 4U, 7U, 8U}) {
    random.Seek(position);
    Random copy = random;
    CHECK(random.Next32() == words[position]);
    CHECK(copy.Next32() == words[position]);
  }
  random.Seek(3);  // across two blocks
  CHECK(random.Next64() == (words[3] | std::uint64_t{words[4]} << 32));
}

TEST_CASE("seeds, streams and indices give different sequences") {
  std::vector<std::uint64_t> firsts;
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32}) {
    for (const Stream stream : {Stream::kInitialise, Stream::kShuffle, Stream::kUser}) {
      for (const std::uint32_t index : {0U, 1U, 0xffffffffU}) firsts.push_back(Random(seed, stream, index).Next64());
    }
  }
  std::sort(firsts.begin(), firsts.end());
  CHECK(std::adjacent_find(firsts.begin(), firsts.end()) == firsts.end());
}

TEST_CASE("uniform numbers are the top bits, below one, and spread evenly") {
  Random random(42, Stream::kUser);
  Random words(42, Stream::kUser);
  int buckets[16] = {};
  for (int i = 0; i < 160000; ++i) {
    const float value = random.UniformFloat();
    CHECK_EQ(value, static_cast<float>(words.Next32() >> 8) / 16777216.0F);
    REQUIRE(value >= 0);
    REQUIRE(value < 1);
    ++buckets[static_cast<int>(value * 16)];
  }
  // 10000 expected with a standard deviation of 97; the draw is fixed, so this cannot fail by chance later.
  for (const int count : buckets) CHECK(std::abs(count - 10000) < 5 * 97);
  const double wide = random.UniformDouble();
  CHECK(wide == static_cast<double>(words.Next64() >> 11) / 9007199254740992.0);
}

TEST_CASE("bounded integers stay below the bound and are equally likely") {
  Random random(42, Stream::kUser);
  CHECK(random.Below(1) == 0);
  int counts[6] = {};
  for (int i = 0; i < 60000; ++i) {
    const std::uint64_t value = random.Below(6);
    REQUIRE(value < 6);
    ++counts[value];
  }
  for (const int count : counts) CHECK(std::abs(count - 10000) < 5 * 92);

  // Every draw is the high half of word * bound, unless the low half falls in the surplus. With this bound a fourth of
  // all words does, so that rejection is seen.
  const std::uint64_t bound = std::uint64_t{3} << 62;
  const std::uint64_t surplus = (std::numeric_limits<std::uint64_t>::max() % bound + 1) % bound;
  CHECK(surplus == std::uint64_t{1} << 62);
  Random words = random;
  int rejected = 0;
  for (int i = 0; i < 400; ++i) {
    const std::uint64_t value = random.Below(bound);
    REQUIRE(value < bound);
    std::uint64_t word = words.Next64();
    for (; word * bound < surplus; word = words.Next64()) ++rejected;
    // word * 3 * 2^62 / 2^64 = word * 3 / 4
    CHECK(value == word / 4 * 3 + word % 4 * 3 / 4);
  }
  CHECK(rejected > 80);
  CHECK(rejected < 200);
  CHECK(random.position() == words.position());
}

TEST_CASE("Shuffle is the permutation that its description says") {
  std::vector<int> items(100);
  std::iota(items.begin(), items.end(), 0);
  std::vector<int> expected = items;
  Random random(9, Stream::kShuffle, 3);
  Random draws = random;
  Shuffle(std::span(items), random);
  for (std::size_t i = 99; i >= 1; --i) std::swap(expected[i], expected[draws.Below(i + 1)]);
  CHECK(items == expected);
  CHECK(!std::is_sorted(items.begin(), items.end()));
  std::sort(items.begin(), items.end());
  for (int i = 0; i < 100; ++i) CHECK(items[static_cast<std::size_t>(i)] == i);

  std::vector<int> none;
  Shuffle(std::span(none), random);
  std::vector<int> one = {5};
  Shuffle(std::span(one), random);
  CHECK(one == std::vector<int>{5});
}

}  // namespace
}  // namespace lanewise
