// SPDX-License-Identifier: Apache-2.0
//
// Runs each operation of the work in every way and compares at once, so that what differs can be named to the element
// and no results are kept.

#include "lanewise/repro.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "format.h"
#include "hash.h"
#include "lanewise/executor.h"
#include "repro_work.h"

namespace lanewise {
namespace {

using internal::Elements;
using internal::Operation;
using internal::Variation;

constexpr Variation kVariations[] = {
    {.offset = 0, .batch = 0, .packed = false, .text = "all at once, arrays aligned to 64 bytes"},
    {.offset = 1, .batch = 1, .packed = true, .text = "one at a time, arrays 1 element off, weights packed"},
    {.offset = 5, .batch = 7, .packed = false, .text = "batches of 7, arrays 5 elements off"},
    {.offset = 0, .batch = 0, .packed = true, .text = "all at once, arrays aligned, weights packed"},
};

// One tier and one number of threads.
struct Setting {
  Tier tier;
  int threads;
  std::unique_ptr<ThreadPool> pool;
  Context context;
};

std::string Describe(const Setting& setting, const Variation& variation) {
  return Format("{}, {} thread{}, {}", Name(setting.tier), setting.threads, setting.threads == 1 ? "" : "s",
                variation.text);
}

Result<std::vector<Setting>> MakeSettings(const std::vector<Tier>& tiers, const std::vector<int>& threads) {
  if (tiers.empty() || threads.empty()) {
    return Status(StatusCode::kInvalidArgument, "at least one tier and one number of threads are needed");
  }
  std::vector<Setting> settings;
  for (const Tier tier : tiers) {
    const Result<Kernels> kernels = SelectKernels(Name(tier));
    if (!kernels.ok()) return kernels.status();
    for (const int count : threads) {
      if (count < 1) {
        return Status(StatusCode::kInvalidArgument, Format("{} threads: there must be at least one", count));
      }
      auto pool = std::make_unique<ThreadPool>(count);
      Context context(*kernels, *pool);
      Machine machine = context.machine();
      machine.thread_break_even = 0;  // split even the smallest product
      context.set_machine(machine);
      settings.push_back({tier, count, std::move(pool), std::move(context)});
    }
  }
  return settings;
}

// What one class gave first, and the way in which it did.
struct Reference {
  Elements values;
  std::string way;
};

std::string ElementText(const Operation& operation, std::size_t index) {
  if (operation.columns == 0) return Format("element {}", index);
  const auto columns = static_cast<std::size_t>(operation.columns);
  return Format("row {}, column {}", index / columns, index % columns);
}

std::string ValueText(const Operation& operation, const Elements& values, std::size_t index) {
  if (index >= values.size()) return "missing";  // all results are equally long but files
  if (operation.integers) return std::to_string(std::bit_cast<std::int64_t>(values[index]));
  return Format("{0:a} ({0})", std::bit_cast<double>(values[index]));
}

std::optional<ReproDifference> Compare(const Operation& operation, const std::string& name, const Reference& reference,
                                       const Elements& values, const std::string& way) {
  const auto [expected, found] = std::ranges::mismatch(reference.values, values);
  if (expected == reference.values.end() && found == values.end()) return std::nullopt;
  const auto i = static_cast<std::size_t>(found - values.begin());
  return ReproDifference{.operation = name,
                         .element = ElementText(operation, i),
                         .way = {reference.way, way},
                         .value = {ValueText(operation, reference.values, i), ValueText(operation, values, i)}};
}

class Run {
 public:
  Run(std::vector<Setting> settings, const ReproOptions& options) : settings_(std::move(settings)), options_(options) {}

  Result<ReproReport> Go() {
    std::size_t total = 0;
    internal::ForEachOperation([&total](const Operation&) { return ++total > 0; });
    std::size_t done = 0;
    internal::ForEachOperation([&](const Operation& operation) {
      status_ = Do(operation);
      ++done;
      if (status_.ok() && options_.progress &&
          !options_.progress(static_cast<double>(done) / static_cast<double>(total))) {
        status_ = Status(StatusCode::kInvalidArgument, "the run was ended");
      }
      return status_.ok();
    });
    if (!status_.ok()) return status_;
    Group();
    return std::move(report_);
  }

 private:
  Status Do(const Operation& operation) {
    if (report_.topics.empty() || report_.topics.back() != operation.topic) {
      report_.topics.push_back(operation.topic);
      report_.descriptions.emplace_back();
      hashes_.emplace_back(settings_.size());
      of_integers_.push_back(operation.integers);
    }
    std::vector<std::string>& texts = report_.descriptions.back();
    const std::string name = Format("{}, operation {}: {}", operation.topic, texts.size(), operation.text);
    texts.push_back(operation.text);
    bool differs = false;
    Reference references[3];  // by class
    for (std::size_t s = 0; s < settings_.size(); ++s) {
      Setting& setting = settings_[s];
      Reference& reference = references[static_cast<std::size_t>(ClassOf(hashes_.size() - 1, setting.tier))];
      for (const Variation& variation : kVariations) {
        values_.clear();
        const Status status = operation.run(setting.context, variation, values_);
        const std::string way = Describe(setting, variation);
        if (!status.ok()) return Status(status.code(), Format("{} ({}): {}", name, way, status.message()));
        if (&variation == kVariations) {
          hashes_.back()[s].push_back(Hash(values_.data(), values_.size() * sizeof(values_[0])));
        }
        if (reference.way.empty()) {
          reference = {values_, way};
        } else if (!differs) {
          std::optional<ReproDifference> difference = Compare(operation, name, reference, values_, way);
          differs = difference.has_value();
          if (differs) report_.differences.push_back(*std::move(difference));
        }
      }
    }
    return Status();
  }

  NumericClass ClassOf(std::size_t topic, Tier tier) const {
    return of_integers_[topic] ? NumericClass::kExact : lanewise::ClassOf(tier);
  }

  // Tiers of a class with the same hashes become one result; of each tier the first number of threads counts.
  void Group() {
    for (const NumericClass numeric_class : {NumericClass::kFma, NumericClass::kMulAdd, NumericClass::kExact}) {
      for (std::size_t t = 0; t < report_.topics.size(); ++t) {
        const std::size_t first = report_.results.size();
        for (std::size_t s = 0; s < settings_.size(); ++s) {
          const Tier tier = settings_[s].tier;
          if (ClassOf(t, tier) != numeric_class || (s > 0 && settings_[s - 1].tier == tier)) continue;
          std::vector<std::uint64_t>& operations = hashes_[t][s];
          const auto same =
              std::find_if(report_.results.begin() + static_cast<std::ptrdiff_t>(first), report_.results.end(),
                           [&](const ReproResult& r) { return r.operations == operations; });
          if (same != report_.results.end()) {
            same->tiers.push_back(tier);
            continue;
          }
          const std::uint64_t hash = Hash(operations.data(), operations.size() * sizeof(std::uint64_t));
          report_.results.push_back({numeric_class, {tier}, report_.topics[t], std::move(operations), hash});
        }
      }
    }
  }

  std::vector<Setting> settings_;
  const ReproOptions& options_;
  ReproReport report_;
  std::vector<std::vector<std::vector<std::uint64_t>>> hashes_;  // by topic, setting and operation
  std::vector<bool> of_integers_;                                // by topic
  Elements values_;
  Status status_;
};

}  // namespace

Result<ReproReport> RunRepro(const std::vector<Tier>& tiers, const ReproOptions& options) {
  try {
    Result<std::vector<Setting>> settings = MakeSettings(tiers, options.threads);
    if (!settings.ok()) return settings.status();
    return Run(*std::move(settings), options).Go();
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "no memory to run the work");
  }
}

}  // namespace lanewise
