// SPDX-License-Identifier: Apache-2.0
//
// A folder of a test's own, gone when the test ends, and whole files as strings.

#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "doctest/doctest.h"

namespace lanewise::test {

class TemporaryFolder {
 public:
  TemporaryFolder() : path_(std::filesystem::temp_directory_path() / "lanewise-test-XXXXXX") {
    REQUIRE(mkdtemp(path_.data()) != nullptr);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  // The path of a file in it.
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

  // Makes or replaces a file and returns its path.
  std::string Write(std::string_view name, std::string_view bytes) const {
    std::string file = *this / name;
    std::ofstream stream(file, std::ios::binary | std::ios::trunc);
    stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    REQUIRE(stream.flush());
    return file;
  }

  std::ptrdiff_t CountFiles() const {
    return std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator());
  }

 private:
  std::string path_;
};

inline std::string ReadBytes(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  REQUIRE(stream);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

}  // namespace lanewise::test
