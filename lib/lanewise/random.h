// SPDX-License-Identifier: Apache-2.0
//
// Random numbers that are the same on every platform, compiler and thread count: Philox4x32-10, a counter-based
// generator (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011; the multipliers, key
// increments and known answers are those of its Random123 library). It has no state but a position, so any draw can be
// reached directly and a checkpoint is three integers. Not for cryptography.
//
// There is no normal distribution: it needs a logarithm, and libm's differs between CPUs.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lanewise {

// The block function: ten rounds of two 32 x 32 -> 64 bit products each.
constexpr std::array<std::uint32_t, 4> Philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

// What numbers are drawn for. Streams of one seed are independent; never renumber one, results depend on it.
enum class Stream : std::uint32_t {
  kInitialise = 1,   // index: number of the layer
  kShuffle = 2,      // index: number of the epoch
  kSplit = 3,        // SplitDataset
  kDigitsTrain = 4,  // GenerateDigits, index: number of the sample
  kDigitsTest = 5,
  kGolden = 6,         // AddGoldenCases, index: number of the case
  kRepro = 7,          // RunRepro, index: number of the operation
  kUser = 0x80000000,  // this and above: yours
};

// The sequence of 32-bit words of (seed, stream, index): word w is word w % 4 of
// Philox4x32({w / 4 mod 2^32, w / 2^34, index, stream}, {seed mod 2^32, seed / 2^32}). A small value type; a copy
// continues from the same position. Not shared between threads while it is drawn from.
class Random {
 public:
  Random(std::uint64_t seed, Stream stream, std::uint32_t index = 0) : seed_(seed), stream_(stream), index_(index) {}

  // The number of words drawn so far, and going to any other place. Costs nothing.
  std::uint64_t position() const { return position_; }
  void Seek(std::uint64_t position) {
    position_ = position;
    block_is_current_ = false;
  }

  std::uint32_t Next32() {
    const std::uint64_t word = position_ % 4;
    if (word == 0 || !block_is_current_) FillBlock();
    ++position_;
    return block_[word];
  }

  // Two words, the first one is the low half.
  std::uint64_t Next64() {
    const std::uint64_t low = Next32();
    return low | std::uint64_t{Next32()} << 32;
  }

  // Uniform in [0, 1): a multiple of 2^-24 from the top 24 bits of a word, or of 2^-53 from the top 53 bits of two.
  float UniformFloat() { return static_cast<float>(Next32() >> 8) * 0x1p-24F; }
  double UniformDouble() { return static_cast<double>(Next64() >> 11) * 0x1p-53; }

  // Uniform in [0, bound), exactly: each value is equally likely (Lemire, "Fast random integer generation in an
  // interval", 2019). bound >= 1. Takes two words, and two more with a chance below bound / 2^64.
  std::uint64_t Below(std::uint64_t bound);

 private:
  void FillBlock();

  std::uint64_t seed_;
  Stream stream_;
  std::uint32_t index_;
  std::uint64_t position_ = 0;
  std::array<std::uint32_t, 4> block_ = {};
  bool block_is_current_ = false;
};

// Fisher and Yates: from the last item down to the second, swaps item i with item Below(i + 1). For a permutation,
// shuffle 0, 1 ... n - 1; equal (seed, stream, index) give equal ones.
template <typename T>
void Shuffle(std::span<T> items, Random& random) {
  for (std::size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[static_cast<std::size_t>(random.Below(i))]);
  }
}

}  // namespace lanewise
