// SPDX-License-Identifier: Apache-2.0
//
// Reports as documents, and documents compared with reports.

#include <algorithm>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <string_view>

#include "file_io.h"
#include "format.h"
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

std::string ShortHash(std::uint64_t hash) { return Format("{:08x}", hash & 0xFFFFFFFF); }

// Longer than any report by far.
constexpr std::uint64_t kLongestDocument = 10'000'000;

Status Bad(const std::string& path, std::string_view rule) {
  return Status(StatusCode::kBadFile, Format("{}: {}", path, rule));
}

Status NoDocument(const std::string& path) { return Bad(path, "is not a document of `lanewise repro --json`"); }

// A document of this library's revision; what else stands in it is not looked at.
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
  if (!document.is_object()) return NoDocument(path);
  const Json& revision = document.at("numerics_revision");
  if (!revision.is_number_integer() || revision != kNumericsRevision) {
    return Bad(path, Format("holds the bits of numerics revision {}; this library has revision {}", revision.dump(),
                            kNumericsRevision));
  }
  return document;
}

// What a document attests: "fma gemm f32" and the like, each once.
Result<std::map<std::string, const Json*>> Attested(const Json& document, const std::string& path) {
  if (!document.at("differences").empty())
    return Bad(path, "is of a run in which results differed: it attests nothing");
  std::map<std::string, const Json*> attested;
  for (const Json& result : document.at("results")) {
    const std::string name = result.at("class").get<std::string>() + " " + result.at("topic").get<std::string>();
    if (!attested.emplace(name, &result).second) return Bad(path, Format("has {} twice", Quote(name)));
  }
  return attested;
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

std::string DescribeChange(const ReproReport& report, const ReproResult& result, const Json& expected,
                           const std::string& path) {
  const std::size_t i = FirstDifferent(result, expected);
  const auto topic = std::ranges::find(report.topics, result.topic) - report.topics.begin();
  const std::vector<std::string>& texts = report.descriptions[static_cast<std::size_t>(topic)];
  const std::string place = i < texts.size() ? Format(", operation {}: {}", i, texts[i]) : "";
  return Format("other bits than in {}: {} on {}{}", Quote(path), result.topic, Name(result.tiers[0]), place);
}

Result<std::string> Compare(const ReproReport& report, const std::string& path) {
  const Result<Json> document = ReadDocument(path);
  if (!document.ok()) return document.status();
  Result<std::map<std::string, const Json*>> attested = Attested(*document, path);
  if (!attested.ok()) return attested.status();
  std::string first_changed;
  std::set<std::string> compared;
  for (const ReproResult& result : report.results) {
    const std::string numeric_class = Name(result.numeric_class);
    const bool has_class =
        std::ranges::any_of(*attested, [&](const auto& item) { return item.first.starts_with(numeric_class + " "); });
    if (!has_class) continue;
    const auto expected = attested->find(numeric_class + " " + result.topic);
    if (expected == attested->end()) return Bad(path, Format("has no '{}' of class {}", result.topic, numeric_class));
    compared.insert(expected->first);
    if (first_changed.empty() && expected->second->at("hash").get<std::string>() != HashText(result.hash)) {
      first_changed = DescribeChange(report, result, *expected->second, path);
    }
  }
  for (const auto& [name, result] : *attested) {
    const std::string& numeric_class = result->at("class").get_ref<const std::string&>();
    const bool has_class = std::ranges::any_of(
        report.results, [&](const ReproResult& r) { return Name(r.numeric_class) == numeric_class; });
    if (has_class && !compared.contains(name))
      return Bad(path, Format("has {}, which is not computed here", Quote(name)));
  }
  if (compared.empty()) return Bad(path, "has no hashes of a class that this CPU has");
  return first_changed;
}

Json Document(const ReproReport& report) {
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
    for (int i : {0, 1}) values.push_back({{"way", d.way[i]}, {"value", d.value[i]}});
    differences.push_back({{"operation", d.operation}, {"element", d.element}, {"values", std::move(values)}});
  }
  return Json{{"numerics_revision", kNumericsRevision},
              {"hash",
               "XXH3-64 of each operation's results as little-endian doubles, every NaN as 0x7ff8000000000000 (of "
               "integers as int64); of a topic that of its operations' hashes. For each operation the low 32 bits."},
              {"results", std::move(results)},
              {"differences", std::move(differences)}};
}

// What a function that reads `path` returns, or the status for what it throws.
template <typename Function>
auto Guarded(const std::string& path, const Function& read) -> decltype(read()) {
  try {
    return read();
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, Format("no memory to read {}", path));
  } catch (const Json::exception&) {
    return NoDocument(path);
  }
}

}  // namespace

Result<std::string> ToJson(const ReproReport& report) {
  try {
    return Document(report).dump(2) + "\n";
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "no memory for the report");
  }
}

Status CheckReproFile(const std::string& path) {
  return Guarded(path, [&path] {
    const Result<Json> document = ReadDocument(path);
    return document.ok() ? Attested(*document, path).status() : document.status();
  });
}

Result<std::string> CompareWithFile(const ReproReport& report, const std::string& path) {
  return Guarded(path, [&] { return Compare(report, path); });
}

}  // namespace lanewise
