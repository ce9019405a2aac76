// SPDX-License-Identifier: Apache-2.0

#include "safetensors_header.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <tuple>

#include <nlohmann/json.hpp>

#include "file_io.h"
#include "format.h"

namespace lanewise::internal {
namespace {

using Json = nlohmann::json;

// Goes over the header's text and notes how far, so that an event of the parser has a place.
class Cursor {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
  reference operator*() const { return *(*furthest_ = at_); }
  Cursor& operator++() {
    ++at_;
    return *this;
  }
  bool operator==(const Cursor& other) const { return at_ == other.at_; }
  bool operator!=(const Cursor& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** furthest_;
};

// Receives the parser's events and accepts exactly the header's grammar:
//   { "__metadata__": {KEY: STRING, ...}, NAME: {"dtype": STRING, "shape": [N, ...], "data_offsets": [N, N]}, ... }
// It stops at the first thing that does not belong there, so that neither depth nor numbers of foreign values cost
// anything. Method names and types are the parser's.
class HeaderReader final : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(std::string_view text) : text_(text), furthest_(text.data()) {}

  // Whether the text is a header; otherwise rule() and at() say what is wrong and where.
  bool Read() {
    // The parser would skip a byte order mark and white space.
    if (!text_.starts_with('{')) return Refuse("the header must begin with '{'");
    // The parser would take a NUL for the end of the text and not look at what follows.
    if (const std::size_t nul = text_.find('\0'); nul != std::string_view::npos) {
      furthest_ += nul;
      return Refuse("the header holds a NUL, which is not valid JSON");
    }
    const char* end = text_.data() + text_.size();
    return Json::sax_parse(Cursor(text_.data(), &furthest_), Cursor(end, &furthest_), this);
  }

  const std::string& rule() const { return rule_; }
  std::uint64_t at() const { return kLengthBytes + static_cast<std::uint64_t>(furthest_ - text_.data()); }
  SafetensorsHeader& header() { return header_; }

  bool null() override { return RefuseValue(); }
  bool boolean(bool) override { return RefuseValue(); }
  bool number_integer(number_integer_t) override { return RefuseValue(); }  // a negative one
  bool number_float(number_float_t, const string_t&) override { return RefuseValue(); }
  bool binary(binary_t&) override { return RefuseValue(); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::kNumbers) return RefuseValue();
    const bool is_shape = key_ == "shape";
    std::vector<std::uint64_t>& numbers = is_shape ? header_.entries.back().shape : header_.entries.back().offsets;
    const std::size_t most = is_shape ? kMostDimensions : 2;
    if (numbers.size() == most) {
      return Refuse(Format("tensor {} has more than {} {}", Quote(header_.entries.back().name), most,
                           is_shape ? "dimensions" : "data_offsets"));
    }
    numbers.push_back(value);
    return true;
  }

  bool string(string_t& value) override {
    if (place_ == Place::kMetadata) {
      header_.metadata[key_] = std::move(value);
      header_.metadata_at[key_] = key_at_;
      return true;
    }
    if (place_ != Place::kTensor || key_ != "dtype") return RefuseValue();
    if (value != "F32" && value != "F64") {
      return Refuse(Format("tensor {} has dtype {}; Lanewise reads F32 and F64", Quote(header_.entries.back().name),
                           Quote(value)));
    }
    header_.entries.back().dtype = std::move(value);
    return true;
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::kFile) {
      place_ = Place::kEntries;
    } else if (place_ == Place::kEntries) {
      place_ = key_ == kMetadataKey ? Place::kMetadata : Place::kTensor;
      if (place_ == Place::kTensor) header_.entries.push_back({key_, at(), {}, {}, {}});
    } else {
      return RefuseValue();
    }
    seen_here_.clear();
    return true;
  }

  bool key(string_t& name) override {
    std::set<std::string>& seen = place_ == Place::kEntries ? names_ : seen_here_;
    if (!seen.insert(name).second) return Refuse(Format("the key {} occurs twice", Quote(name)));
    const bool counts = place_ == Place::kMetadata || (place_ == Place::kEntries && name != kMetadataKey);
    if (counts && ++name_count_ > kMostNames) {
      return Refuse(Format("there are more than {} names of tensors and metadata", kMostNames));
    }
    if (place_ == Place::kTensor && name != "dtype" && name != "shape" && name != "data_offsets") {
      return Refuse(Format("tensor {} has the key {}; the format knows dtype, shape and data_offsets",
                           Quote(header_.entries.back().name), Quote(name)));
    }
    key_ = std::move(name);
    key_at_ = at();
    return true;
  }

  bool end_object() override {
    if (place_ == Place::kTensor && seen_here_.size() != 3) {
      return Refuse(Format("tensor {} lacks one of dtype, shape and data_offsets", Quote(header_.entries.back().name)));
    }
    place_ = place_ == Place::kEntries ? Place::kFile : Place::kEntries;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::kTensor || key_ == "dtype") return RefuseValue();
    place_ = Place::kNumbers;
    return true;
  }

  bool end_array() override {
    place_ = Place::kTensor;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const Json::exception&) override {
    return Refuse("the header is not valid JSON here");
  }

 private:
  enum class Place : std::uint8_t { kFile, kEntries, kMetadata, kTensor, kNumbers };

  bool Refuse(std::string rule) {
    rule_ = std::move(rule);
    return false;
  }

  bool RefuseValue() {
    switch (place_) {
      case Place::kFile:
        break;  // not reached: the text begins with '{'
      case Place::kEntries:
        return Refuse(Format("the value of {} must be an object", Quote(key_)));
      case Place::kMetadata:
        return Refuse(Format("the metadata {} must be a string", Quote(key_)));
      case Place::kTensor:
      case Place::kNumbers:
        break;
    }
    return Refuse("dtype must be a string, shape and data_offsets lists of integers from 0 to 2^64 - 1");
  }

  std::string_view text_;
  const char* furthest_;
  Place place_ = Place::kFile;
  std::string key_;
  std::uint64_t key_at_ = 0;
  std::size_t name_count_ = 0;
  std::set<std::string> names_;
  std::set<std::string> seen_here_;
  SafetensorsHeader header_;
  std::string rule_;
};

// Sorts the entries by their place in the file. They must follow each other without gap or overlap, each as long as its
// shape and dtype say. Returns the rule that is broken and the entry that breaks it.
std::optional<std::pair<std::string, const TensorEntry*>> SortAndCheck(std::vector<TensorEntry>& entries) {
  for (const TensorEntry& entry : entries) {
    if (entry.offsets.size() != 2) {
      return std::pair(
          Format("tensor {} has {} data_offsets; there must be two", Quote(entry.name), entry.offsets.size()), &entry);
    }
  }
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.offsets, a.at) < std::tie(b.offsets, b.at);
  });
  std::uint64_t end = 0;
  for (const TensorEntry& entry : entries) {
    const std::size_t bytes_per_element = BytesPerElement(entry.dtype);
    const std::optional<std::uint64_t> count = ElementCount(entry.shape, bytes_per_element);
    if (!count) return std::pair(Format("the shape of tensor {} has too many elements", Quote(entry.name)), &entry);
    if (entry.offsets[0] != end) {
      return std::pair(Format("tensor {} begins at byte {} of the data; {} is where the one before it ends",
                              Quote(entry.name), entry.offsets[0], end),
                       &entry);
    }
    if (entry.offsets[1] < end || entry.offsets[1] - end != *count * bytes_per_element) {
      return std::pair(Format("tensor {} ends at byte {} of the data; its {} elements of {} bytes from byte {} on "
                              "do not end there",
                              Quote(entry.name), entry.offsets[1], *count, bytes_per_element, end),
                       &entry);
    }
    end = entry.offsets[1];
  }
  return std::nullopt;
}

}  // namespace

Result<SafetensorsHeader> ParseHeader(const std::string& name, std::string_view text) {
  HeaderReader events(text);
  if (!events.Read()) return BadFile(name, events.at(), events.rule());
  if (const auto broken = SortAndCheck(events.header().entries)) {
    return BadFile(name, broken->second->at, broken->first);
  }
  return std::move(events.header());
}

}  // namespace lanewise::internal
