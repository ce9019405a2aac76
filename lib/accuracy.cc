// SPDX-License-Identifier: Apache-2.0

#include "lanewise/accuracy.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <mutex>
#include <new>

#include "accuracy_facts.h"
#include "format.h"
#include "typed_rows.h"

namespace lanewise {
namespace {

using internal::FactsOf;
using internal::FunctionFacts;
using internal::kNearest;

// In the order of Function.
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr FunctionFacts kFacts[] = {
    {"exp", 0, kInfinity, 1.0, 0.51, 1.0, 1.0},
    {"log", -kInfinity, kInfinity, 1.0, 0.51, 1.0, 1.0},
    {"log1p", -kInfinity, kInfinity, 1.0, 0.51, 1.0, 1.0},
    {"sigmoid", 0, 1, 1.0, 0.51, 1.0, 2.0},
    {"tanh", -1, 1, 1.0, 0.51, 1.0, 1.5},
    {"relu", 0, kInfinity, 0, 0, 0, 0},
    {"leaky_relu", -kInfinity, kInfinity, 0.5, 0.5, 0.5, 0.5},
};
static_assert(std::size(kFacts) == std::size(kFunctions));

// Inputs that are judged while they are in L1 and L2: 16 + 32 KiB.
constexpr std::size_t kPiece = 4096;

// |y - exact| in units in the last place of exact. Infinite where y is not the NaN, infinity or zero that it must be.
double UlpError(float y, double exact) {
  const auto rounded = static_cast<float>(exact);
  const auto bits = std::bit_cast<std::uint32_t>(rounded);
  const std::uint32_t exponent = bits >> 23 & 0xFF;
  if (exponent == 0xFF || exact == 0) {
    const bool right = std::isnan(rounded) ? std::isnan(y) : std::bit_cast<std::uint32_t>(y) == bits;
    return right ? 0 : std::numeric_limits<double>::infinity();
  }
  const std::uint64_t inverse_ulp = 1023 + 150 - std::max(exponent, 1U);  // the exponent's field
  const double error = std::fabs(static_cast<double>(y) - exact) * std::bit_cast<double>(inverse_ulp << 52);
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

// What was found in one block, or a part of it.
struct Findings {
  double max_ulp = 0;
  std::uint32_t worst_input = 0;
  std::uint64_t not_nearest = 0;
  std::uint64_t not_monotonic = 0;
  std::uint64_t out_of_range = 0;
  std::uint64_t hash = 0;
  float first = 0;  // results, for the order across blocks
  float last = 0;
};

bool Descending(const SweepBlock& block) { return block.first >> 31 != 0; }

bool InOrder(float before, float after, bool descending) { return descending ? !(after > before) : !(after < before); }

void Judge(const FunctionFacts& facts, std::uint32_t first, std::uint32_t stride, const double* exact, const float* y,
           std::size_t n, Findings& findings) {
  for (std::size_t i = 0; i < n; ++i) {
    const double ulp = UlpError(y[i], exact[i]);
    if (ulp > findings.max_ulp) {
      findings.max_ulp = ulp;
      findings.worst_input = first + static_cast<std::uint32_t>(i) * stride;
    }
    findings.not_nearest += ulp > kNearest ? 1 : 0;
    findings.out_of_range += y[i] < facts.low || y[i] > facts.high ? 1 : 0;
  }
}

// The memory of one thread: all that it needs for blocks of at most `longest` inputs. Running allocates nothing.
class Worker {
 public:
  Worker(std::size_t candidates, std::size_t longest)
      : x_(kPiece), exact_(kPiece), y_(candidates, std::vector<float>(longest)), piece_(candidates) {}

  // findings: one per candidate.
  void Run(Function function, std::span<const Candidate> candidates, const SweepBlock& block,
           const SweepOptions& options, Findings* findings) {
    const FunctionFacts& facts = FactsOf(function);
    for (std::uint32_t begin = 0; begin < block.count; begin += kPiece) {
      const std::uint32_t n = std::min<std::uint32_t>(kPiece, block.count - begin);
      const std::uint32_t first = block.first + begin * block.stride;
      for (std::uint32_t i = 0; i < n; ++i) x_[i] = std::bit_cast<float>(first + i * block.stride);
      ReferenceValues(function, x_.data(), exact_.data(), n);
      for (std::size_t c = 0; c < candidates.size(); ++c) {
        float* y = y_[c].data() + begin;
        candidates[c].run(x_.data(), y, n);
        for (std::uint32_t i = 0; i < n; ++i) {
          if (std::isnan(y[i])) y[i] = std::numeric_limits<float>::quiet_NaN();
        }
        JudgePiece(facts, first, block.stride, c, begin, n, findings);
      }
    }
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      const std::vector<float>& y = y_[c];
      for (std::uint32_t i = 1; i < block.count; ++i) {
        findings[c].not_monotonic += InOrder(y[i - 1], y[i], Descending(block)) ? 0 : 1;
      }
      if (block.count > 0) {
        findings[c].first = y[0];
        findings[c].last = y[block.count - 1];
      }
      if (options.hash != nullptr) findings[c].hash = options.hash(y.data(), block.count * sizeof(float));
    }
  }

 private:
  // Candidates with the same bits have the same errors: those of the first are counted for the others too.
  void JudgePiece(const FunctionFacts& facts, std::uint32_t first, std::uint32_t stride, std::size_t c,
                  std::uint32_t begin, std::uint32_t n, Findings* findings) {
    std::size_t same = 0;
    while (std::memcmp(y_[same].data() + begin, y_[c].data() + begin, n * sizeof(float)) != 0) ++same;
    if (same == c) {
      piece_[c] = {};
      Judge(facts, first, stride, exact_.data(), y_[c].data() + begin, n, piece_[c]);
    } else {
      piece_[c] = piece_[same];
    }
    Findings& sum = findings[c];
    if (piece_[c].max_ulp > sum.max_ulp) {
      sum.max_ulp = piece_[c].max_ulp;
      sum.worst_input = piece_[c].worst_input;
    }
    sum.not_nearest += piece_[c].not_nearest;
    sum.out_of_range += piece_[c].out_of_range;
  }

  std::vector<float> x_;
  std::vector<double> exact_;
  std::vector<std::vector<float>> y_;  // of each candidate, over the block
  std::vector<Findings> piece_;        // of each candidate
};

// The blocks' findings in their order, which no thread count changes.
Accuracy Merge(const Candidate& candidate, std::size_t index, std::size_t candidates,
               std::span<const SweepBlock> blocks, const std::vector<Findings>& findings, bool hashes) {
  Accuracy total;
  total.name = candidate.name;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    const Findings& block = findings[b * candidates + index];
    if (block.max_ulp > total.max_ulp) {
      total.max_ulp = block.max_ulp;
      total.worst_input = block.worst_input;
    }
    total.not_nearest += block.not_nearest;
    total.not_monotonic += block.not_monotonic;
    total.out_of_range += block.out_of_range;
    if (hashes) total.hashes.push_back(block.hash);
    if (b == 0 || blocks[b].count == 0) continue;
    const SweepBlock& before = blocks[b - 1];
    const bool continues = before.stride == blocks[b].stride &&
                           before.first / (1U << 31) == blocks[b].first / (1U << 31) &&
                           before.first + before.count * before.stride == blocks[b].first;
    const float last = findings[(b - 1) * candidates + index].last;
    if (continues && !InOrder(last, block.first, Descending(before))) ++total.not_monotonic;
  }
  return total;
}

template <typename T>
const kernels::UnaryKernel<T>& UnaryRow(const kernels::KernelTable& table, Function function) {
  switch (function) {
    case Function::kExp:
      return LANEWISE_ROW_OF(T, table, exp);
    case Function::kLog:
      return LANEWISE_ROW_OF(T, table, log);
    case Function::kLog1p:
      return LANEWISE_ROW_OF(T, table, log1p);
    case Function::kSigmoid:
      return LANEWISE_ROW_OF(T, table, sigmoid);
    case Function::kTanh:
      return LANEWISE_ROW_OF(T, table, tanh);
    case Function::kRelu:
      return LANEWISE_ROW_OF(T, table, relu);
    case Function::kLeakyRelu:
      break;
  }
  return LANEWISE_ROW_OF(T, table, leaky_relu);
}

Status Check(const SweepBlock& block) {
  const std::uint64_t last = block.first + std::uint64_t{block.stride} * (std::max(block.count, 1U) - 1);
  if (block.count <= kChunk && last >> 31 == block.first >> 31) return {};
  return {StatusCode::kInvalidArgument,
          Format("block of {} inputs from {:#010x} in steps of {}: at most {} inputs, all of one sign", block.count,
                 block.first, block.stride, kChunk)};
}

}  // namespace

const FunctionFacts& internal::FactsOf(Function function) { return kFacts[static_cast<std::size_t>(function)]; }

std::string_view Name(Function function) { return FactsOf(function).name; }

std::optional<Function> FunctionFromName(std::string_view name) {
  for (Function function : kFunctions) {
    if (Name(function) == name) return function;
  }
  return std::nullopt;
}

template <typename T>
double MaxUlp(Function function, NumericClass numeric_class) {
  const FunctionFacts& facts = FactsOf(function);
  const bool fma = numeric_class == NumericClass::kFma;
  if constexpr (sizeof(T) == sizeof(float)) {
    return fma ? facts.f32_fma : facts.f32_mul_add;
  } else {
    return fma ? facts.f64_fma : facts.f64_mul_add;
  }
}
template double MaxUlp<float>(Function, NumericClass);
template double MaxUlp<double>(Function, NumericClass);

template <typename T>
CandidateOf<T> Implementation(Function function, const Kernels& kernels) {
  constexpr const char* kType = sizeof(T) == sizeof(float) ? "f32" : "f64";
  const Result<Tier> tier = kernels.TierOf(Format("{}_{}", Name(function), kType));
  return {tier.ok() ? Name(*tier) : "", UnaryRow<T>(kernels.table(), function).run};
}
template CandidateOf<float> Implementation(Function, const Kernels&);
template CandidateOf<double> Implementation(Function, const Kernels&);

SweepBlock Chunk(std::uint32_t index) { return {index * kChunk, 1, kChunk}; }

std::vector<SweepBlock> FullSweep() {
  std::vector<SweepBlock> blocks;
  for (std::uint32_t i = 0; i < kChunks; ++i) blocks.push_back(Chunk(i));
  return blocks;
}

std::vector<SweepBlock> QuickSweep() {
  constexpr std::uint32_t kHalf = std::uint32_t{1} << 31;
  constexpr std::uint32_t kStride = 1021;  // odd, so that the low bits vary
  constexpr std::uint32_t kCount = 1 << 16;
  std::vector<SweepBlock> blocks;
  for (std::uint32_t sign : {0U, kHalf}) {
    for (std::uint32_t first = 0; first < kHalf; first += kCount * kStride) {
      blocks.push_back({sign + first, kStride, std::min(kCount, (kHalf - 1 - first) / kStride + 1)});
      if (kHalf - first <= kCount * kStride) break;
    }
  }
  // Magnitudes around which inputs are neighbours.
  constexpr float kPlaces[] = {
      0x1p-126F,  // the smallest normal number
      0x1p-25F,
      0x1p-24F,
      0x1p-13F,  // from here on 1 + x, x^2, x^3 count
      0x1.62e43p-3F,
      0x1.62e43p-2F,  // reductions begin: ln 2 / 4, ln 2 / 2
      0x1.6a09e6p-1F,
      1,
      0x1.6a09e6p0F,  // log: sqrt(1/2), 1, sqrt(2)
      9.0109F,
      16.636F,
      17.329F,  // tanh and sigmoid become 1
      87.3365F,
      88.7228F,
      103.2789F,
      103.972F,
      104.0F,  // exp: denormal, overflow, underflow
      std::numeric_limits<float>::max(),
  };
  constexpr std::uint32_t kNear = 4096;
  for (std::uint32_t sign : {0U, kHalf}) {
    blocks.push_back({sign, 1, 2 * kNear});                        // zero and denormals
    blocks.push_back({sign + (kHalf - 2 * kNear), 1, 2 * kNear});  // NaN
    for (float place : kPlaces) {
      blocks.push_back({sign + std::bit_cast<std::uint32_t>(place) - kNear, 1, 2 * kNear});
    }
  }
  return blocks;
}

Result<std::vector<Accuracy>> Sweep(Function function, std::span<const Candidate> candidates,
                                    std::span<const SweepBlock> blocks, Executor& executor,
                                    const SweepOptions& options) {
  for (const SweepBlock& block : blocks) {
    if (Status status = Check(block); !status.ok()) return status;
  }
  try {
    std::vector<Findings> findings(blocks.size() * candidates.size());
    std::uint32_t longest = 0;
    for (const SweepBlock& block : blocks) longest = std::max(longest, block.count);
    const std::size_t threads = std::min(static_cast<std::size_t>(executor.Threads()), blocks.size());
    std::vector<Worker> workers(threads, Worker(candidates.size(), longest));
    std::atomic<std::size_t> next{0};
    std::atomic<bool> ended{false};
    std::size_t done = 0;
    std::mutex mutex;
    RunTasks(executor, static_cast<int>(workers.size()), [&](int w) {
      for (std::size_t b = next++; b < blocks.size() && !ended; b = next++) {
        workers[static_cast<std::size_t>(w)].Run(function, candidates, blocks[b], options,
                                                 &findings[b * candidates.size()]);
        if (!options.progress) continue;
        const std::lock_guard lock(mutex);
        if (!options.progress(static_cast<double>(++done) / static_cast<double>(blocks.size()))) ended = true;
      }
    });
    if (ended) return Status(StatusCode::kInvalidArgument, "the sweep was ended before its end");
    std::vector<Accuracy> results;
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      results.push_back(Merge(candidates[c], c, candidates.size(), blocks, findings, options.hash != nullptr));
    }
    return results;
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "out of memory for the results of a sweep");
  }
}

}  // namespace lanewise
