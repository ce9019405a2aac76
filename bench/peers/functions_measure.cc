// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>

#include "fmt/format.h"
#include "functions_grid.h"
#include "lanewise/context.h"
#include "lanewise/functions.h"

namespace lanewise::peers {

namespace {

struct Range {
  float low;
  float high;
};

// In the order of kInputs.
const Range (&RangesOf(Function function))[3] {
  static constexpr Range kExponential[] = {{-10, 10}, {-110, 88}, {-103, -88}};
  static constexpr Range kPositive[] = {{0.01F, 10}, {0, 1e30F}, {0, 1e-38F}};
  static constexpr Range kTiny[] = {{-10, 10}, {-110, 88}, {-1e-38F, 1e-38F}};
  if (function == Function::kLog || function == Function::kLog1p) return kPositive;
  return function == Function::kTanh ? kTiny : kExponential;
}

using Apply = Status (*)(Context&, std::span<const float>, std::span<float>);

Apply ApplyOf(Function function) {
  switch (function) {
    case Function::kExp:
      return Exp<float>;
    case Function::kLog:
      return Log<float>;
    case Function::kLog1p:
      return Log1p<float>;
    case Function::kSigmoid:
      return Sigmoid<float>;
    case Function::kTanh:
      return Tanh<float>;
    case Function::kRelu:
      return Relu<float>;
    case Function::kLeakyRelu:
      break;
  }
  return LeakyRelu<float>;
}

std::vector<FunctionPeer> PeersFor(Function function) {
  std::vector<FunctionPeer> peers;
  for (const char* tier : kTiers) {
    const Result<Kernels> kernels = SelectKernels(tier);
    if (!kernels.ok()) continue;
    peers.push_back({NameOfOurs(tier), std::string(Name(function)),
                     [apply = ApplyOf(function), context = std::make_shared<Context>(*kernels)](
                         const float* x, float* y, std::size_t n) {
                       if (!apply(*context, {x, n}, {y, n}).ok()) std::fill_n(y, n, NAN);
                     }});
  }
  static const std::vector<FunctionPeer> kOffered[] = {NativeFunctions(), MklFunctions(), OneDnnFunctions(),
                                                       PythonFunctions()};
  for (const std::vector<FunctionPeer>& offered : kOffered) {
    for (const FunctionPeer& peer : offered) {
      if (peer.function == Name(function)) peers.push_back(peer);
    }
  }
  return peers;
}

std::vector<double> RatesOn(const std::vector<float>& x, const std::vector<FunctionPeer>& peers) {
  std::vector<float> y(x.size());
  std::vector<std::function<double(int)>> runs;
  runs.reserve(peers.size());
  for (const FunctionPeer& peer : peers) {
    runs.emplace_back([&](int times) {
      if (peer.seconds) return peer.seconds(x.data(), x.size(), times);
      return Seconds([&] { peer.run(x.data(), y.data(), x.size()); }, times);
    });
  }
  return Throughput(runs, x.size());
}

double MaxUlpOf(Function function, const FunctionPeer& peer, const std::vector<SweepBlock>& blocks) {
  SerialExecutor executor;
  const Candidate candidate{peer.library, peer.run};
  const auto found = Sweep(function, {&candidate, 1}, blocks, executor);
  return found.ok() ? found->front().max_ulp : NAN;
}

// The part of a sweep whose inputs are at most 87.
std::vector<SweepBlock> Ordinary(std::vector<SweepBlock> blocks) {
  constexpr auto kEnd = std::bit_cast<std::uint32_t>(87.0F) + 1;
  for (SweepBlock& block : blocks) {
    const std::uint32_t magnitude = block.first & 0x7FFFFFFF;
    const std::uint32_t inside = magnitude >= kEnd ? 0 : (kEnd - magnitude + block.stride - 1) / block.stride;
    block.count = std::min(block.count, inside);
  }
  return blocks;
}

}  // namespace

std::string NameOfOurs(const std::string& tier) { return "Lanewise " + tier; }

std::vector<float> Sample(float low, float high, std::size_t n) {
  std::vector<float> x(n);
  std::uint64_t state = 1;
  for (float& v : x) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    v = low + (high - low) * std::ldexp(static_cast<float>(state >> 40), -24);
  }
  return x;
}

double Seconds(const std::function<void()>& run, int times) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::vector<double> Throughput(const std::vector<std::function<double(int times)>>& runs, std::size_t n) {
  constexpr int kRounds = 15;
  constexpr double kTurn = 3e-4;  // seconds
  std::vector<int> times;
  for (const auto& run : runs) {
    run(1);
    times.push_back(1 + static_cast<int>(kTurn / run(1)));
  }
  std::vector<std::vector<double>> rates(runs.size());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t r = 0; r < runs.size(); ++r) {
      rates[r].push_back(static_cast<double>(n) * times[r] / runs[r](times[r]) * 1e-9);
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& rate : rates) {
    std::nth_element(rate.begin(), rate.begin() + kRounds / 2, rate.end());
    medians.push_back(rate[kRounds / 2]);
  }
  return medians;
}

FunctionTable CompareFunction(Function function) {
  const std::vector<FunctionPeer> peers = PeersFor(function);
  FunctionTable table{std::string(Name(function)), {}};
  const std::vector<SweepBlock> sweep = QuickSweep();
  for (const FunctionPeer& peer : peers) {
    table.libraries.push_back(
        {peer.library, {}, MaxUlpOf(function, peer, sweep), MaxUlpOf(function, peer, Ordinary(sweep))});
  }
  for (std::size_t s = 0; s < std::size(kSizes); ++s) {
    for (std::size_t i = 0; i < std::size(kInputs); ++i) {
      const Range range = RangesOf(function)[i];
      const std::vector<double> rates = RatesOn(Sample(range.low, range.high, kSizes[s]), peers);
      for (std::size_t p = 0; p < peers.size(); ++p) table.libraries[p].rates[s][i] = rates[p];
    }
  }
  return table;
}

}  // namespace lanewise::peers
