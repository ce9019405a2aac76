// SPDX-License-Identifier: Apache-2.0
//
// The reader of CSV: results, and everything that is refused and where.

#include <clocale>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/data_reader.h"
#include "data_case.h"
#include "doctest/doctest.h"
#include "lanewise/data/csv.h"
#include "memory_reader.h"

namespace lanewise::test {
namespace {

Result<Dataset> CsvOf(std::string bytes, const CsvOptions& options = {}) {
  MemoryReader reader(std::move(bytes));
  return data::ReadCsv(reader, options);
}

TEST_CASE("CSV with integer labels, in the last or the first column") {
  const Result<Dataset> last = CsvOf("0.5,-1e3,2\n.25,4,0\n");
  REQUIRE_MESSAGE(last.ok(), last.status().message());
  CHECK(Validate(*last).ok());
  CHECK(last->samples == 2);
  CHECK(last->features == 2);
  CHECK(last->values == std::vector<float>{0.5F, -1000, 0.25F, 4});
  CHECK(last->labels == std::vector<std::int32_t>{2, 0});
  CHECK(last->classes == 3);
  CHECK(last->class_names.empty());

  const Result<Dataset> first = CsvOf("label,pixel1,pixel2\n2,7,8\n", {.columns = {"first"}});
  REQUIRE(first.ok());
  CHECK(first->values == std::vector<float>{7, 8});
  CHECK(first->labels == std::vector<std::int32_t>{2});
}

TEST_CASE("CSV with named labels: classes are the names in order") {
  const Result<Dataset> flowers = CsvOf("5.1,setosa\n4.9,virginica\n6,setosa\n6,\"a, \"\"b\"\"\"\n");
  REQUIRE(flowers.ok());
  CHECK(Validate(*flowers).ok());
  CHECK(flowers->class_names == std::vector<std::string>{"a, \"b\"", "setosa", "virginica"});
  CHECK(flowers->labels == std::vector<std::int32_t>{1, 2, 1, 0});

  // A model's classes: names, or else their numbers; also those that this file does not have.
  const CsvOptions model = {.class_names = {"virginica", "setosa", "versicolor"}};
  const Result<Dataset> known = CsvOf("1,setosa\n2,2\n3,virginica\n", model);
  REQUIRE(known.ok());
  CHECK(known->labels == std::vector<std::int32_t>{1, 2, 0});
  CHECK(known->classes == 3);
  CHECK(known->class_names == model.class_names);
  CheckRefused(CsvOf("1,setosa\n2,rose\n", model), StatusCode::kBadFile,
               {"line 2, column 2: 'rose' is none of the 3 classes"});
  CheckRefused(CsvOf("1,3\n", model), StatusCode::kBadFile, {"'3' is none of the 3 classes"});
  CheckRefused(CsvOf("1,-1\n", model), StatusCode::kBadFile, {"'-1' is none of the 3 classes"});
}

TEST_CASE("CSV with targets, by name and in the order asked for") {
  const CsvOptions options = {.role = CsvRole::kTargets, .columns = {"b", "a"}};
  const Result<Dataset> dataset = CsvOf("a,x,b,y\n1,2,3,4\n5,6,7,8\n", options);
  REQUIRE(dataset.ok());
  CHECK(Validate(*dataset).ok());
  CHECK(dataset->values == std::vector<float>{2, 4, 6, 8});
  CHECK(dataset->targets == std::vector<float>{3, 1, 7, 5});
  CHECK(dataset->target_count == 2);
  CHECK(dataset->labels.empty());
  const Result<Dataset> both_ends = CsvOf("1,2,3\n", {.role = CsvRole::kTargets, .columns = {"last", "first"}});
  REQUIRE(both_ends.ok());
  CHECK(both_ends->targets == std::vector<float>{3, 1});
  // A column's name comes before the place.
  const Result<Dataset> called_last = CsvOf("last,x\n1,2\n", {.role = CsvRole::kTargets, .columns = {"last"}});
  REQUIRE(called_last.ok());
  CHECK(called_last->targets == std::vector<float>{1});
}

TEST_CASE("CSV with features alone") {
  const Result<Dataset> dataset = CsvOf("1,2\n3,4\n", {.role = CsvRole::kNone});
  REQUIRE(dataset.ok());
  CHECK(Validate(*dataset).ok());
  CHECK(dataset->features == 2);
  CHECK(dataset->labels.empty());
  CHECK(dataset->targets.empty());
}

TEST_CASE("whether the first line of a CSV file is a header") {
  CHECK(CsvOf("a,b,label\n1,2,0\n")->samples == 1);
  CHECK(CsvOf("\"\",\"b\",\"label\"\n1,2,0\n")->samples == 1);
  CHECK(CsvOf("1,2,setosa\n1,2,rose\n")->samples == 2);
  CHECK(CsvOf("0,1,2\n5,6,0\n")->samples == 2);
  CHECK(CsvOf("0,1,2\n5,6,0\n", {.has_header = true})->samples == 1);
  CHECK(CsvOf("0,1,2\n5,6,0\n", {.columns = {"0"}})->values == std::vector<float>{6, 0});
  CheckRefused(CsvOf("a,b,label\n1,2,0\n", {.has_header = false}), StatusCode::kBadFile,
               {"line 1, column 1: not a number: 'a'"});
  // One number is enough for a line of data: the rest is wrong then.
  CheckRefused(CsvOf("1,x,0\n1,2,0\n"), StatusCode::kBadFile, {"line 1, column 2: not a number: 'x'"});
}

TEST_CASE("CSV as other programs write it") {
  for (const std::string_view text :
       {"1,2,0\n3,4,1\n", "1,2,0\n3,4,1", "1,2,0\r\n3,4,1\r\n", "\357\273\2771,2,0\n3,4,1\n",
        " 1\t, 2 ,0 \n\"3\" , \"4\",\"1\"\n", "1,2,0\n3,4,1\n\n\r\n\n", "1e0,2.0,0\n3.,+4,1\n"}) {
    CAPTURE(text);
    const Result<Dataset> dataset = CsvOf(std::string(text));
    if (text.find('+') != std::string_view::npos) {
      CheckRefused(dataset, StatusCode::kBadFile, {"line 2, column 2: not a number: '+4'"});
      continue;
    }
    REQUIRE_MESSAGE(dataset.ok(), dataset.status().message());
    CHECK(dataset->values == std::vector<float>{1, 2, 3, 4});
    CHECK(dataset->labels == std::vector<std::int32_t>{0, 1});
  }
}

TEST_CASE("CSV numbers are read to the nearest float, whatever the locale") {
  const Result<Dataset> dataset = CsvOf("0.1,1e-45,1e-60,-1e-60,16777217,3.4028235e38,0\n");
  REQUIRE_MESSAGE(dataset.ok(), dataset.status().message());
  CHECK(dataset->values == std::vector<float>{0.1F, 1e-45F, 0, 0, 16777216, 3.4028235e38F});
  CHECK(std::signbit(dataset->values[3]));
  if (std::setlocale(LC_ALL, "de_DE.UTF-8") != nullptr) {
    CHECK(CsvOf("0.5,0\n")->values == std::vector<float>{0.5F});
    std::setlocale(LC_ALL, "C");
  }
}

TEST_CASE("CSV files that are refused, with line and column") {
  const auto refuse = [](std::string bytes, std::initializer_list<std::string_view> parts) {
    CAPTURE(bytes.substr(0, 40));
    CheckRefused(CsvOf(std::move(bytes)), StatusCode::kBadFile, parts);
  };
  refuse("", {"memory: line 1: the file holds no line"});
  refuse("\n\n", {"the file holds no line"});
  refuse("a,b\n", {"line 2: the file ends after the header line"});
  refuse("\n1,0\n", {"line 1: the line is empty"});
  refuse("1,0\n\n\n1,0\n", {"line 2: the line is empty"});
  refuse("1,2,0\n1,0\n", {"line 2: 2 fields; the first line has 3"});
  refuse("1,2,0\n1,2,3,0\n", {"line 2: 4 fields; the first line has 3"});
  refuse("1,2,0\n1,2,0,\n", {"line 2: 4 fields"});
  refuse("1,2,0\n1,,0\n", {"line 2, column 2: the field is empty"});
  refuse("1,2,0\n1,2,\n", {"line 2, column 3: the field is empty"});
  refuse("1,2,0\n1,2,\"\"\n", {"line 2, column 3: the field is empty"});
  for (const std::string_view text : {"x", "1x", "1 2", "0x10", "1e", "--1", "1;2", "1\r2", "1.2.3", "\x1b[2J"}) {
    refuse("1,2,0\n" + std::string(text) + ",2,0\n", {"line 2, column 1: not a number: '"});
  }
  for (const std::string_view text : {"nan", "NaN", "inf", "-Infinity"}) {
    refuse("1,2,0\n" + std::string(text) + ",2,0\n", {"line 2, column 1: not finite"});
  }
  for (const std::string_view text : {"1e39", "-3.5e38", "1e999"}) {
    refuse("1,2,0\n" + std::string(text) + ",2,0\n", {"line 2, column 1: outside the range of a float"});
  }
  refuse("1,2,0\n1,2,-1\n", {"line 2, column 3: '-1' is no class", "from 0 to 65535"});
  refuse("1,2,0\n1,2,65536\n", {"'65536' is no class"});
  refuse("1,2,0\n1,2,99999999999\n", {"'99999999999' is no class"});
  refuse("1,2,0\n1,2,1.5\n", {"'1.5' is no integer, unlike"});
  refuse("1,2,a\n1,2,0\n", {"'0' is an integer, unlike"});
  refuse("1,\"2,0\n1,2,0\n", {"line 1, column 2: a quote is opened"});
  refuse("1,2,0\n1,\"2\"x,0\n", {"line 2, column 2: text follows the closing quote"});
  refuse(std::string("1,2,0\n1,2\0,0\n", 13), {"line 2: the line holds a NUL"});
  refuse("1,2,0\n" + std::string(17 << 20, '1'), {"line 2: the line is longer than 16777216 bytes"});
  refuse("7\n8\n", {"no column is left for the features"});

  std::string many;
  for (int i = 0; i < 65537; ++i) many += "1,c" + std::to_string(i) + "\n";
  refuse(many, {"line 65537, column 2: more than 65536 classes"});
}

TEST_CASE("CSV options that do not fit") {
  CheckRefused(CsvOf("a,b\n1,0\n", {.columns = {"c"}}), StatusCode::kBadFile,
               {"line 1: no column is called 'c'; the first line is 'a,b'"});
  CheckRefused(CsvOf("a,b\n1,0\n", {.columns = {"b"}, .has_header = false}), StatusCode::kBadFile, {"no column"});
  CheckRefused(CsvOf("a,b\n1,0\n", {.columns = {"a", "b"}}), StatusCode::kInvalidArgument, {"2 were given"});
  CheckRefused(CsvOf("a,b\n1,0\n", {.columns = {}}), StatusCode::kInvalidArgument, {"0 were given"});
  CheckRefused(CsvOf("a,b\n1,0\n", {.role = CsvRole::kTargets, .columns = {}}), StatusCode::kInvalidArgument,
               {"no column was given"});
  CheckRefused(CsvOf("a,b\n1,0\n", {.role = CsvRole::kTargets, .columns = {"b", "last"}}), StatusCode::kBadFile,
               {"line 1, column 2: the column is asked for twice"});
}

TEST_CASE("a CSV file cut after any byte never gives more than its lines") {
  const std::string whole = "x,y,c\n1,22,\"a\"\n3,4,b\n";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Result<Dataset> dataset = CsvOf(whole.substr(0, size));
    if (dataset.ok()) {
      CHECK(Validate(*dataset).ok());
      CHECK(dataset->samples <= 2);
    } else {
      CHECK(dataset.status().code() == StatusCode::kBadFile);
    }
  }
}

TEST_CASE("a CSV file longer than the reader's buffer") {
  std::string text;
  for (int i = 0; i < 50000; ++i) text += std::to_string(i) + "," + std::to_string(i % 7) + "\r\n";
  const Result<Dataset> dataset = CsvOf(text);
  REQUIRE(dataset.ok());
  REQUIRE(dataset->samples == 50000);
  for (std::size_t i = 0; i < 50000; ++i) {
    REQUIRE(dataset->values[i] == static_cast<float>(i));
    REQUIRE(dataset->labels[i] == static_cast<std::int32_t>(i % 7));
  }
}

}  // namespace
}  // namespace lanewise::test
