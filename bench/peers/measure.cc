// SPDX-License-Identifier: Apache-2.0
//
// Data, reference and timing of a cell; declared in measure.h.

#include "measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <new>
#include <thread>
#include <utility>

#include "data.h"
#include "fmt/format.h"
#include "probe.h"

namespace lanewise::peers {

namespace {

// As programs that care about speed allocate.
template <typename T>
struct CacheLineAllocator {
  using value_type = T;
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{64})); }
  void deallocate(T* p, std::size_t /*n*/) { ::operator delete (p, std::align_val_t{64}); }
  bool operator==(const CacheLineAllocator&) const = default;
};
template <typename T>
using Array = std::vector<T, CacheLineAllocator<T>>;

template <typename T>
Array<T> Numbers(std::ptrdiff_t n, std::uint32_t seed) {
  const std::vector<T> numbers = bench::Uniform<T>(static_cast<std::size_t>(n), -1, 1, seed);
  return {numbers.begin(), numbers.end()};
}

template <typename T>
class Data {
 public:
  explicit Data(const Cell& cell)
      : a_(Numbers<T>(cell.m * cell.k, 1)),
        b_(Numbers<T>(cell.k * cell.n, 2)),
        bias_(Numbers<T>(cell.n, 3)),
        c_(static_cast<std::size_t>(cell.m * cell.n)) {
    const bool layer = cell.use == Use::kDense || cell.use == Use::kSigmoid;
    problem_ = {.m = cell.m,
                .n = cell.n,
                .k = cell.k,
                .a = a_.data(),
                .b = b_.data(),
                .bias = layer ? bias_.data() : nullptr,
                .c = c_.data(),
                .a_transposed = cell.use == Use::kWeights,
                .b_transposed = cell.use == Use::kInputs,
                .constant_b = layer,
                .activation = cell.use == Use::kSigmoid ? Activation::kSigmoid : Activation::kNone};
    ComputeReference();
  }

  const Problem<T>& problem() const { return problem_; }

  // Runs the form; what is wrong with its result, or "".
  std::string Check(const Form& form) {
    std::fill(c_.begin(), c_.end(), std::numeric_limits<T>::quiet_NaN());
    form.run();
    auto expected = reference_.begin();
    for (const std::ptrdiff_t i : rows_) {
      for (std::ptrdiff_t j = 0; j < problem_.n; ++j, ++expected) {
        const auto got = static_cast<long double>(c_[static_cast<std::size_t>(i * problem_.n + j)]);
        if (!(std::fabs(got - expected->value) <= expected->bound)) {
          return fmt::format("element ({}, {}) is {}, not {} +- {:.2g}", i, j, static_cast<double>(got),
                             static_cast<double>(expected->value), static_cast<double>(expected->bound));
        }
      }
    }
    return "";
  }

 private:
  struct Expected {
    long double value, bound;
  };

  // Rows from the first to the last, as many as 2^20 multiply-adds allow. The bound holds for any order of summation,
  // fused or not: (k + 2) u (sum of |a b| + |bias|), with u half an ULP of 1 (Higham, Accuracy and Stability of
  // Numerical Algorithms, section 3.1), to first order. A sigmoid divides errors by 4 at least, and may be wrong by 4
  // ULP of its own.
  void ComputeReference() {
    const auto& [m, n, k, a, b, bias, c, a_transposed, b_transposed, constant_b, activation] = problem_;
    const std::ptrdiff_t count = std::clamp<std::ptrdiff_t>((1 << 20) / (n * k), std::min<std::ptrdiff_t>(m, 2), m);
    const long double u = static_cast<long double>(std::numeric_limits<T>::epsilon()) / 2;
    for (std::ptrdiff_t r = 0; r < count; ++r) {
      const std::ptrdiff_t i = count == 1 ? 0 : r * (m - 1) / (count - 1);
      rows_.push_back(i);
      for (std::ptrdiff_t j = 0; j < n; ++j) {
        long double sum = bias != nullptr ? static_cast<long double>(bias[j]) : 0;
        long double magnitude = std::fabs(sum);
        for (std::ptrdiff_t l = 0; l < k; ++l) {
          const auto product = static_cast<long double>(a_transposed ? a[l * m + i] : a[i * k + l]) *
                               static_cast<long double>(b_transposed ? b[j * k + l] : b[l * n + j]);
          sum += product;
          magnitude += std::fabs(product);
        }
        const long double bound = static_cast<long double>(k + 2) * u * magnitude;
        if (activation == Activation::kSigmoid) {
          const long double value = 1 / (1 + std::exp(-sum));
          reference_.push_back({value, bound / 4 + 8 * u * value});
        } else {
          reference_.push_back({sum, bound});
        }
      }
    }
  }

  Array<T> a_, b_, bias_, c_;
  Problem<T> problem_;
  std::vector<std::ptrdiff_t> rows_;
  std::vector<Expected> reference_;  // of rows_
};

// What other programs take of the core does not count where one thread works; several are timed by the wall clock.
double Now(int threads) {
  if (threads == 1) return bench::ThreadCpuSeconds();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Seconds for one of `count` products.
double Time(const Form& form, std::int64_t count, int threads) {
  const double begin = Now(threads);
  for (std::int64_t i = 0; i < count; ++i) form.run();
  return (Now(threads) - begin) / static_cast<double>(count);
}

double Quantile(std::vector<double> values, double at) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(std::lround(at * static_cast<double>(values.size() - 1)))];
}

struct Turn {
  Form form;
  std::int64_t count;  // products in a turn
};

// Threads that had work spin before they sleep, on the CPUs that the next library's need: OpenBLAS's for 2^26 cycles.
constexpr std::chrono::milliseconds kUntilThreadsSleep(30);

// Time after which what fits in L3 is there: Zen 3 keeps 16 MiB of 32 only when it has seen them a few times.
constexpr double kWarmUpSeconds = 5e-3;

// Caches are warm where they can be, and threads awake. A turn of a single product needs it most: libraries that read B
// where it lies would find it in L3 from the one before them, those with a layout of their own not. (1x4096x1024 on
// Zen 3 after a single product: 0.85 of the best peer's speed; after these: 1.15.)
void WarmUp(const Form& form, int threads) {
  if (threads > 1) std::this_thread::sleep_for(kUntilThreadsSleep);
  const double begin = Now(threads);
  do form.run();
  while (Now(threads) - begin < kWarmUpSeconds);
}

// The fastest of the forms by a short trial.
Turn Choose(std::vector<Form> forms, int threads, const Pace& pace) {
  Turn best{};
  double best_time = std::numeric_limits<double>::infinity();
  for (Form& form : forms) {
    WarmUp(form, threads);
    double time = Time(form, 1, threads);
    const auto count = static_cast<std::int64_t>(std::ceil(pace.seconds / 4 / time));
    for (int trial = 0; trial < 3; ++trial) time = std::min(time, Time(form, count, threads));
    if (time >= best_time) continue;
    best_time = time;
    best = {std::move(form), static_cast<std::int64_t>(std::ceil(pace.seconds / time))};
  }
  return best;
}

template <typename T>
Measurement MeasureOf(const Cell& cell, const std::vector<std::unique_ptr<Peer>>& libraries, Tier tier, int threads,
                      const Pace& pace) {
  Measurement result{.cell = cell};
  Data<T> data(cell);
  std::vector<Turn> turns;
  for (const std::unique_ptr<Peer>& library : libraries) {
    std::vector<Form> right;
    for (Form& form : library->Prepare(data.problem())) {
      const std::string error = data.Check(form);
      if (error.empty()) {
        right.push_back(std::move(form));
      } else {
        result.wrong.push_back(fmt::format("{} ({}): {}", library->Name(), form.name, error));
      }
    }
    if (right.empty()) {
      if (library == libraries.front()) return result;  // nothing to compare with
      continue;
    }
    turns.push_back(Choose(std::move(right), threads, pace));
    result.entries.push_back({.peer = library->Name(), .form = turns.back().form.name});
  }

  // Threads may share a cache, and memory: that they read as many times as fast as one is a bound.
  const auto sample_limits = [&] {
    result.peak = std::max(result.peak, threads * bench::MeasurePeak(tier, cell.type));
    result.reads =
        std::max(result.reads, threads * bench::MeasureReads(tier, static_cast<std::size_t>(cell.bytes() / threads)));
    result.clock = std::max(result.clock, bench::ClockGhz());
  };
  sample_limits();
  for (int round = 0; round < pace.rounds; ++round) {
    for (std::size_t i = 0; i < turns.size(); ++i) {
      // Each has each place in the order.
      const std::size_t next = (i + static_cast<std::size_t>(round)) % turns.size();
      WarmUp(turns[next].form, threads);
      result.entries[next].turns.push_back(Time(turns[next].form, turns[next].count, threads));
    }
  }
  sample_limits();

  for (Entry& entry : result.entries) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < entry.turns.size(); ++i) ratios.push_back(entry.turns[i] / result.ours().turns[i]);
    entry.median = Quantile(entry.turns, 0.5);
    entry.ratio = Quantile(ratios, 0.5);
    entry.ratio_low = Quantile(ratios, 0.25);
    entry.ratio_high = Quantile(ratios, 0.75);
  }
  return result;
}

}  // namespace

const Entry* Measurement::BestPeer() const {
  const auto best = std::min_element(entries.begin() + 1, entries.end(),
                                     [](const Entry& x, const Entry& y) { return x.ratio < y.ratio; });
  return best == entries.end() ? nullptr : &*best;
}

Measurement Measure(const Cell& cell, const std::vector<std::unique_ptr<Peer>>& libraries, Tier tier, int threads,
                    const Pace& pace) {
  return cell.type == ElementType::kF32 ? MeasureOf<float>(cell, libraries, tier, threads, pace)
                                        : MeasureOf<double>(cell, libraries, tier, threads, pace);
}

}  // namespace lanewise::peers
