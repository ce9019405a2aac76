// SPDX-License-Identifier: Apache-2.0
//
// CSV files, line by line: cut into fields, each field put where its column belongs.

#include "lanewise/data/csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <string_view>
#include <utility>

#include "format.h"

#include "data/data_reader.h"

namespace lanewise {
namespace data {
namespace {

// More than a million numbers: what is longer is no line of text.
constexpr std::size_t kLongestLine = std::size_t{16} << 20;
constexpr std::int32_t kMostClasses = 65536;

// The lines of an input, without their ends.
class LineReader {
 public:
  explicit LineReader(ByteReader& reader) : reader_(reader), buffer_(65536, '\0') {}

  // The number of the line read last, from 1.
  std::uint64_t number() const { return number_; }

  // "NAME: line L: RULE", or with the column too if it is not 0.
  Status Bad(std::size_t column, std::string_view rule) const {
    const std::string place = column == 0 ? "" : Format(", column {}", column);
    return {StatusCode::kBadFile, Format("{}: line {}{}: {}", reader_.name(), number_, place, rule)};
  }

  // The next line that is not empty; false at the end. Only at the end may there be empty ones.
  Result<bool> Next(std::string& line) {
    Result<bool> more = NextOfAny(line);
    if (!more.ok() || !*more || !line.empty()) return more;
    const Status empty_line = Bad(0, "the line is empty; only the last ones may be");
    while (more.ok() && *more && line.empty()) more = NextOfAny(line);
    if (more.ok() && *more) return empty_line;
    return more;
  }

 private:
  Result<bool> NextOfAny(std::string& line) {
    line.clear();
    ++number_;
    for (;;) {
      if (rest_.empty()) {
        Result<std::size_t> got = reader_.Read(buffer_.data(), buffer_.size());
        if (!got.ok()) return got.status();
        rest_ = {buffer_.data(), *got};
        if (rest_.empty() && line.empty()) return false;
      }
      const std::size_t end = std::min(rest_.find('\n'), rest_.size());
      const bool at_end = rest_.empty() || end < rest_.size();
      if (line.size() + end > kLongestLine) {
        return Bad(0, Format("the line is longer than {} bytes", kLongestLine));
      }
      line += rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      if (at_end) break;
    }
    if (line.ends_with('\r')) line.pop_back();
    if (line.find('\0') != std::string::npos) return Bad(0, "the line holds a NUL; CSV is text, in UTF-8 or ASCII");
    if (number_ == 1 && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
    return true;
  }

  ByteReader& reader_;
  std::string buffer_;
  std::string_view rest_;  // of the buffer
  std::uint64_t number_ = 0;
};

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// Cuts a line at its commas and takes blanks and quotes off the fields, which are views into it (it is changed where
// quotes are written twice). Returns the rule that is broken, in the field after the last one found, or "".
std::string_view CutLine(std::string& line, std::vector<std::string_view>& fields) {
  fields.clear();
  for (std::size_t at = 0;; ++at) {
    while (at < line.size() && IsBlank(line[at])) ++at;
    std::size_t begin = at;
    std::size_t end = 0;
    if (at < line.size() && line[at] == '"') {
      begin = end = ++at;
      for (;; ++at) {
        if (at == line.size()) return "a quote is opened and not closed on the line";
        if (line[at] == '"') {
          ++at;
          if (at == line.size() || line[at] != '"') break;
        }
        line[end++] = line[at];
      }
      while (at < line.size() && IsBlank(line[at])) ++at;
      if (at < line.size() && line[at] != ',') return "text follows the closing quote";
    } else {
      at = end = std::min(line.find(',', at), line.size());
      while (end > begin && IsBlank(line[end - 1])) --end;
    }
    fields.emplace_back(&line[begin], end - begin);
    if (at == line.size()) return "";
  }
}

constexpr std::string_view kEmpty = "the field is empty";
constexpr std::string_view kNotANumber = "not a number";

// Returns the rule that is broken, or "".
std::string_view ParseNumber(std::string_view text, float& value) {
  if (text.empty()) return kEmpty;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc::invalid_argument || stop != end) return kNotANumber;
  if (error == std::errc::result_out_of_range) {
    // Either too large or so small that it is 0 as a float; from_chars does not say which.
    double wide = 0;
    const auto result = std::from_chars(text.data(), end, wide);
    if (result.ec != std::errc() || std::fabs(wide) > 1) return "outside the range of a float";
    value = wide < 0 ? -0.0F : 0.0F;
  }
  return std::isfinite(value) ? "" : "not finite";
}

bool IsNumber(std::string_view text) {
  float ignored = 0;
  const std::string_view rule = ParseNumber(text, ignored);
  return rule != kEmpty && rule != kNotANumber;
}

// The classes of labels in the order in which they come, and what they are called.
class LabelReader {
 public:
  explicit LabelReader(const std::vector<std::string>& class_names) : given_names_(class_names) {
    for (std::size_t i = 0; i < class_names.size(); ++i) {
      names_.emplace(class_names[i], static_cast<std::int32_t>(i));
    }
  }

  // Returns the rule that is broken, or "".
  std::string Read(std::string_view text) {
    if (text.empty()) return std::string(kEmpty);
    const auto known = names_.find(text);
    if (known != names_.end()) {
      labels_.push_back(known->second);
      return "";
    }
    std::int32_t number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_integer = stop == text.data() + text.size() && error != std::errc::invalid_argument;
    if (!given_names_.empty()) {
      if (!is_integer || error != std::errc() || number < 0 || number >= Count(given_names_)) {
        return Format("{} is none of the {} classes", Quote(text), given_names_.size());
      }
      labels_.push_back(number);
      return "";
    }
    if (labels_.empty()) labels_are_integers_ = is_integer;
    if (is_integer != labels_are_integers_) {
      return Format("{} is {} integer, unlike the labels before it", Quote(text), is_integer ? "an" : "no");
    }
    if (!is_integer) {
      if (Count(names_) == kMostClasses) return Format("more than {} classes", kMostClasses);
      number = Count(names_);
      names_.emplace(text, number);
    } else if (error != std::errc() || number < 0 || number >= kMostClasses) {
      return Format("{} is no class; an integer label counts classes from 0 to {}", Quote(text), kMostClasses - 1);
    }
    labels_.push_back(number);
    return "";
  }

  void MoveTo(Dataset& dataset) {
    if (!given_names_.empty()) {
      dataset.class_names = given_names_;
      dataset.classes = Count(given_names_);
    } else if (labels_are_integers_) {
      dataset.classes = *std::max_element(labels_.begin(), labels_.end()) + 1;
    } else {
      std::vector<std::int32_t> sorted_place(names_.size());
      for (const auto& [name, number] : names_) {
        sorted_place[static_cast<std::size_t>(number)] = Count(dataset.class_names);
        dataset.class_names.push_back(name);
      }
      for (std::int32_t& label : labels_) label = sorted_place[static_cast<std::size_t>(label)];
      dataset.classes = Count(dataset.class_names);
    }
    dataset.labels = std::move(labels_);
  }

 private:
  template <typename Container>
  static std::int32_t Count(const Container& container) {
    return static_cast<std::int32_t>(container.size());
  }

  const std::vector<std::string>& given_names_;
  std::map<std::string, std::int32_t, std::less<>> names_;  // numbered as they come, or as given
  bool labels_are_integers_ = false;
  std::vector<std::int32_t> labels_;
};

// What each column is: a feature, the label, or the target of that number.
constexpr std::ptrdiff_t kFeature = -1;
struct Columns {
  bool has_header = false;
  std::vector<std::ptrdiff_t> role;  // kFeature, or the place in CsvOptions::columns
};

Result<Columns> ReadFirstLine(const LineReader& lines, const std::vector<std::string_view>& fields,
                              const CsvOptions& options) {
  Columns columns = {.has_header = false, .role = std::vector<std::ptrdiff_t>(fields.size(), kFeature)};
  const std::vector<std::string> none;
  const std::vector<std::string>& wanted = options.role == CsvRole::kNone ? none : options.columns;
  bool named = false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    std::size_t place = fields.size();
    if (options.has_header.value_or(true)) {
      place = static_cast<std::size_t>(std::find(fields.begin(), fields.end(), wanted[i]) - fields.begin());
    }
    if (place != fields.size()) {
      named = true;
    } else if (wanted[i] == "first" || wanted[i] == "last") {
      place = wanted[i] == "first" ? 0 : fields.size() - 1;
    } else {
      return lines.Bad(0, Format("no column is called {}; the first line is {}", Quote(wanted[i]),
                                 Quote(Format("{}", Join(fields, ",")))));
    }
    if (columns.role[place] != kFeature) return lines.Bad(place + 1, "the column is asked for twice");
    columns.role[place] = static_cast<std::ptrdiff_t>(i);
  }
  if (wanted.size() == fields.size()) return lines.Bad(0, "no column is left for the features");

  columns.has_header = options.has_header.value_or(named || [&] {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (columns.role[i] == kFeature && IsNumber(fields[i])) return false;
    }
    return true;
  }());
  return columns;
}

Status CheckOptions(const CsvOptions& options) {
  if (options.role == CsvRole::kLabel && options.columns.size() != 1) {
    return {StatusCode::kInvalidArgument, Format("one column is the label; {} were given", options.columns.size())};
  }
  if (options.role == CsvRole::kTargets && options.columns.empty()) {
    return {StatusCode::kInvalidArgument, "no column was given for the targets"};
  }
  return {};
}

}  // namespace

Result<Dataset> ReadCsv(ByteReader& reader, const CsvOptions& options) {
  if (Status status = CheckOptions(options); !status.ok()) return status;
  LineReader lines(reader);
  std::string line;
  std::vector<std::string_view> fields;
  Columns columns;
  LabelReader labels(options.class_names);
  Dataset dataset;
  if (options.role == CsvRole::kTargets) dataset.target_count = static_cast<std::ptrdiff_t>(options.columns.size());

  for (;;) {
    Result<bool> more = lines.Next(line);
    if (!more.ok()) return more.status();
    if (!*more) break;
    const std::string_view broken = CutLine(line, fields);
    if (!broken.empty()) return lines.Bad(fields.size() + 1, broken);
    if (lines.number() == 1) {
      Result<Columns> first = ReadFirstLine(lines, fields, options);
      if (!first.ok()) return first.status();
      columns = *std::move(first);
      if (columns.has_header) continue;
    }
    if (fields.size() != columns.role.size()) {
      return lines.Bad(0, Format("{} fields; the first line has {}", fields.size(), columns.role.size()));
    }
    // Targets go where their place in the options says, features in the order of the columns.
    const std::size_t targets_begin = dataset.targets.size();
    dataset.targets.resize(targets_begin + static_cast<std::size_t>(dataset.target_count));
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const std::ptrdiff_t role = columns.role[i];
      std::string rule;
      if (role != kFeature && options.role == CsvRole::kLabel) {
        rule = labels.Read(fields[i]);
      } else {
        float value = 0;
        rule = ParseNumber(fields[i], value);
        if (role == kFeature) {
          dataset.values.push_back(value);
        } else {
          dataset.targets[targets_begin + static_cast<std::size_t>(role)] = value;
        }
        if (!rule.empty()) rule += ": " + Quote(fields[i]);
      }
      if (!rule.empty()) return lines.Bad(i + 1, rule);
    }
    ++dataset.samples;
  }
  if (dataset.samples == 0) {
    return lines.Bad(0, columns.has_header ? "the file ends after the header line" : "the file holds no line");
  }
  dataset.features = static_cast<std::ptrdiff_t>(dataset.values.size()) / dataset.samples;
  if (options.role == CsvRole::kLabel) labels.MoveTo(dataset);
  return dataset;
}

}  // namespace data

Result<Dataset> ReadCsv(const std::string& path, const CsvOptions& options) {
  return data::CatchOutOfMemory(path, [&]() -> Result<Dataset> {
    Result<std::unique_ptr<ByteReader>> reader = data::OpenData(path);
    if (!reader.ok()) return reader.status();
    return data::ReadCsv(**reader, options);
  });
}

}  // namespace lanewise
