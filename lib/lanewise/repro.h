// SPDX-License-Identifier: Apache-2.0
//
// Whether results are the same bits: a fixed set of work, run in many ways on every tier, and hashed.
//
// The work is the same everywhere (its numbers come from lanewise/random.h), so its hashes can be compared between
// machines, compilers and versions: those of one numeric class and one numerics revision are equal.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lanewise/status.h"
#include "lanewise/tier.h"

namespace lanewise {

// The hashes of one topic ("gemm f32", "training f64" ...) on the tiers that gave them. Topics of integers are of the
// class kExact, which every tier has.
struct ReproResult {
  NumericClass numeric_class = NumericClass::kFma;
  std::vector<Tier> tiers;
  std::string topic;
  // For each operation of the topic XXH3's 64 bits of its results: as little-endian doubles (which hold every float) in
  // which every NaN is 0x7ff8000000000000, or, of integers, as little-endian int64.
  std::vector<std::uint64_t> operations;
  std::uint64_t hash = 0;  // of `operations`, little-endian
};

// Two ways to compute the same thing whose bits differ.
struct ReproDifference {
  std::string operation;  // topic, number, shape and settings
  std::string element;    // "row 3, column 4" or "element 17"
  std::string way[2];     // "avx2, 1 thread, all rows at once"
  std::string value[2];   // "0x1.8p+0 (1.5)", "-7"
};

struct ReproReport {
  std::vector<ReproResult> results;          // by class and topic; several of one kind only where tiers differ
  std::vector<ReproDifference> differences;  // the first of each operation that has any
  std::vector<std::vector<std::string>> descriptions;  // of the operations of each topic, in the results' order
  std::vector<std::string> topics;
};

struct ReproOptions {
  std::vector<int> threads = {1, 2, 4};  // the numbers of threads to try, each >= 1
  // Called now and then with the share done; false ends the run.
  std::function<bool(double done)> progress = nullptr;
};

// Does each operation of the work on every given tier with each number of threads, with its rows all at once and in
// batches, its arrays aligned and not, weights packed and not, and compares all results of a numeric class by their
// bits. Products are split over the threads however small they are. Differences are no error. Takes a few seconds.
// Errors: kInvalidArgument (no tier, a number of threads below 1, progress ended the run), those of SelectKernels,
// kOutOfMemory.
Result<ReproReport> RunRepro(const std::vector<Tier>& tiers, const ReproOptions& options = {});

// The report as a JSON document. kOutOfMemory.
Result<std::string> ToJson(const ReproReport& report);

// Whether a file is such a document, of this numerics revision, which attests something: to know before the work is
// done. Errors: kBadFile, kIoError, kOutOfMemory.
Status CheckReproFile(const std::string& path);

// Such a document compared with a report: in words the first operation whose hash is another than in the file, "" if
// there is none. Classes that only one of the two has are not compared, those that both have in all their topics.
// Errors: kBadFile (no such document, one of a run that found differences, another numerics revision, other topics, no
// class in common), kIoError, kOutOfMemory.
Result<std::string> CompareWithFile(const ReproReport& report, const std::string& path);

}  // namespace lanewise
