// SPDX-License-Identifier: Apache-2.0
//
// Files in memory, standard input, and refusals, for the tests of the data set readers.

#pragma once

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "doctest/doctest.h"
#include "lanewise/status.h"

namespace lanewise::test {

inline std::string Gzip(std::string_view bytes) {
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

inline std::string Idx(std::initializer_list<std::uint32_t> shape, std::string_view values, char type = 8) {
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

}  // namespace lanewise::test
