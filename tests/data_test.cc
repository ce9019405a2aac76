// SPDX-License-Identifier: Apache-2.0
//
// The data set readers: results, everything that is refused and where, and generated digits.

#include <algorithm>
#include <clocale>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include "data/data_reader.h"
#include "doctest/doctest.h"
#include "lanewise/data/csv.h"
#include "lanewise/data/digits.h"
#include "lanewise/data/idx.h"
#include "lanewise/data/read.h"
#include "memory_reader.h"
#include "temporary_folder.h"

namespace lanewise {
namespace {

using test::MemoryReader;
using test::TemporaryFolder;

std::string Gzip(std::string_view bytes) {
  z_stream stream = {};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  std::string in(bytes);
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string Idx(std::initializer_list<std::uint32_t> shape, std::string_view values, char type = 8) {
  std::string bytes = {0, 0, type, static_cast<char>(shape.size())};
  for (const std::uint32_t size : shape) {
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(size >> shift);
  }
  return bytes + std::string(values);
}

// Checks that a result is a refusal whose message has all of these parts.
template <typename T>
void CheckRefused(const Result<T>& result, StatusCode code, std::initializer_list<std::string_view> parts) {
  REQUIRE(!result.ok());
  INFO(result.status().message());
  CHECK(result.status().code() == code);
  for (const std::string_view part : parts) CHECK(result.status().message().find(part) != std::string::npos);
}

// Standard input is a pipe that holds these bytes, while this lives.
class StandardInput {
 public:
  explicit StandardInput(std::string_view bytes) : saved_(dup(STDIN_FILENO)) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    REQUIRE(write(ends[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
  }
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;
  ~StandardInput() {
    dup2(saved_, STDIN_FILENO);
    close(saved_);
  }

 private:
  int saved_;
};

const std::string kImages = Idx({2, 2, 3}, "abcdefghijkl");
const std::string kLabels = Idx({2}, "\x03\x01");

Result<Dataset> CsvOf(std::string bytes, const CsvOptions& options = {}) {
  MemoryReader reader(std::move(bytes));
  return data::ReadCsv(reader, options);
}

TEST_CASE("IDX arrays of one to three dimensions, plain and gzipped") {
  const TemporaryFolder folder;
  const Result<IdxArray> images = ReadIdx(folder.Write("images", kImages));
  REQUIRE(images.ok());
  CHECK(images->shape == std::vector<std::ptrdiff_t>{2, 2, 3});
  CHECK(std::string(images->values.begin(), images->values.end()) == "abcdefghijkl");
  CHECK(ReadIdx(folder.Write("labels", kLabels))->shape == std::vector<std::ptrdiff_t>{2});

  // The content decides, not the name; a gzip file may have several members.
  for (const std::string& bytes : {Gzip(kImages), Gzip(kImages.substr(0, 7)) + Gzip("") + Gzip(kImages.substr(7))}) {
    const Result<IdxArray> unzipped = ReadIdx(folder.Write("images", bytes));
    REQUIRE_MESSAGE(unzipped.ok(), unzipped.status().message());
    CHECK(unzipped->values == images->values);
  }
}

TEST_CASE("IDX data sets") {
  const TemporaryFolder folder;
  const std::string images = folder.Write("images", kImages);
  const Result<Dataset> dataset = ReadIdxDataset(images, folder.Write("labels", kLabels));
  REQUIRE(dataset.ok());
  CHECK(Validate(*dataset).ok());
  CHECK(dataset->samples == 2);
  CHECK(dataset->features == 6);
  CHECK(dataset->image_rows == 2);
  CHECK(dataset->image_cols == 3);
  CHECK(dataset->bytes[6] == 'g');
  CHECK(dataset->labels == std::vector<std::int32_t>{3, 1});
  CHECK(dataset->classes == 4);
  CHECK(dataset->class_names.empty());

  const Result<Dataset> unlabelled = ReadIdxDataset(images, "");
  REQUIRE(unlabelled.ok());
  CHECK(Validate(*unlabelled).ok());
  CHECK(unlabelled->labels.empty());

  const Result<Dataset> flat = ReadIdxDataset(folder.Write("flat", Idx({2, 3}, "abcdef")), "");
  REQUIRE(flat.ok());
  CHECK(Validate(*flat).ok());
  CHECK(flat->features == 3);
  CHECK(flat->image_rows == 0);
}

TEST_CASE("a folder of IDX files") {
  const TemporaryFolder folder;
  CheckRefused(ReadIdxDirectory(folder.path(), Split::kTrain), StatusCode::kIoError,
               {folder.path(), "neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz"});
  folder.Write("train-images-idx3-ubyte", kImages);
  CheckRefused(ReadIdxDirectory(folder.path(), Split::kTrain), StatusCode::kIoError, {"train-labels-idx1-ubyte.gz"});
  folder.Write("train-labels-idx1-ubyte.gz", Gzip(kLabels));
  folder.Write("t10k-images-idx3-ubyte.gz", Gzip(Idx({1, 1, 1}, "x")));
  folder.Write("t10k-labels-idx1-ubyte", Idx({1}, "\x09"));
  const Result<Dataset> train = ReadIdxDirectory(folder.path(), Split::kTrain);
  const Result<Dataset> test = ReadData(folder.path(), Split::kTest);
  REQUIRE(train.ok());
  REQUIRE(test.ok());
  CHECK(train->samples == 2);
  CHECK(train->labels == std::vector<std::int32_t>{3, 1});
  CHECK(test->bytes == std::vector<std::uint8_t>{'x'});
  CHECK(test->classes == 10);
  CheckRefused(ReadIdxDirectory(folder / "no", Split::kTest), StatusCode::kIoError, {"no' has neither"});
}

TEST_CASE("an IDX file cut after any byte is refused, plain and gzipped, and so is one byte more") {
  const TemporaryFolder folder;
  for (std::size_t size = 0; size < kImages.size(); ++size) {
    CAPTURE(size);
    const std::string path = folder.Write("cut", kImages.substr(0, size));
    CheckRefused(ReadIdx(path), StatusCode::kBadFile, {path + ": byte " + std::to_string(size) + ": the file ends"});
    // The same within a whole gzip stream.
    CheckRefused(ReadIdx(folder.Write("cut", Gzip(kImages.substr(0, size)))), StatusCode::kBadFile,
                 {path + " (decompressed): byte " + std::to_string(size) + ": the file ends"});
  }
  const std::string gzipped = Gzip(kImages);
  for (std::size_t size = 2; size < gzipped.size(); ++size) {
    CAPTURE(size);
    const std::string path = folder.Write("cut", gzipped.substr(0, size));
    CheckRefused(ReadIdx(path), StatusCode::kBadFile,
                 {path + ": byte " + std::to_string(size) + ": the file ends within the gzip stream"});
  }
  CheckRefused(ReadIdx(folder.Write("cut", gzipped.substr(0, 1))), StatusCode::kBadFile, {"byte 1: the file ends"});
  CheckRefused(ReadIdx(folder.Write("long", kImages + "x")), StatusCode::kBadFile,
               {"byte 28: the file goes on after its 12 elements"});
  CheckRefused(ReadIdx(folder.Write("long", Gzip(kImages + "x"))), StatusCode::kBadFile, {"byte 28: the file goes on"});
  CheckRefused(ReadIdx(folder.Write("long", gzipped + "x")), StatusCode::kBadFile, {"the file ends within"});
  CheckRefused(ReadIdx(folder.Write("long", gzipped + "trailing text")), StatusCode::kBadFile,
               {"the gzip stream is broken (incorrect header check)"});
  CheckRefused(ReadIdx(folder.Write("long", gzipped + Gzip("x"))), StatusCode::kBadFile, {"the file goes on"});
}

TEST_CASE("a changed byte of a gzipped file is refused or changes nothing") {
  const TemporaryFolder folder;
  const std::string gzipped = Gzip(kImages);
  int refused = 0;
  for (std::size_t i = 2; i < gzipped.size(); ++i) {
    std::string changed = gzipped;
    changed[i] = static_cast<char>(changed[i] ^ 0x11);
    const Result<IdxArray> array = ReadIdx(folder.Write("changed", changed));
    if (array.ok()) {
      CHECK(i < 10);  // the time and other facts of gzip's header
      CHECK(std::string(array->values.begin(), array->values.end()) == "abcdefghijkl");
    } else {
      CHECK(array.status().code() == StatusCode::kBadFile);
      ++refused;
    }
  }
  CHECK(refused > 20);
}

TEST_CASE("IDX headers that are refused") {
  const TemporaryFolder folder;
  const auto refuse = [&](std::string_view bytes, std::initializer_list<std::string_view> parts) {
    CheckRefused(ReadIdx(folder.Write("bad", bytes)), StatusCode::kBadFile, parts);
  };
  refuse("P5 28 28 255", {"byte 0:", "begins with 00 00", "50 35 20"});
  refuse(Idx({2}, "ab", 7), {"byte 0:", "00 00 07"});
  refuse(Idx({2}, "ab", 9), {"byte 2:", "type 09 (signed byte)", "08 (unsigned byte)"});
  refuse(Idx({2}, "ab", 0x0d), {"byte 2:", "type 0d (32-bit float)"});
  refuse(Idx({}, ""), {"byte 3: 0 dimensions"});
  refuse(Idx({1, 1, 1, 1}, "a"), {"byte 3: 4 dimensions"});
  refuse(Idx({0}, ""), {"byte 4: dimension 1 is 0"});
  refuse(Idx({1, 2, 0}, ""), {"byte 12: dimension 3 is 0"});
  refuse(Idx({0xffffffff, 0xffffffff, 0xffffffff}, ""), {"byte 8:", "product of the dimensions"});
  CheckRefused(ReadIdx(folder / "missing"), StatusCode::kIoError, {"missing': No such file or directory"});
  CheckRefused(ReadIdx(folder.path()), StatusCode::kIoError, {"Is a directory"});
}

TEST_CASE("a promise of 2^62 bytes allocates nothing") {
  MemoryReader reader(Idx({0x7fffffff, 0x7fffffff}, std::string(200000, 'x')));
  CheckRefused(data::ReadIdx(reader), StatusCode::kBadFile, {"byte 200012: the file ends here, after 200000"});
  CHECK(reader.largest_request() <= 200000);
  // A gzip bomb: 64 MiB of zeros in 64 KiB, where 4 are promised.
  const TemporaryFolder folder;
  CheckRefused(ReadIdx(folder.Write("bomb", Gzip(Idx({4}, std::string(std::size_t{64} << 20, '\0'))))),
               StatusCode::kBadFile, {"byte 12: the file goes on after its 4 elements"});
}

TEST_CASE("images and labels that do not belong together") {
  const TemporaryFolder folder;
  const std::string images = folder.Write("images", kImages);
  const std::string labels = folder.Write("labels", kLabels);
  CheckRefused(ReadIdxDataset(images, folder.Write("three", Idx({3}, "abc"))), StatusCode::kBadFile,
               {"three: byte 4: 3 labels, but", "images' has 2 images"});
  CheckRefused(ReadIdxDataset(labels, images), StatusCode::kBadFile, {"labels: byte 3: 1 dimension"});
  CheckRefused(ReadIdxDataset(images, images), StatusCode::kBadFile, {"images: byte 3: 3 dimensions"});
  CheckRefused(ReadIdxDataset(images, folder / "missing"), StatusCode::kIoError, {"missing'"});
}

TEST_CASE("standard input is IDX or CSV, gzipped or not") {
  for (const std::string& bytes : {kImages, Gzip(kImages)}) {
    const StandardInput input(bytes);
    const Result<Dataset> dataset = ReadData("-", Split::kTest);
    REQUIRE(dataset.ok());
    CHECK(dataset->samples == 2);
    CHECK(dataset->bytes.size() == 12);
  }
  const std::string csv = "1,2,0\n3,4,1\n";
  for (const std::string& bytes : {csv, Gzip(csv)}) {
    const StandardInput input(bytes);
    const Result<Dataset> dataset = ReadData("-", Split::kTest);
    REQUIRE(dataset.ok());
    CHECK(dataset->values == std::vector<float>{1, 2, 3, 4});
  }
  const StandardInput input("");
  CheckRefused(ReadData("-", Split::kTest), StatusCode::kBadFile, {"standard input: line 1: the file holds no line"});
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

std::uint64_t Fnv1a(const std::vector<std::uint8_t>& bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

TEST_CASE("digits are valid, the same everywhere, and as many as wanted") {
  const Result<Dataset> train = GenerateDigits(2000, 1, Split::kTrain);
  REQUIRE(train.ok());
  CHECK(Validate(*train).ok());
  CHECK(train->samples == 2000);
  CHECK(train->image_rows == 28);
  CHECK(train->class_names[9] == "9");
  // Equal with GCC and clang at every optimisation level, on x86-64 and AArch64.
  CHECK(Fnv1a(train->bytes) == 0xac2c5574b2c9f706);
  for (std::int32_t digit = 0; digit < 10; ++digit) {
    const std::ptrdiff_t count = std::count(train->labels.begin(), train->labels.end(), digit);
    CHECK(std::abs(count - 200) < 70);  // 5 standard deviations
  }

  const Result<Dataset> shorter = GenerateDigits(3, 1, Split::kTrain);
  REQUIRE(shorter.ok());
  CHECK(std::equal(shorter->bytes.begin(), shorter->bytes.end(), train->bytes.begin()));
  CHECK(GenerateDigits(3, 2, Split::kTrain)->bytes != shorter->bytes);
  CHECK(GenerateDigits(3, 1, Split::kTest)->bytes != shorter->bytes);
}

TEST_CASE("digits can be told apart, and not by a rule of thumb alone") {
  // The nearest of the ten mean images, learned from 4000 samples: far better than guessing, far from perfect.
  const Result<Dataset> train = GenerateDigits(4000, 3, Split::kTrain);
  const Result<Dataset> test = GenerateDigits(1000, 3, Split::kTest);
  REQUIRE(train.ok());
  REQUIRE(test.ok());
  std::vector<double> means(10 * 784);
  for (std::size_t i = 0; i < 4000; ++i) {
    const std::size_t digit = static_cast<std::size_t>(train->labels[i]);
    const double count = static_cast<double>(std::count(train->labels.begin(), train->labels.end(), train->labels[i]));
    for (std::size_t j = 0; j < 784; ++j) means[digit * 784 + j] += train->bytes[i * 784 + j] / count;
  }
  int right = 0;
  for (std::size_t i = 0; i < 1000; ++i) {
    double nearest = 1e30;
    std::int32_t guess = -1;
    for (std::size_t digit = 0; digit < 10; ++digit) {
      double distance = 0;
      for (std::size_t j = 0; j < 784; ++j) {
        const double difference = test->bytes[i * 784 + j] - means[digit * 784 + j];
        distance += difference * difference;
      }
      if (distance < nearest) {
        nearest = distance;
        guess = static_cast<std::int32_t>(digit);
      }
    }
    right += guess == test->labels[i] ? 1 : 0;
  }
  MESSAGE("nearest mean: " << right << " of 1000");
  CHECK(right > 500);
  CHECK(right < 900);
}

TEST_CASE("numbers of digits that cannot be drawn") {
  for (const std::ptrdiff_t count : {std::ptrdiff_t{0}, std::ptrdiff_t{-1}, std::ptrdiff_t{1} << 32}) {
    CheckRefused(GenerateDigits(count, 1, Split::kTrain), StatusCode::kInvalidArgument, {"digits are asked for"});
  }
}

}  // namespace
}  // namespace lanewise
