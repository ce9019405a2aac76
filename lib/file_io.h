// SPDX-License-Identifier: Apache-2.0
//
// Files as the readers of every format need them: bytes from front to back, and memory that grows as they arrive and
// not as a header promises. Knows no format. (Writing: lanewise/write_file.h.)

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lanewise/status.h"

namespace lanewise {

// Text from a file or a path, for a message: in single quotes, control characters and quotes as \xNN, cut after 60
// bytes.
std::string Quote(std::string_view text);

// kBadFile with the message "NAME: byte OFFSET: RULE".
Status BadFile(std::string_view name, std::uint64_t offset, std::string_view rule);

// Where bytes come from: a file, a pipe, or another reader that is being decompressed.
class ByteReader {
 public:
  explicit ByteReader(std::string name) : name_(std::move(name)) {}
  ByteReader(const ByteReader&) = delete;
  ByteReader& operator=(const ByteReader&) = delete;
  virtual ~ByteReader() = default;

  // What messages call it.
  const std::string& name() const { return name_; }

  // The next `size` bytes; fewer only where the input ends. Returns how many.
  virtual Result<std::size_t> Read(void* out, std::size_t size) = 0;

 private:
  std::string name_;
};

// `path` "-" is standard input. kIoError with the system's text where it cannot be opened.
Result<std::unique_ptr<ByteReader>> OpenFile(const std::string& path);

// Appends up to `count` elements to `out`; fewer only where the input ends. Returns the number of bytes read. The
// memory in use is at most about twice what has been read, whatever the count: a header's claim allocates nothing. May
// throw std::bad_alloc.
template <typename Container>
Result<std::uint64_t> ReadElements(ByteReader& reader, std::uint64_t count, Container& out) {
  using T = typename Container::value_type;
  constexpr std::uint64_t kFirstStep = 65536 / sizeof(T);
  for (std::uint64_t done = 0; done < count;) {
    const std::uint64_t step = std::min(count - done, std::max(done, kFirstStep));
    const std::size_t begin = out.size();
    out.resize(begin + static_cast<std::size_t>(step));
    Result<std::size_t> bytes = reader.Read(&out[begin], static_cast<std::size_t>(step) * sizeof(T));
    if (!bytes.ok()) return bytes.status();
    if (*bytes != step * sizeof(T)) {
      out.resize(begin + *bytes / sizeof(T));
      return done * sizeof(T) + *bytes;
    }
    done += step;
  }
  return count * sizeof(T);
}

}  // namespace lanewise
