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
#include <functional>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "functions.h"
#include "lanewise/accuracy.h"
#include "lanewise/cpu.h"
#include "lanewise/functions.h"
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

double Seconds(const std::function<void()>& run, int times) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// floats / ns of each of the runs, which take `n` floats.
std::vector<double> Throughput(const std::vector<std::function<void()>>& runs, std::size_t n) {
  constexpr int kRounds = 15;
  std::vector<int> times;
  for (const auto& run : runs) {
    Seconds(run, 1);
    times.push_back(1 + static_cast<int>(3e-4 / Seconds(run, 1)));
  }
  std::vector<std::vector<double>> rates(runs.size());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t r = 0; r < runs.size(); ++r) {
      rates[r].push_back(static_cast<double>(n) * times[r] / Seconds(runs[r], times[r]) * 1e-9);
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& rate : rates) {
    std::nth_element(rate.begin(), rate.begin() + kRounds / 2, rate.end());
    medians.push_back(rate[kRounds / 2]);
  }
  return medians;
}

std::vector<double> Throughput(const std::vector<FunctionPeer>& peers, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  std::vector<std::function<void()>> runs;
  runs.reserve(peers.size());
  for (const FunctionPeer& peer : peers) runs.emplace_back([&] { peer.run(x.data(), y.data(), x.size()); });
  return Throughput(runs, x.size());
}

double MaxUlpOf(Function function, const FunctionPeer& peer) {
  SerialExecutor executor;
  const Candidate candidate{peer.library, peer.run};
  const auto found = Sweep(function, {&candidate, 1}, QuickSweep(), executor);
  return found.ok() ? found->front().max_ulp : NAN;
}

constexpr const char* kTiers[] = {"avx512", "avx2", "neon"};

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
      break;
  }
  return Relu<float>;
}

std::vector<FunctionPeer> PeersFor(Function function) {
  std::vector<FunctionPeer> peers;
  for (const char* tier : kTiers) {
    const Result<Kernels> kernels = SelectKernels(tier);
    if (!kernels.ok()) continue;
    peers.push_back({fmt::format("Lanewise {}", tier), std::string(Name(function)),
                     [apply = ApplyOf(function), context = std::make_shared<Context>(*kernels)](
                         const float* x, float* y, std::size_t n) {
                       if (!apply(*context, {x, n}, {y, n}).ok()) std::fill_n(y, n, NAN);
                     }});
  }
  for (const auto& offered : {NativeFunctions(), OneDnnFunctions()}) {
    for (const FunctionPeer& peer : offered) {
      if (peer.function == Name(function)) peers.push_back(peer);
    }
  }
  return peers;
}

// ---- Rows ----------------------------------------------------------------------------------------------------------

constexpr std::size_t kRowLengths[] = {10, 100, 1000, 4096};
constexpr std::size_t kInRows = 16000;  // numbers in all rows together: in L2

std::vector<RowPeer> RowPeersFor(const std::string& function) {
  std::vector<RowPeer> peers;
  for (const char* tier : kTiers) {
    const Result<Kernels> kernels = SelectKernels(tier);
    if (!kernels.ok()) continue;
    const auto apply = function == "softmax" ? Softmax<float> : LogSoftmax<float>;
    peers.push_back({fmt::format("Lanewise {}", tier), function,
                     [apply, context = std::make_shared<Context>(*kernels)](const float* x, float* y, std::size_t rows,
                                                                            std::size_t cols) {
                       const auto m = static_cast<std::ptrdiff_t>(rows);
                       const auto n = static_cast<std::ptrdiff_t>(cols);
                       if (!apply(*context, {x, m, n}, {y, m, n}).ok()) std::fill_n(y, rows * cols, NAN);
                     }});
  }
  for (const RowPeer& peer : OneDnnRows()) {
    if (peer.function == function) peers.push_back(peer);
  }
  return peers;
}

// The largest error of one row, as a share of what Lanewise allows itself (functions.h).
double ShareOfBound(const std::string& function, const float* x, const float* y, std::size_t n) {
  const double max = *std::max_element(x, x + n);
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += std::exp(x[i] - max);
  double worst = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double distance = max - x[i];
    const double of_n = static_cast<double>(n) / 16;
    double share = 0;
    if (function == "softmax") {
      const double exact = std::exp(-distance) / sum;
      share = std::fabs(y[i] - exact) / exact / (8 + distance + of_n);
    } else {
      const double exact = -distance - std::log(sum);
      share = std::fabs(y[i] - exact) / (16 + 2 * std::fabs(exact) + of_n);
    }
    worst = std::max(worst, std::ldexp(share, 24));
  }
  return worst;
}

void CompareRows(const std::string& function) {
  const std::vector<RowPeer> peers = RowPeersFor(function);
  std::vector<std::vector<double>> columns;
  std::vector<double> worst(peers.size());
  fmt::print("\n{:<16}", function);
  for (const std::size_t cols : kRowLengths) {
    fmt::print("{:>12}", fmt::format("rows of {}", cols));
    const std::size_t rows = kInRows / cols;
    const std::vector<float> x = Sample(kInputs[0], rows * cols);
    std::vector<float> y(x.size());
    std::vector<std::function<void()>> runs;
    for (std::size_t p = 0; p < peers.size(); ++p) {
      runs.emplace_back([&, p] { peers[p].run(x.data(), y.data(), rows, cols); });
      runs.back()();
      for (std::size_t i = 0; i < rows * cols; i += cols) {
        worst[p] = std::max(worst[p], ShareOfBound(function, &x[i], &y[i], cols));
      }
    }
    columns.push_back(Throughput(runs, x.size()));
  }
  fmt::print("{:>24}\n", "error, share of bound");
  for (std::size_t p = 0; p < peers.size(); ++p) {
    fmt::print("{:<16}", peers[p].library);
    for (const std::vector<double>& column : columns) fmt::print("{:>12.2f}", column[p]);
    fmt::print("{:>24.2f}\n", worst[p]);
  }
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
  for (const char* function : {"softmax", "log_softmax"}) {
    if (std::regex_search(function, filter)) CompareRows(function);
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
