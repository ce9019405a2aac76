// SPDX-License-Identifier: Apache-2.0
//
// safetensors files and the file functions under them: round trips, the exact bytes, everything the format forbids, and
// writes that fail. What Python makes of the files is safetensors_python_test.sh's part.

#include "safetensors.h"

#include <algorithm>
#include <bit>
#include <csignal>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctest/doctest.h"
#include "lanewise/write_file.h"
#include "memory_reader.h"
#include "temporary_folder.h"

namespace lanewise {
namespace {

using test::MemoryReader;
using test::ReadBytes;
using test::TemporaryFolder;

std::string Bytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::string FileOf(std::string_view header, std::string_view data = "") {
  const std::uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + std::string(header) + std::string(data);
}

Result<SafetensorsFile> Parse(std::string bytes) {
  MemoryReader reader(std::move(bytes));
  return ReadSafetensors(reader);
}

// Checks that the bytes are refused with a message that has all of these parts.
void CheckRefused(const std::string& bytes, std::initializer_list<std::string_view> parts) {
  const Result<SafetensorsFile> file = Parse(bytes);
  REQUIRE(!file.ok());
  INFO(file.status().message());
  CHECK(file.status().code() == StatusCode::kBadFile);
  CHECK(file.status().message().starts_with("memory: byte "));
  for (const std::string_view part : parts) CHECK(file.status().message().find(part) != std::string::npos);
}

constexpr std::string_view kOneTensor = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";

SafetensorsFile Sample() {
  const float nan = std::bit_cast<float>(0x7fc12345U);
  return {.metadata = {{"z", "last"}, {"a", "a \"quoted\"\nline, \xc3\xa9"}},
          .tensors = {{"layers.0.weight", {2, 3}, std::vector<float>{1, -0.0F, 3.5F, nan, 1e-45F, -1e38F}},
                      {"optimiser", {1}, std::vector<double>{0.1}},
                      {"empty", {0, 7}, std::vector<float>{}},
                      {"scalar", {}, std::vector<float>{42}}}};
}

TEST_CASE("what is written is read again, bit for bit, F64 first") {
  const TemporaryFolder folder;
  const std::string path = folder / "model.safetensors";
  const SafetensorsFile file = Sample();
  const Status written = WriteSafetensors(path, file);
  REQUIRE_MESSAGE(written.ok(), written.message());
  CHECK(folder.CountFiles() == 1);

  const Result<SafetensorsFile> read = ReadSafetensors(path);
  REQUIRE_MESSAGE(read.ok(), read.status().message());
  CHECK(read->metadata == file.metadata);
  REQUIRE(read->tensors.size() == 4);
  const int order[] = {1, 0, 2, 3};
  for (std::size_t i = 0; i < 4; ++i) {
    const Tensor& expected = file.tensors[static_cast<std::size_t>(order[i])];
    CHECK(read->tensors[i].name == expected.name);
    CHECK(read->tensors[i].shape == expected.shape);
    CHECK(read->tensors[i].values.index() == expected.values.index());
  }
  CHECK(std::get<1>(read->tensors[0].values) == std::get<1>(file.tensors[1].values));
  CHECK(Bytes(std::get<0>(read->tensors[1].values)) == Bytes(std::get<0>(file.tensors[0].values)));
  CHECK(std::get<0>(read->tensors[2].values).empty());
  CHECK(std::get<0>(read->tensors[3].values) == std::vector<float>{42});

  const std::string bytes = ReadBytes(path);
  REQUIRE(WriteSafetensors(folder / "again", *read).ok());
  CHECK(ReadBytes(folder / "again") == bytes);
}

TEST_CASE("the bytes of a file are these") {
  const TemporaryFolder folder;
  const std::string path = folder / "m";
  REQUIRE(WriteSafetensors(path, {.metadata = {{"k", "v"}}, .tensors = {{"a", {2}, std::vector<float>{1, 2}}}}).ok());
  std::string header = R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  header.append((8 - header.size() % 8) % 8, ' ');
  CHECK(ReadBytes(path) == FileOf(header, Bytes({1, 2})));

  REQUIRE(WriteSafetensors(path, {}).ok());
  CHECK(ReadBytes(path) == FileOf("{}      "));
  CHECK(Parse(ReadBytes(path)).ok());
}

TEST_CASE("a file cut after any byte is refused, and so is one byte more") {
  const TemporaryFolder folder;
  const std::string path = folder / "m";
  REQUIRE(WriteSafetensors(path, Sample()).ok());
  const std::string bytes = ReadBytes(path);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CheckRefused(bytes.substr(0, size), {"byte " + std::to_string(size), "the file ends"});
  }
  CheckRefused(bytes + '\0', {"byte " + std::to_string(bytes.size()), "goes on after the last tensor"});
}

TEST_CASE("a changed byte of the header is refused or gives a valid file, and never anything worse") {
  const std::string bytes = FileOf(kOneTensor, Bytes({1, 2}));
  for (std::size_t i = 0; i < 8 + kOneTensor.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(value);
      const Result<SafetensorsFile> file = Parse(changed);
      if (file.ok()) {
        REQUIRE(file->tensors.size() == 1);
        CHECK(std::get<0>(file->tensors[0].values) == std::vector<float>{1, 2});
      } else {
        CHECK(file.status().code() == StatusCode::kBadFile);
      }
    }
  }
}

TEST_CASE("lengths that the file does not have allocate nothing") {
  CheckRefused(std::string("\x01\xe1\xf5\x05\0\0\0\0", 8), {"byte 0:", "100000001 bytes", "at most 100000000"});
  CheckRefused(std::string(8, '\xff') + "{}", {"byte 0:", "18446744073709551615"});

  MemoryReader long_header(std::string("\x00\xe1\xf5\x05\0\0\0\0{}", 10));
  CHECK(!ReadSafetensors(long_header).ok());
  CHECK(long_header.largest_request() <= 65536);

  // 2^40 elements promised, 300000 bytes there.
  const std::string header = R"({"a":{"dtype":"F32","shape":[1048576,1048576],"data_offsets":[0,4398046511104]}})";
  MemoryReader long_data(FileOf(header, std::string(300000, 'x')));
  const Result<SafetensorsFile> file = ReadSafetensors(long_data);
  REQUIRE(!file.ok());
  CHECK(file.status().message().find("byte " + std::to_string(8 + header.size() + 300000)) != std::string::npos);
  CHECK(long_data.largest_request() <= 300000);
}

TEST_CASE("headers that the format forbids") {
  const std::string data = Bytes({1, 2});
  const auto refuse = [&](std::string_view header, std::initializer_list<std::string_view> parts) {
    CAPTURE(header);
    CheckRefused(FileOf(header, data), parts);
  };
  refuse("", {"must begin with '{'"});
  refuse(" {}", {"must begin with '{'"});
  refuse("\xef\xbb\xbf{}", {"must begin with '{'"});
  refuse("[]", {"must begin with '{'"});
  refuse("{", {"not valid JSON"});
  refuse("{}}", {"byte 10", "not valid JSON"});
  refuse(R"({"a":})", {"byte 13", "not valid JSON"});
  refuse("{\"\xff\":{}}", {"not valid JSON"});
  refuse(std::string_view("{}\0", 3), {"byte 10", "holds a NUL"});
  refuse(std::string(1000000, '['), {"must begin with '{'"});
  refuse(R"({"a":)" + std::string(1000000, '['), {"the value of 'a' must be an object"});
  refuse(R"({"a":{"shape":)" + std::string(1000000, '['), {"lists of integers"});
  refuse(R"({"a":1})", {"the value of 'a' must be an object"});
  refuse(R"({"__metadata__":"x"})", {"the value of '__metadata__' must be an object"});
  refuse(R"({"__metadata__":{"k":1}})", {"metadata 'k' must be a string"});
  refuse(R"({"__metadata__":{"k":{}}})", {"metadata 'k' must be a string"});
  refuse(R"({"__metadata__":{"k":["x"]}})", {"metadata 'k' must be a string"});
  refuse(R"({"__metadata__":{"k":null}})", {"metadata 'k' must be a string"});
  refuse(R"({"__metadata__":{"k":"1","k":"2"}})", {"the key 'k' occurs twice"});
  refuse(R"({"__metadata__":{},"__metadata__":{}})", {"the key '__metadata__' occurs twice"});
  refuse(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{}})", {"the key 'a' occurs twice"});
  refuse(R"({"a":{"dtype":"F32","dtype":"F32"}})", {"the key 'dtype' occurs twice"});
  refuse(R"({"a":{"dtype":"F32","shape":[2]}})", {"tensor 'a' lacks one of"});
  refuse(R"({"a":{}})", {"tensor 'a' lacks one of"});
  refuse(R"({"a":{"type":"F32"}})", {"tensor 'a' has the key 'type'"});
  refuse(R"({"a\u0007'":{}})", {R"(tensor 'a\x07\x27' lacks)"});
  refuse(R"({"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,8]}})", {"'a' has dtype 'BF16'", "F32 and F64"});
  refuse(R"({"a":{"dtype":["F32"],"shape":[2],"data_offsets":[0,8]}})", {"dtype must be a string"});
  refuse(R"({"a":{"dtype":1,"shape":[2],"data_offsets":[0,8]}})", {"dtype must be a string"});
  for (const std::string_view shape : {"2", "\"2\"", "null", "true", "{}", "[-2]", "[2.0]", "[\"2\"]", "[[2]]",
                                       "[null]", "[true]", "[{}]", "[18446744073709551616]", "[1e2]"}) {
    refuse(R"({"a":{"dtype":"F32","shape":)" + std::string(shape) + R"(,"data_offsets":[0,8]}})",
           {"lists of integers"});
  }
}

TEST_CASE("offsets and shapes that do not fit") {
  const std::string data = Bytes({1, 2});
  const auto refuse = [&](std::string_view shape, std::string_view offsets, std::string_view part) {
    CAPTURE(shape);
    CAPTURE(offsets);
    CheckRefused(FileOf(R"({"a":{"dtype":"F32","shape":)" + std::string(shape) + R"(,"data_offsets":)" +
                            std::string(offsets) + "}}",
                        data),
                 {"byte 13:", "tensor 'a'", part});
  };
  refuse("[2]", "[]", "0 data_offsets");
  refuse("[2]", "[8]", "1 data_offsets");
  refuse("[2]", "[8,0]", "begins at byte 8");
  refuse("[1]", "[4,8]", "begins at byte 4");
  refuse("[3]", "[0,8]", "ends at byte 8");
  refuse("[1]", "[0,8]", "ends at byte 8");
  refuse("[]", "[0,8]", "its 1 elements");
  refuse("[2]", "[0,7]", "ends at byte 7");
  refuse("[0]", "[0,8]", "its 0 elements");
  refuse("[4294967296,4294967296]", "[0,0]", "too many elements");
  refuse("[9223372036854775808]", "[0,0]", "too many elements");
  refuse("[18446744073709551615]", "[0,18446744073709551612]", "too many elements");
  refuse("[4611686018427387904]", "[0,0]", "too many elements");
  refuse("[2305843009213693951,2]", "[0,18446744073709551608]", "too many elements");

  CheckRefused(FileOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4,8]}})", data),
               {"byte 61:", "tensor 'a' has more than 2 data_offsets"});
  std::string ones = "1";
  for (int i = 1; i < 65; ++i) ones += ",1";
  CheckRefused(FileOf(R"({"a":{"shape":[)" + ones + "]}}"), {"tensor 'a' has more than 64 dimensions"});

  const auto two = [&](std::string_view a, std::string_view b) {
    return FileOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + std::string(a) +
                      R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + std::string(b) + "}}",
                  data);
  };
  CheckRefused(two("[0,4]", "[0,4]"), {"tensor 'b' begins at byte 0", "4 is where"});
  CheckRefused(two("[0,4]", "[2,6]"), {"tensor 'b' begins at byte 2"});
  CheckRefused(two("[0,4]", "[5,9]"), {"tensor 'b' begins at byte 5"});
  CheckRefused(two("[4,8]", "[8,12]"), {"tensor 'a' begins at byte 4"});
  // In any order in the header; in that of the data in the result.
  const Result<SafetensorsFile> swapped = Parse(two("[4,8]", "[0,4]"));
  REQUIRE(swapped.ok());
  CHECK(swapped->tensors[0].name == "b");
  CHECK(std::get<0>(swapped->tensors[0].values) == std::vector<float>{1});
  CHECK(std::get<0>(swapped->tensors[1].values) == std::vector<float>{2});
}

TEST_CASE("names without end are refused while they are few") {
  constexpr int kNames = 100'000;
  constexpr std::size_t kBegin = 8 + std::string_view(R"({"__metadata__":)").size();
  std::string metadata = R"({"__metadata__":)";
  std::string tensors = "{";
  for (int i = 0; i < 2 * kNames; ++i) {
    const std::string number = std::to_string(1'000'000 + i);
    metadata += (i == 0 ? "{\"" : ",\"") + number + R"(":"")";
    tensors += (i == 0 ? "\"" : ",\"") + number + R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  }
  // Where the first name too many ends; each takes 13 bytes.
  CheckRefused(FileOf(metadata + "}}"), {"byte " + std::to_string(kBegin + 13 * kNames + 9) + ":",
                                         "there are more than 100000 names of tensors and metadata"});
  CheckRefused(FileOf(tensors + "}"), {"there are more than 100000 names of tensors and metadata"});

  SafetensorsFile file;
  for (int i = 0; i <= kNames; ++i) file.metadata[std::to_string(i)] = "";
  CHECK(SafetensorsBytes("m", file).status().code() == StatusCode::kInvalidArgument);
  file.metadata.erase("7");
  const Result<std::string> bytes = SafetensorsBytes("m", file);
  REQUIRE(bytes.ok());
  CHECK(Parse(*bytes)->metadata == file.metadata);
}

TEST_CASE("what must not be written is not") {
  const TemporaryFolder folder;
  const std::string path = folder.Write("m", "old");
  const auto refuse = [&](const SafetensorsFile& file, std::string_view part) {
    const Status status = WriteSafetensors(path, file);
    INFO(status.message());
    CHECK(status.code() == StatusCode::kInvalidArgument);
    CHECK(status.message().find(part) != std::string::npos);
    CHECK(ReadBytes(path) == "old");
    CHECK(folder.CountFiles() == 1);
  };
  const std::vector<float> two = {1, 2};
  refuse({{}, {{"a", {3}, two}}}, "tensor 'a' has 2 values");
  refuse({{}, {{"a", {-1, -2}, two}}}, "tensor 'a' has 2 values");
  refuse({{}, {{"a", {std::ptrdiff_t{1} << 62, 8}, std::vector<float>{}}}}, "tensor 'a' has 0 values");
  refuse({{}, {{"a", {2}, two}, {"a", {2}, two}}}, "the name 'a' is taken");
  refuse({{}, {{"__metadata__", {2}, two}}}, "the name '__metadata__' is taken");
  refuse({{}, {{"\xff", {2}, two}}}, "not UTF-8");
  refuse({{{"k", "\xff"}}, {}}, "not UTF-8");
  std::string long_text;
  long_text.resize(100'000'000, 'x');
  refuse({{{"k", long_text}}, {}}, "longer than the format allows");
}

TEST_CASE("files that cannot be opened or read") {
  const TemporaryFolder folder;
  const Result<SafetensorsFile> missing = ReadSafetensors(folder / "missing");
  CHECK(missing.status().code() == StatusCode::kIoError);
  CHECK(missing.status().message().find("missing': No such file or directory") != std::string::npos);
  const Result<SafetensorsFile> is_folder = ReadSafetensors(folder.path());
  CHECK(is_folder.status().code() == StatusCode::kIoError);
  CHECK(is_folder.status().message().find("Is a directory") != std::string::npos);
  CHECK(ReadSafetensors("/dev/zero").status().code() == StatusCode::kBadFile);
}

TEST_CASE("a failed write leaves the old file and nothing else") {
  const TemporaryFolder folder;
  const std::string path = folder.Write("m", "old");
  const std::string_view part = "new";

  Status status = WriteFile(folder / "no/m", {&part, 1});
  CHECK(status.code() == StatusCode::kIoError);
  CHECK(status.message().find("No such file or directory") != std::string::npos);
  CHECK(CheckWritable(folder / "no/m").message() == status.message());
  CHECK(WriteFile("", {&part, 1}).code() == StatusCode::kIoError);
  status = WriteFile(folder.path(), {&part, 1});
  CHECK(status.message().find("not a regular file") != std::string::npos);
  status = WriteFile("/dev/null", {&part, 1});
  CHECK(status.message().find("not a regular file") != std::string::npos);
  CHECK(CheckWritable("/dev/null").message() == status.message());
  CHECK(CheckWritable(path).ok());
  CHECK(ReadBytes(path) == "old");

  // A disk that fills up half-way, as far as a test can have one: a limit on the size of files.
  rlimit limit = {};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
  const rlimit small = {100000, limit.rlim_max};
  void (*old_handler)(int) = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const Status full = WriteSafetensors(path, {{}, {{"a", {50000}, std::vector<float>(50000)}}});
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, old_handler);
  CHECK(full.code() == StatusCode::kIoError);
  CHECK(full.message().find("File too large") != std::string::npos);
  CHECK(ReadBytes(path) == "old");
  CHECK(folder.CountFiles() == 1);
}

TEST_CASE("a write follows a link, keeps permissions and steps over leftovers") {
  const TemporaryFolder folder;
  const std::string path = folder.Write("m", "old");
  REQUIRE(symlink("m", (folder / "link").c_str()) == 0);
  folder.Write(".lanewise-" + std::to_string(getpid()) + "-0.tmp", "leftover");
  const std::string_view parts[] = {"ne", "", "w"};
  const mode_t umask_before = umask(022);
  for (const mode_t mode : {0600U, 0666U}) {  // the second with more than the umask would give
    REQUIRE(chmod(path.c_str(), mode) == 0);
    REQUIRE(WriteFile(folder / "link", parts).ok());
    CHECK(ReadBytes(path) == "new");
    CHECK(std::filesystem::is_symlink(folder / "link"));
    struct stat info = {};
    REQUIRE(stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == mode);
  }
  umask(umask_before);
  CHECK(folder.CountFiles() == 3);

  REQUIRE(symlink("absent", (folder / "dangling").c_str()) == 0);
  REQUIRE(symlink((folder / "dangling").c_str(), (folder / "to dangling").c_str()) == 0);
  REQUIRE(WriteFile(folder / "to dangling", parts).ok());
  CHECK(ReadBytes(folder / "absent") == "new");
  CHECK(std::filesystem::is_symlink(folder / "to dangling"));
  CHECK(std::filesystem::is_symlink(folder / "dangling"));

  REQUIRE(symlink("loop", (folder / "loop").c_str()) == 0);
  CHECK(WriteFile(folder / "loop", parts).code() == StatusCode::kIoError);
}

TEST_CASE("a path without a folder is written to the current one") {
  const TemporaryFolder folder;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  const std::string_view part = "new";
  const Status status = WriteFile("m", {&part, 1});
  std::filesystem::current_path(before);
  CHECK(status.ok());
  CHECK(ReadBytes(folder / "m") == "new");
}

TEST_CASE("foreign text is quoted") {
  CHECK(Quote("a b") == "'a b'");
  CHECK(Quote("\x1b[2J\n'") == R"('\x1b[2J\x0a\x27')");
  CHECK(Quote(std::string(60, 'x')) == "'" + std::string(60, 'x') + "'");
  CHECK(Quote(std::string(61, 'x')) == "'" + std::string(60, 'x') + "...'");
}

}  // namespace
}  // namespace lanewise
