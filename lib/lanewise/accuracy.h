// SPDX-License-Identifier: Apache-2.0
//
// How accurate the elementwise functions are: the bounds that Lanewise keeps, the measurement of a float function
// input by input, over all 2^32 of them or over a sample, and that of a double function over hard and random inputs.
// The references are evaluations of their own (series in plain C++, no kernel and no libm): in double for float, good
// to 2^-20 units in the last place, and in double-double arithmetic for double, good to 2^-40.
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

#include "lanewise/executor.h"
#include "lanewise/isa.h"
#include "lanewise/status.h"
#include "lanewise/tier.h"

namespace lanewise {

// The functions of functions.h that have one argument.
enum class Function : std::uint8_t { kExp, kLog, kLog1p, kSigmoid, kTanh, kRelu, kLeakyRelu };

inline constexpr Function kFunctions[] = {Function::kExp,  Function::kLog,  Function::kLog1p,    Function::kSigmoid,
                                          Function::kTanh, Function::kRelu, Function::kLeakyRelu};

// "exp", "log", "log1p", "sigmoid", "tanh", "relu", "leaky_relu". The kernel of a function is its name and "_f32" or
// "_f64".
std::string_view Name(Function function);

// The function of that name, if there is one.
std::optional<Function> FunctionFromName(std::string_view name);

// Whether each result is the number nearest to the exact value by the function's definition, which is no more than one
// rounded operation. The errors of the others are established by sweeps, and have certificates.
constexpr bool IsCorrectlyRounded(Function function) {
  return function == Function::kRelu || function == Function::kLeakyRelu;
}

// The largest error of a result for any x, in units in the last place of the exact value (the smallest denormal at
// least). For float established by the sweep over all inputs, for double by a search through 10^8.
template <typename T>
double MaxUlp(Function function, NumericClass numeric_class);

// An implementation: y[i] = f(x[i]) for i < n. Called from several threads at once, and must not throw.
template <typename T>
struct CandidateOf {
  std::string name;
  std::function<void(const T* x, T* y, std::size_t n)> run;
};
using Candidate = CandidateOf<float>;

// Lanewise's own, by the kernel that `kernels` has for the function; its name is that of the kernel's tier.
template <typename T>
CandidateOf<T> Implementation(Function function, const Kernels& kernels);

// Inputs whose bit patterns are first + i * stride, i < count <= kChunk. All have one sign, so that x is monotonic.
struct SweepBlock {
  std::uint32_t first = 0;
  std::uint32_t stride = 1;
  std::uint32_t count = 0;
};

// A full sweep is 4096 chunks of so many neighbouring bit patterns.
inline constexpr std::uint32_t kChunk = std::uint32_t{1} << 20;
inline constexpr std::uint32_t kChunks = 4096;

// That of number `index` < kChunks, unchecked.
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
  std::uint64_t worst_input = 0;  // the bits of the first input with that error
  // Results that are not the float next to the exact value (by more than the reference's uncertainty).
  std::uint64_t not_nearest = 0;
  std::uint64_t not_monotonic = 0;    // neighbours in a sweep whose results are in the wrong order
  std::uint64_t out_of_range = 0;     // results outside the function's range, such as sigmoid > 1
  std::vector<std::uint64_t> hashes;  // of each block's results, every NaN as the quiet one without payload
                                      // (0x7FC00000, 0x7FF8000000000000); empty without a hash function
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

// ---- double --------------------------------------------------------------------------------------------------------

// A search is rounds of blocks of so many inputs.
inline constexpr std::size_t kSearchBlock = std::size_t{1} << 16;

// The kSearchBlock inputs of a block of the search's first round, to x. A block, whatever its index, is a mixture of
// - all bit patterns; magnitudes from 2^-40 to 2^11; the interval where the function is neither constant nor infinite,
// - the neighbourhoods, of every width, of zero, 1, the largest and smallest numbers, the function's limits and the
//   places where it changes its formula, and of the multiples of ln 2 / 4 (or, for logarithms, of the numbers 2^k,
//   2^k sqrt(2) and, for log1p, these less 1), between which arguments are reduced and at which they cancel.
void SearchBlock(Function function, std::uint64_t index, double* x);

// Runs the candidates over `blocks` blocks of kSearchBlock inputs: half of them SearchBlock's, the rest in four rounds
// around the inputs that were the worst so far. One answer per candidate, in their order, the same whatever the
// executor; not_monotonic is not counted; hashes are those of the first round's blocks.
// Errors: kInvalidArgument (progress ended the search), kOutOfMemory.
Result<std::vector<Accuracy>> Search(Function function, std::span<const CandidateOf<double>> candidates,
                                     std::size_t blocks, Executor& executor, const SweepOptions& options = {});

// (high + low) * 2^exponent, high being the sum of both, rounded. An infinity, a NaN or a zero stands in `high`.
struct WideValue {
  double high = 0;
  double low = 0;
  int exponent = 0;
};

// The reference: function(x) with a relative error below 2^-95.
void ReferenceValues(Function function, const double* x, WideValue* y, std::size_t n);

}  // namespace lanewise
