// SPDX-License-Identifier: Apache-2.0

#include "data_options.h"

#include <filesystem>

#include "fmt/format.h"
#include "lanewise/data/digits.h"
#include "lanewise/data/read.h"
#include "output.h"

namespace lanewise::cli {
namespace {

// The digits are the same in every run, so that a model can be evaluated on what it was not trained on.
constexpr std::uint64_t kDigitsSeed = 1;
// As many as take about a second to draw, and a tenth of it to test on.
constexpr std::ptrdiff_t kTrainDigits = 20000;
constexpr std::ptrdiff_t kTestDigits = 2000;

}  // namespace

ColumnOptions::ColumnOptions(CLI::App& command)
    : label_(command.add_option("--label")->type_name("COLUMN")->description(
          "CSV: the column with the class: first, last or a\nname from the header")),
      targets_(command.add_option("--targets")
                   ->type_name("COLUMNS")
                   ->description("CSV: columns with numbers to predict, separated\nby commas, named likewise")
                   ->delimiter(',')
                   ->expected(1, CLI::detail::expected_max_vector_size)
                   ->allow_extra_args(false)
                   ->excludes(command.get_option("--label"))) {}

CsvOptions ColumnOptions::Get(CsvRole role) const {
  CsvOptions csv;
  csv.role = role;
  if (label_->count() > 0) {
    csv.role = CsvRole::kLabel;
    csv.columns = {label_->as<std::string>()};
  }
  if (targets_->count() > 0) {
    csv.role = CsvRole::kTargets;
    csv.columns = targets_->as<std::vector<std::string>>();
  }
  return csv;
}

DataOptions::DataOptions(CLI::App& command)
    : data_(command.add_option("--data")->type_name("PATH")->description(
          "IDX folder (MNIST family), CSV file, or - for CSV\non standard input; may be gzipped. "
          "Without it:\nbuilt-in digits")),
      samples_(command.add_option("--samples")
                   ->type_name("N")
                   ->description("How many of the built-in digits")
                   ->check(WholeNumber<std::ptrdiff_t>(1))
                   ->excludes(command.get_option("--data"))),
      columns_(command) {}

Result<Dataset> DataOptions::Read(Split split, CsvRole role, const std::vector<std::string>& class_names) const {
  if (data_->count() == 0) {
    const std::ptrdiff_t usual = split == Split::kTrain ? kTrainDigits : kTestDigits;
    return BuiltInDigits(split, samples_->count() > 0 ? samples_->as<std::ptrdiff_t>() : usual);
  }
  CsvOptions csv = columns_.Get(role);
  if (csv.role == CsvRole::kLabel) csv.class_names = class_names;
  return ReadData(data_->as<std::string>(), split, csv);
}

std::string DataOptions::Path() const { return data_->count() == 0 ? "" : data_->as<std::string>(); }

std::string DataOptions::Kind() const {
  if (data_->count() == 0) return "built-in digits";
  std::error_code error;
  return std::filesystem::is_directory(data_->as<std::string>(), error) ? "IDX folder" : "file";
}

Result<Dataset> BuiltInDigits(Split split, std::ptrdiff_t samples) {
  Note(fmt::format("data: {} built-in drawn digits ({} part)", samples, split == Split::kTrain ? "training" : "test"));
  return GenerateDigits(samples, kDigitsSeed, split);
}

}  // namespace lanewise::cli
