// SPDX-License-Identifier: Apache-2.0
//
// The search for the largest errors of functions of double. 2^64 inputs cannot be gone through: blocks of hard and
// random ones come first, then the surroundings of the worst.

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <mutex>
#include <new>

#include "accuracy_facts.h"
#include "lanewise/accuracy.h"

namespace lanewise {
namespace {

using internal::FactsOf;
using internal::FunctionFacts;
using internal::kNearest;

// ---- Inputs --------------------------------------------------------------------------------------------------------

// Numbers that a seed determines: splitmix64 (G. L. Steele, D. Lea, C. H. Flood, 2014).
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Bits() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }

  // One of 0 .. count - 1.
  std::uint64_t Below(std::uint64_t count) { return Bits() % count; }

  // In [low, high).
  double Uniform(double low, double high) { return low + (high - low) * (static_cast<double>(Bits() >> 11) * 0x1p-53); }

  // x or -x.
  double WithSign(double x) { return Bits() >> 63 != 0 ? -x : x; }

  // A neighbour of x: up to 2^k of the next numbers away, k < 44.
  double Near(double x) {
    const std::uint64_t distance = Bits() >> (20 + Below(44));
    const auto bits = std::bit_cast<std::uint64_t>(x);
    return std::bit_cast<double>(Bits() >> 63 != 0 ? bits + distance : bits - distance);
  }

 private:
  std::uint64_t state_;
};

double PowerOfTwo(int n) { return std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52); }

// No expression has two calls whose order would be the compiler's choice.
double Magnitude(Numbers& numbers) {
  const double mantissa = numbers.Uniform(1, 2);
  return mantissa * PowerOfTwo(static_cast<int>(numbers.Below(51)) - 40);
}

// Where the function is neither constant nor infinite.
double InInterval(Function function, Numbers& numbers) {
  switch (function) {
    case Function::kLog:
      return numbers.Uniform(0, 4);
    case Function::kLog1p:
      return numbers.Uniform(-1, 4);
    case Function::kSigmoid:
      return numbers.Uniform(-746, 40);
    case Function::kTanh:
      return numbers.Uniform(-20, 20);
    case Function::kExp:
    case Function::kRelu:
    case Function::kLeakyRelu:
      break;
  }
  return numbers.Uniform(-746, 710);
}

// Magnitudes of inputs that are hard for some function.
constexpr double kPlaces[] = {
    0,
    std::numeric_limits<double>::min(),
    0x1p-200,
    0x1p-54,
    0x1p-53,
    0x1p-27,
    0x1p-26,
    0.29,
    0.41,
    0.5,
    0.93,
    0x1.999999999999ap-1,
    1,
    2,
    18.714973875118524,  // tanh becomes 1
    20,                  // what tanh's argument is clamped to
    36.7368005696771,    // sigmoid becomes 1
    660,                 // exp's scale leaves the normal numbers' easy part
    708.3964185322641,   // results become denormal
    709.782712893384,    // overflow
    744.4400719213812,   // the smallest denormal
    745.1332191019411,   // 0
    746,
    0x1p60,
    std::numeric_limits<double>::max(),
};

// Where arguments are reduced: there the remainder is largest, or what remains of the argument after a cancellation.
double ReductionPlace(Function function, Numbers& numbers) {
  constexpr double kQuarterLn2 = 0x1.62e42fefa39efp-3;
  if (function != Function::kLog && function != Function::kLog1p) {
    const double multiple = static_cast<double>(numbers.Below(4400)) * kQuarterLn2;
    return numbers.WithSign(multiple);
  }
  constexpr double kSqrtHalf = 0x1.6a09e667f3bcdp-1;
  const bool exponents_of_one = numbers.Below(2) == 0;
  const int k =
      exponents_of_one ? static_cast<int>(numbers.Below(9)) - 4 : static_cast<int>(numbers.Below(2040)) - 1020;
  const double power = PowerOfTwo(k) * (numbers.Below(2) == 0 ? kSqrtHalf : 1);
  return function == Function::kLog ? power : power - 1;
}

double Input(Function function, Numbers& numbers) {
  switch (numbers.Below(8)) {
    case 0:
      return std::bit_cast<double>(numbers.Bits());
    case 1:
      return numbers.WithSign(Magnitude(numbers));
    case 2:
    case 3:
    case 4:
      return InInterval(function, numbers);
    case 5:
      return numbers.Near(numbers.WithSign(kPlaces[numbers.Below(std::size(kPlaces))]));
    default:
      return numbers.Near(ReductionPlace(function, numbers));
  }
}

// Around an input: as near as the next numbers, and as far as half its size.
double Around(double x, Numbers& numbers) {
  if (numbers.Below(2) == 0) return numbers.Near(x);
  const double part = numbers.Uniform(-0.5, 0.5);
  return x * (1 + part * PowerOfTwo(-static_cast<int>(numbers.Below(40))));
}

// ---- Errors --------------------------------------------------------------------------------------------------------

// 2^n, n >= -2148, times x without an intermediate rounding, for results of ordinary size.
double TimesPowerOfTwo(double x, int n) {
  for (; n > 1000; n -= 1000) x *= 0x1p1000;
  for (; n < -1000; n += 1000) x *= 0x1p-1000;
  return x * PowerOfTwo(n);
}

// |y - exact| in units in the last place of exact. Infinite where y is not the NaN, infinity or zero that it must be.
double UlpError(double y, const WideValue& exact) {
  constexpr double kWrong = std::numeric_limits<double>::infinity();
  if (!std::isfinite(exact.high) || exact.high == 0) {
    const bool right = std::isnan(exact.high)
                           ? std::isnan(y)
                           : std::bit_cast<std::uint64_t>(y) == std::bit_cast<std::uint64_t>(exact.high);
    return right ? 0 : kWrong;
  }
  int shift = exact.exponent;
  double high = exact.high;
  double low = exact.low;
  if (std::fabs(high) < 0x1p-500) {  // only what is returned as it came: a denormal number has no exponent to read
    high *= 0x1p600;
    low *= 0x1p600;
    shift -= 600;
  }
  const int exponent = static_cast<int>(std::bit_cast<std::uint64_t>(high) >> 52 & 0x7FF) - 1023 + shift;
  if (exponent > 1023) return y == std::copysign(kWrong, high) ? 0 : kWrong;
  if (!std::isfinite(y)) return kWrong;
  const int ulp = std::max(exponent, -1022) - 52;
  // The first difference is exact where the error is small.
  const double error = (TimesPowerOfTwo(y, -shift) - high) - low;
  return std::fabs(TimesPowerOfTwo(error, shift - ulp));
}

// What was found in one block.
struct Findings {
  double max_ulp = 0;
  double worst_input = 0;
  std::uint64_t not_nearest = 0;
  std::uint64_t out_of_range = 0;
  std::uint64_t hash = 0;
};

// The memory of one thread.
class Worker {
 public:
  Worker() : x(kSearchBlock), exact_(kSearchBlock), y_(kSearchBlock) {}

  // Judges the candidates on x. findings: one per candidate.
  void Run(Function function, std::span<const CandidateOf<double>> candidates, const SweepOptions& options,
           Findings* findings) {
    const FunctionFacts& facts = FactsOf(function);
    ReferenceValues(function, x.data(), exact_.data(), x.size());
    for (const CandidateOf<double>& candidate : candidates) {
      Findings& found = *findings++;
      candidate.run(x.data(), y_.data(), x.size());
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double ulp = UlpError(y_[i], exact_[i]);
        if (ulp > found.max_ulp) {
          found.max_ulp = ulp;
          found.worst_input = x[i];
        }
        found.not_nearest += ulp > kNearest ? 1 : 0;
        found.out_of_range += y_[i] < facts.low || y_[i] > facts.high ? 1 : 0;
        if (std::isnan(y_[i])) y_[i] = std::numeric_limits<double>::quiet_NaN();
      }
      if (options.hash != nullptr) found.hash = options.hash(y_.data(), y_.size() * sizeof(double));
    }
  }

  std::vector<double> x;  // the block's inputs

 private:
  std::vector<WideValue> exact_;
  std::vector<double> y_;
};

// Of each candidate the inputs of the worst blocks. `findings` holds those of a block's candidates side by side.
std::vector<double> WorstInputs(std::span<const Findings> findings, std::size_t candidates) {
  constexpr std::size_t kOfEach = 32;
  std::vector<double> inputs;
  for (std::size_t c = 0; c < candidates; ++c) {
    std::vector<std::size_t> places;
    for (std::size_t i = c; i < findings.size(); i += candidates) places.push_back(i);
    std::sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
      return findings[a].max_ulp > findings[b].max_ulp || (findings[a].max_ulp == findings[b].max_ulp && a < b);
    });
    places.resize(std::min(places.size(), kOfEach));
    for (const std::size_t place : places) {
      const double input = findings[place].worst_input;
      if (std::find(inputs.begin(), inputs.end(), input) == inputs.end()) inputs.push_back(input);
    }
  }
  return inputs;
}

}  // namespace

void SearchBlock(Function function, std::uint64_t index, double* x) {
  Numbers numbers(index << 32);
  for (std::size_t i = 0; i < kSearchBlock; ++i) x[i] = Input(function, numbers);
}

Result<std::vector<Accuracy>> Search(Function function, std::span<const CandidateOf<double>> candidates,
                                     std::size_t blocks, Executor& executor, const SweepOptions& options) {
  constexpr std::size_t kRounds = 4;
  try {
    const std::size_t first_round = blocks - blocks / 2;
    std::vector<Findings> findings(blocks * candidates.size());
    std::vector<Worker> workers(std::min(static_cast<std::size_t>(executor.Threads()), blocks));
    std::vector<double> worst;  // empty in the first round
    std::atomic<bool> ended{false};
    std::size_t done = 0;
    std::mutex mutex;
    for (std::size_t round = 0; round <= kRounds && !ended; ++round) {
      std::atomic<std::size_t> next{round == 0 ? 0 : first_round + (blocks - first_round) * (round - 1) / kRounds};
      const std::size_t end = first_round + (blocks - first_round) * round / kRounds;
      RunTasks(executor, static_cast<int>(workers.size()), [&](int w) {
        Worker& worker = workers[static_cast<std::size_t>(w)];
        for (std::size_t b = next++; b < end && !ended; b = next++) {
          if (worst.empty()) {
            SearchBlock(function, b, worker.x.data());
          } else {
            Numbers numbers(b << 32);
            for (double& x : worker.x) x = Around(worst[numbers.Below(worst.size())], numbers);
          }
          worker.Run(function, candidates, options, &findings[b * candidates.size()]);
          if (!options.progress) continue;
          const std::lock_guard lock(mutex);
          if (!options.progress(static_cast<double>(++done) / static_cast<double>(blocks))) ended = true;
        }
      });
      worst = WorstInputs(std::span(findings).first(end * candidates.size()), candidates.size());
    }
    if (ended) return Status(StatusCode::kInvalidArgument, "the search was ended before its end");
    std::vector<Accuracy> results;
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      Accuracy total;
      total.name = candidates[c].name;
      for (std::size_t b = 0; b < blocks; ++b) {
        const Findings& block = findings[b * candidates.size() + c];
        if (block.max_ulp > total.max_ulp) {
          total.max_ulp = block.max_ulp;
          total.worst_input = std::bit_cast<std::uint64_t>(block.worst_input);
        }
        total.not_nearest += block.not_nearest;
        total.out_of_range += block.out_of_range;
        if (options.hash != nullptr && b < first_round) total.hashes.push_back(block.hash);
      }
      results.push_back(std::move(total));
    }
    return results;
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "out of memory for the results of a search");
  }
}

}  // namespace lanewise
