// SPDX-License-Identifier: Apache-2.0
//
// The measurement of errors: its reference against long double, planted errors of every kind, and the certificates in
// tests/certificates, of which every tier must reproduce a sample of chunks.

#include "lanewise/accuracy.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "bits.h"
#include "doctest/doctest.h"
#include "format.h"
#include "nlohmann/json.hpp"
#include "reference.h"
#include "tiers.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace lanewise::test {
namespace {

std::uint64_t Hash(const void* bytes, std::size_t size) { return XXH3_128bits(bytes, size).low64; }

Candidate KernelCandidate(Function function, Tier tier) { return Implementation<float>(function, KernelsOf(tier)); }

// Rounds the reference: nothing is more accurate.
Candidate Nearest(Function function) {
  return {"nearest", [function](const float* x, float* y, std::size_t n) {
            std::vector<double> exact(n);
            ReferenceValues(function, x, exact.data(), n);
            for (std::size_t i = 0; i < n; ++i) y[i] = static_cast<float>(exact[i]);
          }};
}

Accuracy SweepOne(Function function, const Candidate& candidate, const std::vector<SweepBlock>& blocks,
                  Executor& executor) {
  SweepOptions options;
  options.hash = Hash;
  const auto found = Sweep(function, {&candidate, 1}, blocks, executor, options);
  REQUIRE_MESSAGE(found.ok(), found.status().message());
  return found->front();
}

TEST_CASE("the reference is good to 2^-20 units in the last place") {
  for (Function function : kFunctions) {
    const UnaryReference& exact = *FindUnary<float>(Name(function));
    INFO(std::string(Name(function)));
    double worst = 0;
    for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 7919) {
      const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
      double y = 0;
      ReferenceValues(function, &x, &y, 1);
      const long double expected = exact.exact(static_cast<long double>(x));
      const auto rounded = static_cast<float>(expected);
      if (!std::isfinite(rounded)) {
        REQUIRE(SameBits(static_cast<float>(y), rounded));
        continue;
      }
      const int ulp = std::max(rounded == 0 ? -200 : std::ilogb(rounded), -126) - 23;
      worst = std::max(worst, static_cast<double>(std::scalbn(std::fabs(y - expected), -ulp)));
    }
    CHECK(worst <= 0x1p-20);
  }
}

TEST_CASE("rounded reference values are nearest, in order and in range") {
  SerialExecutor executor;
  for (Function function : kFunctions) {
    INFO(std::string(Name(function)));
    const Accuracy a = SweepOne(function, Nearest(function), {{0x3F000000, 1, 4096}, {0xBF000000, 3, 4096}}, executor);
    CHECK(a.max_ulp <= 0.5);
    CHECK(a.not_nearest == 0);
    CHECK(a.not_monotonic == 0);
    CHECK(a.out_of_range == 0);
  }
}

// The nearest results of sigmoid, but `value` at one input.
Candidate Planted(std::uint32_t input, float value) {
  return {"planted", [=, nearest = Nearest(Function::kSigmoid)](const float* x, float* y, std::size_t n) {
            nearest.run(x, y, n);
            for (std::size_t i = 0; i < n; ++i) {
              if (std::bit_cast<std::uint32_t>(x[i]) == input) y[i] = value;
            }
          }};
}

TEST_CASE("planted errors are found") {
  SerialExecutor executor;
  const std::vector<SweepBlock> blocks = {{0x3F000000, 1, 6000}, {0x3F000000 + 6000, 1, 6000}};
  const std::uint32_t place = 0x3F000000 + 5000;
  const auto x = std::bit_cast<float>(place);
  const float right = [&] {
    float y = 0;
    Nearest(Function::kSigmoid).run(&x, &y, 1);
    return y;
  }();
  const Accuracy good = SweepOne(Function::kSigmoid, Planted(0, 0), blocks, executor);

  const Accuracy next = SweepOne(Function::kSigmoid, Planted(place, std::nextafter(right, 1.0F)), blocks, executor);
  CHECK(next.max_ulp > 0.5);
  CHECK(next.max_ulp <= 1.5);
  CHECK(next.worst_input == place);
  CHECK(next.not_nearest == 1);
  CHECK(next.hashes[0] != good.hashes[0]);
  CHECK(next.hashes[1] == good.hashes[1]);

  const Accuracy high = SweepOne(Function::kSigmoid, Planted(place, 1.0000001F), blocks, executor);
  CHECK(high.out_of_range == 1);
  CHECK(high.not_monotonic == 1);

  // The order is followed from block to block.
  const Accuracy edge = SweepOne(Function::kSigmoid, Planted(0x3F000000 + 6000, 0.25F), blocks, executor);
  CHECK(edge.not_monotonic == 1);

  const Accuracy nan =
      SweepOne(Function::kSigmoid, Planted(place, std::numeric_limits<float>::quiet_NaN()), blocks, executor);
  CHECK(std::isinf(nan.max_ulp));
  CHECK(nan.worst_input == place);

  // The sign of a zero counts, and a NaN's payload does not.
  const Candidate positive_zero = {"+0", [](const float* in, float* y, std::size_t n) {
                                     for (std::size_t i = 0; i < n; ++i) y[i] = in[i] < 0 ? 0 : std::fabs(in[i]);
                                   }};
  const Accuracy relu = SweepOne(Function::kRelu, positive_zero, {{0x80000000, 1, 10}}, executor);
  CHECK(std::isinf(relu.max_ulp));
  CHECK(relu.worst_input == 0x80000000);
  CHECK(SweepOne(Function::kRelu, positive_zero, {{0x7F800001, 1, 10}}, executor).max_ulp == 0);
}

TEST_CASE("threads change nothing, and a sweep can be ended") {
  SerialExecutor serial;
  ThreadPool pool(3);
  const std::vector<SweepBlock> blocks = QuickSweep();
  const Candidate kernel = KernelCandidate(Function::kTanh, Tier::kPortable);
  const Accuracy one = SweepOne(Function::kTanh, kernel, blocks, serial);
  const Accuracy three = SweepOne(Function::kTanh, kernel, blocks, pool);
  CHECK(one.max_ulp == three.max_ulp);
  CHECK(one.worst_input == three.worst_input);
  CHECK(one.not_nearest == three.not_nearest);
  CHECK(one.hashes == three.hashes);

  SweepOptions options;
  options.progress = [](double) { return false; };
  CHECK(!Sweep(Function::kTanh, {&kernel, 1}, blocks, pool, options).ok());
}

TEST_CASE("blocks that are too long or change sign are refused") {
  SerialExecutor executor;
  const Candidate kernel = Nearest(Function::kExp);
  for (const SweepBlock& block : {SweepBlock{0, 1, kChunk + 1}, SweepBlock{0x7FFFFFFF, 1, 2}}) {
    const auto found = Sweep(Function::kExp, {&kernel, 1}, {&block, 1}, executor);
    CHECK(found.status().code() == StatusCode::kInvalidArgument);
  }
}

// One chunk in 512: zeros, ordinary numbers, both signs, infinities and NaN are among them.
TEST_CASE("every tier gives the results that its certificates attest") {
  ThreadPool pool;
  for (Function function : kFunctions) {
    CHECK(IsCorrectlyRounded(function) == (MaxUlp<float>(function, NumericClass::kFma) <= 0.5));
    if (IsCorrectlyRounded(function)) continue;
    const std::string path = Format("{}/{}_f32.json", LANEWISE_CERTIFICATES, Name(function));
    INFO(path);
    std::ifstream file(path);
    REQUIRE(file);
    const auto certificate = nlohmann::json::parse(file);
    ForEachTier([&](Tier tier, const kernels::KernelTable& /*table*/) {
      const auto& classes = certificate.at("classes");
      const auto entry = std::find_if(classes.begin(), classes.end(),
                                      [tier](const auto& c) { return c.at("class") == Name(ClassOf(tier)); });
      REQUIRE(entry != classes.end());
      CHECK(entry->at("max_ulp").template get<double>() <= MaxUlp<float>(function, ClassOf(tier)));
      CHECK(entry->at("out_of_range") == 0);
      std::vector<std::uint32_t> chunks;
      chunks.reserve(10);
      for (std::uint32_t chunk = 0x3F; chunk < kChunks; chunk += 512) chunks.push_back(chunk);
      chunks.push_back(0x42B);  // exp overflows
      chunks.push_back(0xC2A);  // exp becomes denormal
      std::vector<SweepBlock> blocks;
      blocks.reserve(chunks.size());
      for (std::uint32_t chunk : chunks) blocks.push_back(Chunk(chunk));
      const Accuracy found = SweepOne(function, KernelCandidate(function, tier), blocks, pool);
      for (std::size_t i = 0; i < chunks.size(); ++i) {
        const std::string line = entry->at("chunks").at(chunks[i] / 64);
        CAPTURE(chunks[i]);
        CHECK(Format("{:08x}", found.hashes[i] & 0xFFFFFFFF) == line.substr(chunks[i] % 64 * 8, 8));
      }
    });
  }
}

}  // namespace
}  // namespace lanewise::test
