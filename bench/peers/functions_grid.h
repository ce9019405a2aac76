// SPDX-License-Identifier: Apache-2.0
//
// What is compared of functions, and what was found: throughput in floats per ns on one thread, the median of rounds in
// which all libraries have their turn, and the largest error.

#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "functions.h"
#include "lanewise/accuracy.h"
#include "nlohmann/json_fwd.hpp"

namespace lanewise::peers {

// The tiers of Lanewise that take part, where they run.
inline constexpr const char* kTiers[] = {"avx512", "avx2", "neon"};
std::string NameOfOurs(const std::string& tier);  // "Lanewise avx512"

// Numbers of elements: what one call costs, L1, out of cache.
inline constexpr std::size_t kSizes[] = {64, 4096, 10000000};
inline constexpr std::size_t kInL1 = 1;

// Where inputs lie: results of a network's layers; everything up to overflow; denormal results (inputs for tanh).
inline constexpr const char* kInputs[] = {"benign", "mixed", "denormal"};
inline constexpr std::size_t kBenign = 0;
inline constexpr std::size_t kDenormal = 2;

struct FunctionFigures {
  std::string library;
  double rates[std::size(kSizes)][std::size(kInputs)];
  double max_ulp;       // of a quick sweep
  double ordinary_ulp;  // of its inputs up to 87, for which no exp overflows or gives a denormal number
};

struct FunctionTable {
  std::string function;
  std::vector<FunctionFigures> libraries;
};

inline constexpr std::size_t kRowLengths[] = {10, 100, 1000, 4096};

struct RowFigures {
  std::string library;
  double rates[std::size(kRowLengths)];
  double share_of_bound;  // the largest error of a row's element over what Lanewise allows itself (functions.h)
};

struct RowTable {
  std::string function;
  std::vector<RowFigures> libraries;
};

// Uniform numbers.
std::vector<float> Sample(float low, float high, std::size_t n);

// floats / ns of each run; a run is called with how many times, takes `n` floats each time and returns the seconds.
std::vector<double> Throughput(const std::vector<std::function<double(int times)>>& runs, std::size_t n);

// The seconds of so many calls.
double Seconds(const std::function<void()>& run, int times);

FunctionTable CompareFunction(Function function);
RowTable CompareRows(const std::string& function);

// Their tables, the goals' ratios ("exp: 2.0x the fastest peer within 2 ULP ..."), and all of it for programs.
std::string ToText(const FunctionTable& table);
std::string ToText(const RowTable& table);
std::vector<std::string> Summary(const std::vector<FunctionTable>& functions, const std::vector<RowTable>& rows);
nlohmann::ordered_json ToJson(const std::vector<FunctionTable>& functions, const std::vector<RowTable>& rows);

}  // namespace lanewise::peers
