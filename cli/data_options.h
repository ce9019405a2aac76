// SPDX-License-Identifier: Apache-2.0
//
// --data and what goes with it: where samples come from, and which columns of a CSV file are the answers.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "lanewise/data/csv.h"
#include "lanewise/dataset.h"
#include "lanewise/status.h"
#include "options.h"

namespace lanewise::cli {

// --label COLUMN and --targets COLUMNS.
class ColumnOptions {
 public:
  explicit ColumnOptions(CLI::App& command);

  // What the options say, or if they say nothing: `role` in the last column.
  CsvOptions Get(CsvRole role) const;

 private:
  const CLI::Option* label_;
  const CLI::Option* targets_;
};

// --data DIR|FILE|-, else the built-in digits, of which --samples says how many.
class DataOptions {
 public:
  explicit DataOptions(CLI::App& command);

  // Reads the part `split`; says so on stderr if it is the built-in one. `role` is what the last column of a CSV file
  // is where no option says so, `class_names` the classes that its labels mean (empty: they make their own).
  Result<Dataset> Read(Split split, CsvRole role, const std::vector<std::string>& class_names) const;

  // What --data names, "" for the built-in digits.
  std::string Path() const;

  // "built-in digits", "IDX folder" or "file": what a recipe may know.
  std::string Kind() const;

 private:
  const CLI::Option* data_;
  const CLI::Option* samples_;
  ColumnOptions columns_;
};

// The built-in digits, announced on stderr.
Result<Dataset> BuiltInDigits(Split split, std::ptrdiff_t samples);

}  // namespace lanewise::cli
