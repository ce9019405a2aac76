// SPDX-License-Identifier: Apache-2.0
//
// Reports as documents, and documents compared with reports.

#include <algorithm>
#include <new>
#include <string_view>

#include "file_io.h"
#include "fmt/format.h"
#include "hash.h"
#include "lanewise/build_info.h"
#include "lanewise/repro.h"
#include "nlohmann/json.hpp"

namespace lanewise {
namespace {

using Json = nlohmann::ordered_json;

// The low 32 bits of an operation's hash, which name it if it changes; the topic's hash attests it.
constexpr std::size_t kDigits = 8;
constexpr std::size_t kPerLine = 16;

std::string ShortHash(std::uint64_t hash) { return fmt::format("{:08x}", hash & 0xFFFFFFFF); }

// Longer than any report by far.
constexpr std::uint64_t kLongestDocument = 10'000'000;

Result<Json> ReadDocument(const std::string& path) {
  Result<std::unique_ptr<ByteReader>> reader = OpenFile(path);
  if (!reader.ok()) return reader.status();
  std::string text;
  const Result<std::uint64_t> size = ReadElements(**reader, kLongestDocument + 1, text);
  if (!size.ok()) return size.status();
  if (*size > kLongestDocument) return BadFile(path, kLongestDocument, "goes on; no report is so long");
  // Depth costs memory: a report has five levels at most.
  const auto watch = [](int depth, Json::parse_event_t, const Json&) { return depth <= 5; };
  Json document = Json::parse(text, watch, false);
  if (!document.is_object()) return BadFile(path, 0, "is not a JSON document of `lanewise repro --json`");
  return document;
}

// What a file attests of one class and topic, or null.
const Json* Find(const Json& results, std::string_view numeric_class, const std::string& topic) {
  for (const Json& result : results) {
    if (result.value("class", "") == numeric_class && result.value("topic", "") == topic) return &result;
  }
  return nullptr;
}

// The first operation whose short hash differs from the file's; the number of operations if none does.
std::size_t FirstDifferent(const ReproResult& result, const Json& expected) {
  std::string digits;
  for (const Json& line : expected.at("operations")) digits += line.get<std::string>();
  std::size_t i = 0;
  while (i < result.operations.size() && i * kDigits + kDigits <= digits.size() &&
         digits.compare(i * kDigits, kDigits, ShortHash(result.operations[i])) == 0) {
    ++i;
  }
  return i;
}

Result<std::string> Compare(const ReproReport& report, const std::string& path) {
  const Result<Json> document = ReadDocument(path);
  if (!document.ok()) return document.status();
  const Json& revision = document->at("numerics_revision");
  if (!revision.is_number_integer() || revision != kNumericsRevision) {
    return BadFile(path, 0,
                   fmt::format("holds the bits of numerics revision {}; this library has revision {}", revision.dump(),
                               kNumericsRevision));
  }
  const Json& results = document->at("results");
  bool compared = false;
  for (const ReproResult& result : report.results) {
    const std::string_view numeric_class = Name(result.numeric_class);
    const bool has_class = std::any_of(results.begin(), results.end(),
                                       [&](const Json& r) { return r.value("class", "") == numeric_class; });
    if (!has_class) continue;
    compared = true;
    const Json* expected = Find(results, numeric_class, result.topic);
    if (expected == nullptr)
      return BadFile(path, 0, fmt::format("has no '{}' of class {}", result.topic, numeric_class));
    if (expected->at("hash").get<std::string>() == HashText(result.hash)) continue;
    const std::size_t i = FirstDifferent(result, *expected);
    const auto topic = std::find(report.topics.begin(), report.topics.end(), result.topic) - report.topics.begin();
    const std::vector<std::string>& texts = report.descriptions[static_cast<std::size_t>(topic)];
    const std::string place = i < texts.size() ? fmt::format(", operation {}: {}", i, texts[i]) : "";
    return fmt::format("other bits than in {}: {} on {}{}", Quote(path), result.topic, Name(result.tiers[0]), place);
  }
  if (!compared) return BadFile(path, 0, "has no hashes of a class that this CPU has");
  return std::string();
}

}  // namespace

std::string ToJson(const ReproReport& report) {
  Json results = Json::array();
  for (const ReproResult& result : report.results) {
    Json tiers = Json::array();
    for (const Tier tier : result.tiers) tiers.push_back(Name(tier));
    std::vector<std::string> lines((result.operations.size() + kPerLine - 1) / kPerLine);
    for (std::size_t i = 0; i < result.operations.size(); ++i) lines[i / kPerLine] += ShortHash(result.operations[i]);
    results.push_back({{"class", Name(result.numeric_class)},
                       {"topic", result.topic},
                       {"tiers", std::move(tiers)},
                       {"hash", HashText(result.hash)},
                       {"operations", std::move(lines)}});
  }
  Json differences = Json::array();
  for (const ReproDifference& d : report.differences) {
    Json values = Json::array();
    for (int i : {0, 1}) values.push_back({{"way", d.way[i]}, {"value", fmt::format("{:a}", d.value[i])}});
    differences.push_back({{"operation", d.operation}, {"element", d.element}, {"values", std::move(values)}});
  }
  return Json{{"numerics_revision", kNumericsRevision},
              {"hash",
               "XXH3-64 of each operation's results as little-endian doubles, every NaN as 0x7ff8000000000000; of a "
               "topic that of its operations' hashes. For each operation the low 32 bits."},
              {"results", std::move(results)},
              {"differences", std::move(differences)}}
             .dump(2) +
         "\n";
}

Result<std::string> CompareWithFile(const ReproReport& report, const std::string& path) {
  try {
    return Compare(report, path);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, fmt::format("no memory to read {}", path));
  } catch (const Json::exception&) {
    return BadFile(path, 0, "is not a document of `lanewise repro --json`");
  }
}

}  // namespace lanewise
