// SPDX-License-Identifier: Apache-2.0
//
// The readers of IDX files and standard input: results, and everything that is refused and where.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/data_reader.h"
#include "data_case.h"
#include "doctest/doctest.h"
#include "lanewise/data/idx.h"
#include "lanewise/data/read.h"
#include "memory_reader.h"
#include "temporary_folder.h"

namespace lanewise::test {
namespace {

const std::string kImages = Idx({2, 2, 3}, "abcdefghijkl");
const std::string kLabels = Idx({2}, "\x03\x01");

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

}  // namespace
}  // namespace lanewise::test
