// SPDX-License-Identifier: Apache-2.0
//
// A ByteReader for tests.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "file_io.h"

namespace lanewise::test {

// Bytes in memory as a file, which notes how much memory its reader ever asked it to fill.
class MemoryReader : public ByteReader {
 public:
  explicit MemoryReader(std::string bytes) : ByteReader("memory"), bytes_(std::move(bytes)) {}
  Result<std::size_t> Read(void* out, std::size_t size) override {
    largest_request_ = std::max(largest_request_, size);
    const std::size_t got = std::min(size, bytes_.size() - at_);
    std::memcpy(out, bytes_.data() + at_, got);
    at_ += got;
    return got;
  }
  std::size_t largest_request() const { return largest_request_; }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
  std::size_t largest_request_ = 0;
};

}  // namespace lanewise::test
