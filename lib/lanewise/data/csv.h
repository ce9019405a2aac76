// SPDX-License-Identifier: Apache-2.0
//
// CSV: one sample per line, fields separated by commas, as spreadsheets, R and pandas write it.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lanewise/dataset.h"
#include "lanewise/status.h"

namespace lanewise {

// What the columns that are not features hold.
enum class CsvRole : std::uint8_t {
  kNone,     // there are none: every column is a feature
  kLabel,    // one column: the sample's class
  kTargets,  // one or more columns: numbers to be predicted
};

struct CsvOptions {
  CsvRole role = CsvRole::kLabel;

  // The columns that the role speaks of: "first", "last", or names from the header line (which come first, should a
  // column be called so). Not looked at with kNone.
  std::vector<std::string> columns = {"last"};

  // Whether the first line names the columns. Without a value: yes if `columns` holds a name, or if no feature in that
  // line is a number.
  std::optional<bool> has_header = std::nullopt;

  // The classes of a model that the labels are meant for: a label is one of these names, or else a class's number.
  // Empty: the labels of the file make the classes.
  std::vector<std::string> class_names = {};
};

// Reads a CSV file, gzipped or not; "-" is standard input.
//
// A number is written as in C, with a point whatever the locale, and finite as a float. A label is a class, counted
// from 0 (there are max + 1 classes, at most 65536), or else a name; the distinct names in byte order are the classes
// then. Fields may be in double quotes, have spaces around them and be followed by CR LF; a byte order mark and empty
// lines at the end are skipped. Every line has as many fields as the first.
//
// kBadFile with file, line, column (both counted from 1) and rule; kIoError; kOutOfMemory; kInvalidArgument for options
// that contradict themselves.
Result<Dataset> ReadCsv(const std::string& path, const CsvOptions& options = {});

}  // namespace lanewise
