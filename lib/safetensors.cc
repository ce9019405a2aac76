// SPDX-License-Identifier: Apache-2.0
//
// Reading is strict and in three steps: the header's JSON, event by event, into entries; the entries against each
// other; the elements, as they arrive.

#include "safetensors.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>
#include <limits>
#include <new>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lanewise/write_file.h"

namespace lanewise {
namespace {

using Json = nlohmann::json;

static_assert(std::endian::native == std::endian::little, "elements are read and written as they lie in memory");

constexpr std::uint64_t kLengthBytes = 8;
// The reference implementation's limit.
constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr std::string_view kMetadataKey = "__metadata__";

// What the header says of one tensor.
struct Entry {
  std::string name;
  std::uint64_t at = 0;  // where in the file it is described
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::vector<std::uint64_t> offsets;  // first byte and one past the last, counted from the end of the header
};

std::size_t BytesPerElement(std::string_view dtype) { return dtype == "F32" ? sizeof(float) : sizeof(double); }

// The number of elements if their bytes can be counted in 63 bits.
template <typename Dimension>
std::optional<std::uint64_t> ElementCount(const std::vector<Dimension>& shape, std::size_t bytes_per_element) {
  std::uint64_t count = 1;
  for (const Dimension dimension : shape) {
    if (!std::in_range<std::ptrdiff_t>(dimension) || dimension < Dimension{0} ||
        __builtin_mul_overflow(count, static_cast<std::uint64_t>(dimension), &count)) {
      return std::nullopt;
    }
  }
  if (count > static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max()) / bytes_per_element) {
    return std::nullopt;
  }
  return count;
}

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
  std::map<std::string, std::string>& metadata() { return metadata_; }
  std::map<std::string, std::uint64_t>& metadata_at() { return metadata_at_; }
  std::vector<Entry>& entries() { return entries_; }

  bool null() override { return RefuseValue(); }
  bool boolean(bool) override { return RefuseValue(); }
  bool number_integer(number_integer_t) override { return RefuseValue(); }  // a negative one
  bool number_float(number_float_t, const string_t&) override { return RefuseValue(); }
  bool binary(binary_t&) override { return RefuseValue(); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::kNumbers) return RefuseValue();
    (key_ == "shape" ? entries_.back().shape : entries_.back().offsets).push_back(value);
    return true;
  }

  bool string(string_t& value) override {
    if (place_ == Place::kMetadata) {
      metadata_[key_] = std::move(value);
      metadata_at_[key_] = key_at_;
      return true;
    }
    if (place_ != Place::kTensor || key_ != "dtype") return RefuseValue();
    if (value != "F32" && value != "F64") {
      return Refuse(
          fmt::format("tensor {} has dtype {}; Lanewise reads F32 and F64", Quote(entries_.back().name), Quote(value)));
    }
    entries_.back().dtype = std::move(value);
    return true;
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::kFile) {
      place_ = Place::kEntries;
    } else if (place_ == Place::kEntries) {
      place_ = key_ == kMetadataKey ? Place::kMetadata : Place::kTensor;
      if (place_ == Place::kTensor) entries_.push_back({key_, at(), {}, {}, {}});
    } else {
      return RefuseValue();
    }
    seen_here_.clear();
    return true;
  }

  bool key(string_t& name) override {
    std::set<std::string>& seen = place_ == Place::kEntries ? names_ : seen_here_;
    if (!seen.insert(name).second) return Refuse(fmt::format("the key {} occurs twice", Quote(name)));
    if (place_ == Place::kTensor && name != "dtype" && name != "shape" && name != "data_offsets") {
      return Refuse(fmt::format("tensor {} has the key {}; the format knows dtype, shape and data_offsets",
                                Quote(entries_.back().name), Quote(name)));
    }
    key_ = std::move(name);
    key_at_ = at();
    return true;
  }

  bool end_object() override {
    if (place_ == Place::kTensor && seen_here_.size() != 3) {
      return Refuse(fmt::format("tensor {} lacks one of dtype, shape and data_offsets", Quote(entries_.back().name)));
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
        return Refuse(fmt::format("the value of {} must be an object", Quote(key_)));
      case Place::kMetadata:
        return Refuse(fmt::format("the metadata {} must be a string", Quote(key_)));
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
  std::set<std::string> names_;
  std::set<std::string> seen_here_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, std::uint64_t> metadata_at_;
  std::vector<Entry> entries_;
  std::string rule_;
};

// Sorts the entries by their place in the file. They must follow each other without gap or overlap, each as long as its
// shape and dtype say. Returns the rule that is broken and the entry that breaks it.
std::optional<std::pair<std::string, const Entry*>> SortAndCheck(std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    if (entry.offsets.size() != 2) {
      return std::pair(
          fmt::format("tensor {} has {} data_offsets; there must be two", Quote(entry.name), entry.offsets.size()),
          &entry);
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::tie(a.offsets, a.at) < std::tie(b.offsets, b.at); });
  std::uint64_t end = 0;
  for (const Entry& entry : entries) {
    const std::size_t bytes_per_element = BytesPerElement(entry.dtype);
    const std::optional<std::uint64_t> count = ElementCount(entry.shape, bytes_per_element);
    if (!count)
      return std::pair(fmt::format("the shape of tensor {} has too many elements", Quote(entry.name)), &entry);
    if (entry.offsets[0] != end) {
      return std::pair(fmt::format("tensor {} begins at byte {} of the data; {} is where the one before it ends",
                                   Quote(entry.name), entry.offsets[0], end),
                       &entry);
    }
    if (entry.offsets[1] < end || entry.offsets[1] - end != *count * bytes_per_element) {
      return std::pair(fmt::format("tensor {} ends at byte {} of the data; its {} elements of {} bytes from byte {} on "
                                   "do not end there",
                                   Quote(entry.name), entry.offsets[1], *count, bytes_per_element, end),
                       &entry);
    }
    end = entry.offsets[1];
  }
  return std::nullopt;
}

template <typename T>
Result<Tensor> ReadTensor(ByteReader& reader, const Entry& entry, std::uint64_t data_begin) {
  const std::uint64_t count = (entry.offsets[1] - entry.offsets[0]) / sizeof(T);
  std::vector<T> values;
  Result<std::uint64_t> bytes = ReadElements(reader, count, values);
  if (!bytes.ok()) return bytes.status();
  if (*bytes != count * sizeof(T)) {
    return BadFile(
        reader.name(), data_begin + entry.offsets[0] + *bytes,
        fmt::format("the file ends here; tensor {} has {} elements of {} bytes", Quote(entry.name), count, sizeof(T)));
  }
  return Tensor{.name = entry.name,
                .shape = {entry.shape.begin(), entry.shape.end()},
                .values = std::move(values),
                .at = entry.at,
                .elements_at = data_begin + entry.offsets[0]};
}

Result<SafetensorsFile> Read(ByteReader& reader) {
  std::uint64_t header_size = 0;
  Result<std::size_t> length_bytes = reader.Read(&header_size, kLengthBytes);
  if (!length_bytes.ok()) return length_bytes.status();
  if (*length_bytes != kLengthBytes) {
    return BadFile(reader.name(), *length_bytes, "the file ends here; the length of the header takes 8 bytes");
  }
  if (header_size > kLongestHeader) {
    return BadFile(reader.name(), 0,
                   fmt::format("the header is said to have {} bytes; at most {} are allowed (is this a safetensors "
                               "file?)",
                               header_size, kLongestHeader));
  }
  std::string header;
  Result<std::uint64_t> header_bytes = ReadElements(reader, header_size, header);
  if (!header_bytes.ok()) return header_bytes.status();
  if (*header_bytes != header_size) {
    return BadFile(reader.name(), kLengthBytes + *header_bytes,
                   fmt::format("the file ends here; the header is said to have {} bytes", header_size));
  }

  HeaderReader events(header);
  if (!events.Read()) return BadFile(reader.name(), events.at(), events.rule());
  if (const auto broken = SortAndCheck(events.entries())) {
    return BadFile(reader.name(), broken->second->at, broken->first);
  }

  SafetensorsFile file;
  file.metadata = std::move(events.metadata());
  file.metadata_at = std::move(events.metadata_at());
  const std::uint64_t data_begin = kLengthBytes + header_size;
  std::uint64_t end = data_begin;
  for (const Entry& entry : events.entries()) {
    Result<Tensor> tensor = entry.dtype == "F32" ? ReadTensor<float>(reader, entry, data_begin)
                                                 : ReadTensor<double>(reader, entry, data_begin);
    if (!tensor.ok()) return tensor.status();
    file.tensors.push_back(*std::move(tensor));
    end = data_begin + entry.offsets[1];
  }
  char extra = 0;
  Result<std::size_t> more = reader.Read(&extra, 1);
  if (!more.ok()) return more.status();
  if (*more != 0) return BadFile(reader.name(), end, "the file goes on after the last tensor");
  return file;
}

Status Invalid(std::string_view path, std::string_view rule) {
  return {StatusCode::kInvalidArgument, fmt::format("cannot write {}: {}", Quote(path), rule)};
}

bool IsF64(const Tensor& tensor) { return std::holds_alternative<std::vector<double>>(tensor.values); }

std::string_view BytesOf(const Tensor& tensor) {
  return std::visit(
      [](const auto& values) {
        return std::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
      },
      tensor.values);
}

// Calls take(parts), the file's bytes in order, which live as long as the call.
template <typename Take>
Status Serialise(const std::string& path, const SafetensorsFile& file, const Take& take) {
  std::vector<const Tensor*> ordered;
  for (const bool f64 : {true, false}) {
    for (const Tensor& tensor : file.tensors) {
      if (IsF64(tensor) == f64) ordered.push_back(&tensor);
    }
  }

  std::vector<std::string> members;
  if (!file.metadata.empty()) members.push_back(fmt::format("\"{}\":{}", kMetadataKey, Json(file.metadata).dump()));
  std::vector<std::string_view> parts = {{}, {}};  // the length and the header come last
  std::set<std::string_view> names = {kMetadataKey};
  std::uint64_t end = 0;
  for (const Tensor* tensor : ordered) {
    if (!names.insert(tensor->name).second) {
      return Invalid(path, fmt::format("the name {} is taken", Quote(tensor->name)));
    }
    const bool is_f64 = IsF64(*tensor);
    const std::size_t bytes_per_element = is_f64 ? sizeof(double) : sizeof(float);
    const std::string_view bytes = BytesOf(*tensor);
    const std::optional<std::uint64_t> count = ElementCount(tensor->shape, bytes_per_element);
    if (!count || *count != bytes.size() / bytes_per_element) {
      return Invalid(path, fmt::format("tensor {} has {} values, which is not what its shape says", Quote(tensor->name),
                                       bytes.size() / bytes_per_element));
    }
    members.push_back(fmt::format(R"({}:{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", Json(tensor->name).dump(),
                                  is_f64 ? "F64" : "F32", Json(tensor->shape).dump(), end, end + bytes.size()));
    parts.push_back(bytes);
    end += bytes.size();
  }

  std::string header = fmt::format("{{{}}}", fmt::join(members, ","));
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t header_size = header.size();
  if (header_size > kLongestHeader) return Invalid(path, "the header would be longer than the format allows");
  parts[0] = std::string_view(reinterpret_cast<const char*>(&header_size), kLengthBytes);
  parts[1] = header;
  return take(parts);
}

// `take` as above, and no exception.
template <typename Take>
Status SerialiseChecked(const std::string& path, const SafetensorsFile& file, const Take& take) {
  try {
    return Serialise(path, file, take);
  } catch (const std::bad_alloc&) {
    return {StatusCode::kOutOfMemory, fmt::format("no memory to write {}", Quote(path))};
  } catch (const Json::exception&) {
    return Invalid(path, "a name or a metadata string is not UTF-8");
  }
}

}  // namespace

Result<SafetensorsFile> ReadSafetensors(ByteReader& reader) {
  try {
    return Read(reader);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, fmt::format("no memory to read {}", reader.name()));
  }
}

Result<SafetensorsFile> ReadSafetensors(const std::string& path) {
  try {
    Result<std::unique_ptr<ByteReader>> reader = OpenFile(path);
    if (!reader.ok()) return reader.status();
    return ReadSafetensors(**reader);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, fmt::format("no memory to open {}", path));
  }
}

Status WriteSafetensors(const std::string& path, const SafetensorsFile& file) {
  return SerialiseChecked(path, file, [&](std::span<const std::string_view> parts) { return WriteFile(path, parts); });
}

Result<std::string> SafetensorsBytes(const std::string& path, const SafetensorsFile& file) {
  std::string bytes;
  Status status = SerialiseChecked(path, file, [&](std::span<const std::string_view> parts) {
    for (const std::string_view part : parts) bytes += part;
    return Status();
  });
  if (!status.ok()) return status;
  return bytes;
}

}  // namespace lanewise
