// SPDX-License-Identifier: Apache-2.0
//
// Generated digits.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "data_case.h"
#include "doctest/doctest.h"
#include "lanewise/data/digits.h"

namespace lanewise::test {
namespace {

std::uint64_t Fnv1a(const std::vector<std::uint8_t>& bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

TEST_CASE("digits are valid, the same everywhere, and as many as wanted") {
  const Result<Dataset> train = GenerateDigits(2000, 1, Split::kTrain);
  REQUIRE(train.ok());
  CHECK(Validate(*train).ok());
  CHECK(train->samples == 2000);
  CHECK(train->image_rows == 28);
  CHECK(train->class_names[9] == "9");
  // Equal with GCC and clang at every optimisation level, on x86-64 and AArch64.
  CHECK(Fnv1a(train->bytes) == 0xac2c5574b2c9f706);
  for (std::int32_t digit = 0; digit < 10; ++digit) {
    const std::ptrdiff_t count = std::count(train->labels.begin(), train->labels.end(), digit);
    CHECK(std::abs(count - 200) < 70);  // 5 standard deviations
  }

  const Result<Dataset> shorter = GenerateDigits(3, 1, Split::kTrain);
  REQUIRE(shorter.ok());
  CHECK(std::equal(shorter->bytes.begin(), shorter->bytes.end(), train->bytes.begin()));
  CHECK(GenerateDigits(3, 2, Split::kTrain)->bytes != shorter->bytes);
  CHECK(GenerateDigits(3, 1, Split::kTest)->bytes != shorter->bytes);
}

TEST_CASE("digits can be told apart, and not by a rule of thumb alone") {
  // The nearest of the ten mean images, learned from 4000 samples: far better than guessing, far from perfect.
  const Result<Dataset> train = GenerateDigits(4000, 3, Split::kTrain);
  const Result<Dataset> test = GenerateDigits(1000, 3, Split::kTest);
  REQUIRE(train.ok());
  REQUIRE(test.ok());
  std::vector<double> means(10 * 784);
  for (std::size_t i = 0; i < 4000; ++i) {
    const std::size_t digit = static_cast<std::size_t>(train->labels[i]);
    const double count = static_cast<double>(std::count(train->labels.begin(), train->labels.end(), train->labels[i]));
    for (std::size_t j = 0; j < 784; ++j) means[digit * 784 + j] += train->bytes[i * 784 + j] / count;
  }
  int right = 0;
  for (std::size_t i = 0; i < 1000; ++i) {
    double nearest = 1e30;
    std::int32_t guess = -1;
    for (std::size_t digit = 0; digit < 10; ++digit) {
      double distance = 0;
      for (std::size_t j = 0; j < 784; ++j) {
        const double difference = test->bytes[i * 784 + j] - means[digit * 784 + j];
        distance += difference * difference;
      }
      if (distance < nearest) {
        nearest = distance;
        guess = static_cast<std::int32_t>(digit);
      }
    }
    right += guess == test->labels[i] ? 1 : 0;
  }
  MESSAGE("nearest mean: " << right << " of 1000");
  CHECK(right > 500);
  CHECK(right < 900);
}

TEST_CASE("numbers of digits that cannot be drawn") {
  for (const std::ptrdiff_t count : {std::ptrdiff_t{0}, std::ptrdiff_t{-1}, std::ptrdiff_t{1} << 32}) {
    CheckRefused(GenerateDigits(count, 1, Split::kTrain), StatusCode::kInvalidArgument, {"digits are asked for"});
  }
}

}  // namespace
}  // namespace lanewise::test
