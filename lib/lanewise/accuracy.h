// SPDX-License-Identifier: Apache-2.0
//
// How accurate the elementwise functions are: the bounds that Lanewise keeps, and the measurement of a float function
// input by input, over all 2^32 of them or over a sample. The reference is a double evaluation of its own (series in
// plain C++, no kernel and no libm), good to 2^-20 units in the last place of a float.
//
// What is measured need not be Lanewise's: a Candidate is any implementation.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lanewise/context.h"
#include "lanewise/executor.h"
#include "lanewise/status.h"
#include "lanewise/tier.h"

namespace lanewise {

// The functions of functions.h that have one argument.
enum class Function : std::uint8_t { kExp, kLog, kLog1p, kSigmoid, kTanh, kRelu };

inline constexpr Function kFunctions[] = {Function::kExp,     Function::kLog,  Function::kLog1p,
                                          Function::kSigmoid, Function::kTanh, Function::kRelu};

// "exp", "log", "log1p", "sigmoid", "tanh", "relu". The kernel of a function is its name and "_f32" or "_f64".
std::string_view Name(Function function);

// The function of that name, if there is one.
std::optional<Function> FunctionFromName(std::string_view name);

// The largest error of a result for any x, in units in the last place of the exact value (the smallest denormal at
// least). For float established by the sweep over all inputs; for double a bound that samples stay well below.
template <typename T>
double MaxUlp(Function function, NumericClass numeric_class);

// Exp<float>(context, x, y), or whichever function it is.
Status Apply(Context& context, Function function, std::span<const float> x, std::span<float> y);

// An implementation: y[i] = f(x[i]) for i < n. Called from several threads at once, and must not throw.
struct Candidate {
  std::string name;
  std::function<void(const float* x, float* y, std::size_t n)> run;
};

// Inputs whose bit patterns are first + i * stride, i < count <= kChunk. All have one sign, so that x is monotonic.
struct SweepBlock {
  std::uint32_t first = 0;
  std::uint32_t stride = 1;
  std::uint32_t count = 0;
};

// A full sweep is 4096 chunks of so many neighbouring bit patterns.
inline constexpr std::uint32_t kChunk = std::uint32_t{1} << 20;
inline constexpr std::uint32_t kChunks = 4096;

SweepBlock Chunk(std::uint32_t index);

// All chunks.
std::vector<SweepBlock> FullSweep();

// One input in 1021, and 8192 neighbours around each special value and each place where one of the functions changes
// its formula: zeros, denormals, powers of two, overflow, underflow, saturation, infinities, NaN. 5 million inputs.
std::vector<SweepBlock> QuickSweep();

// What was found of one candidate.
struct Accuracy {
  std::string name;
  double max_ulp = 0;             // infinite: a NaN, infinity or signed zero is missing or in the wrong place
  std::uint32_t worst_input = 0;  // the bits of the first input with that error
  // Results that are not the float next to the exact value (by more than the reference's uncertainty).
  std::uint64_t not_nearest = 0;
  std::uint64_t not_monotonic = 0;    // neighbours in the sweep whose results are in the wrong order
  std::uint64_t out_of_range = 0;     // results outside the function's range, such as sigmoid > 1
  std::vector<std::uint64_t> hashes;  // of each block's results, every NaN as 0x7FC00000; empty without a hash function
};

struct SweepOptions {
  // A hash of `size` bytes.
  std::uint64_t (*hash)(const void* bytes, std::size_t size) = nullptr;
  // Called now and then, by one thread at a time, with the share done; false ends the sweep.
  std::function<bool(double done)> progress;
};

// Runs the candidates over the blocks. One answer per candidate, in their order, the same whatever the executor.
// Errors: kInvalidArgument (a block is too long or changes sign; progress ended the sweep), kOutOfMemory.
Result<std::vector<Accuracy>> Sweep(Function function, std::span<const Candidate> candidates,
                                    std::span<const SweepBlock> blocks, Executor& executor,
                                    const SweepOptions& options = {});

// The reference: function(x), rounded to double with a relative error below 2^-50 (an absolute one of 2^-200).
void ReferenceValues(Function function, const float* x, double* y, std::size_t n);

}  // namespace lanewise
