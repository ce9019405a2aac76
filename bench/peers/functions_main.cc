// SPDX-License-Identifier: Apache-2.0
//
// lanewise-function-peers: exp, log, log1p, sigmoid and tanh beside other libraries, each with its largest error by the
// same sweep. One thread; throughput in floats per ns, the median of rounds in which all have their turn.

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "functions.h"
#include "lanewise/accuracy.h"
#include "lanewise/cpu.h"
#include "lanewise/isa.h"

namespace lanewise::peers {

namespace {

struct Inputs {
  const char* name;
  float low;
  float high;
};

// Where inputs lie: results of a network's layers; everything up to overflow; denormal results of exp and sigmoid.
constexpr Inputs kInputs[] = {{"benign", -10, 10}, {"mixed", -110, 88}, {"denormal", -103, -88}};
constexpr Inputs kPositive[] = {{"benign", 0.01F, 10}, {"mixed", 0, 1e30F}, {"denormal", 0, 1e-38F}};
constexpr Inputs kTiny[] = {{"benign", -10, 10}, {"mixed", -110, 88}, {"denormal", -1e-38F, 1e-38F}};

const Inputs (&InputsOf(Function function))[3] {
  if (function == Function::kLog || function == Function::kLog1p) return kPositive;
  return function == Function::kTanh ? kTiny : kInputs;
}

std::vector<float> Sample(const Inputs& inputs, std::size_t n) {
  std::vector<float> x(n);
  std::uint64_t state = 1;
  for (float& v : x) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    v = inputs.low + (inputs.high - inputs.low) * std::ldexp(static_cast<float>(state >> 40), -24);
  }
  return x;
}

double Seconds(const FunctionPeer& peer, const std::vector<float>& x, std::vector<float>& y, int times) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) peer.run(x.data(), y.data(), x.size());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// floats / ns of each peer.
std::vector<double> Throughput(const std::vector<FunctionPeer>& peers, const std::vector<float>& x) {
  constexpr int kRounds = 15;
  std::vector<float> y(x.size());
  std::vector<int> times;
  for (const FunctionPeer& peer : peers) {
    Seconds(peer, x, y, 1);
    times.push_back(1 + static_cast<int>(3e-4 / Seconds(peer, x, y, 1)));
  }
  std::vector<std::vector<double>> rates(peers.size());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t p = 0; p < peers.size(); ++p) {
      rates[p].push_back(static_cast<double>(x.size()) * times[p] / Seconds(peers[p], x, y, times[p]) * 1e-9);
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& rate : rates) {
    std::nth_element(rate.begin(), rate.begin() + kRounds / 2, rate.end());
    medians.push_back(rate[kRounds / 2]);
  }
  return medians;
}

double MaxUlpOf(Function function, const FunctionPeer& peer) {
  SerialExecutor executor;
  const Candidate candidate{peer.library, peer.run};
  const auto found = Sweep(function, {&candidate, 1}, QuickSweep(), executor);
  return found.ok() ? found->front().max_ulp : NAN;
}

std::vector<FunctionPeer> PeersFor(Function function) {
  std::vector<FunctionPeer> peers;
  for (const char* tier : {"avx512", "avx2", "neon"}) {
    const Result<Kernels> kernels = SelectKernels(tier);
    if (!kernels.ok()) continue;
    peers.push_back(
        {fmt::format("Lanewise {}", tier), std::string(Name(function)),
         [function, context = std::make_shared<Context>(*kernels)](const float* x, float* y, std::size_t n) {
           if (!Apply(*context, function, {x, n}, {y, n}).ok()) std::fill_n(y, n, NAN);
         }});
  }
  for (const auto& offered : {NativeFunctions(), OneDnnFunctions()}) {
    for (const FunctionPeer& peer : offered) {
      if (peer.function == Name(function)) peers.push_back(peer);
    }
  }
  return peers;
}

int Main(int argc, char** argv) {
  if (argc > 2) {
    fmt::print(stderr, "usage: lanewise-function-peers [REGEX of functions]\n");
    return 2;
  }
  const std::regex filter(argc > 1 ? argv[1] : ".");
  fmt::print("{}; floats/ns on one thread, and the largest error of a quick sweep in ULP\n", ThisCpu().brand);
  for (Function function : kFunctions) {
    const std::string name(Name(function));
    if (function == Function::kRelu || !std::regex_search(name, filter)) continue;
    const std::vector<FunctionPeer> peers = PeersFor(function);
    std::vector<std::vector<double>> columns;
    fmt::print("\n{:<16}", name);
    for (const std::size_t size : {std::size_t{64}, std::size_t{4096}, std::size_t{10000000}}) {
      for (const Inputs& inputs : InputsOf(function)) {
        fmt::print("{:>12}", fmt::format("{}{}",
                                         inputs.name[0] == 'b'   ? "benign "
                                         : inputs.name[0] == 'm' ? "mixed "
                                                                 : "denorm ",
                                         size == 10000000 ? "1e7" : std::to_string(size)));
        columns.push_back(Throughput(peers, Sample(inputs, size)));
      }
    }
    fmt::print("{:>12}\n", "max ULP");
    for (std::size_t p = 0; p < peers.size(); ++p) {
      fmt::print("{:<16}", peers[p].library);
      for (const std::vector<double>& column : columns) fmt::print("{:>12.2f}", column[p]);
      fmt::print("{:>12.3g}\n", MaxUlpOf(function, peers[p]));
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace

}  // namespace lanewise::peers

int main(int argc, char** argv) {
  try {
    return lanewise::peers::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
