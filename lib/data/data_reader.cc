// SPDX-License-Identifier: Apache-2.0
//
// Opening and decompressing. The only file that knows zlib.

#include "data/data_reader.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <zlib.h>

#include "format.h"

namespace lanewise::data {
namespace {

// A reader that was looked into: `begin` was read from `rest` and is read again.
class Rejoined : public ByteReader {
 public:
  Rejoined(std::string begin, std::unique_ptr<ByteReader> rest)
      : ByteReader(rest->name()), begin_(std::move(begin)), rest_(std::move(rest)) {}

  Result<std::size_t> Read(void* out, std::size_t size) override {
    const std::size_t from_begin = std::min(size, begin_.size() - at_);
    std::memcpy(out, begin_.data() + at_, from_begin);
    at_ += from_begin;
    if (from_begin == size) return size;
    Result<std::size_t> from_rest = rest_->Read(static_cast<char*>(out) + from_begin, size - from_begin);
    if (!from_rest.ok()) return from_rest.status();
    return from_begin + *from_rest;
  }

 private:
  std::string begin_;
  std::size_t at_ = 0;
  std::unique_ptr<ByteReader> rest_;
};

class Gunzip : public ByteReader {
 public:
  explicit Gunzip(std::unique_ptr<ByteReader> compressed)
      : ByteReader(compressed->name() + " (decompressed)"), compressed_(std::move(compressed)) {
    constexpr int kLargestWindow = 15;
    constexpr int kGzipOnly = 16;
    // Fails for lack of memory only: the version and the arguments are right.
    if (inflateInit2(&stream_, kLargestWindow + kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~Gunzip() override { inflateEnd(&stream_); }

  Result<std::size_t> Read(void* out, std::size_t size) override {
    std::size_t done = 0;
    while (done < size) {
      if (stream_.avail_in == 0) {
        Result<std::size_t> got = compressed_->Read(buffer_.data(), buffer_.size());
        if (!got.ok()) return got.status();
        compressed_bytes_ += *got;
        stream_.next_in = buffer_.data();
        stream_.avail_in = static_cast<uInt>(*got);
        if (*got == 0 && member_ended_) break;
        if (*got == 0) return BadGzip("the file ends within the gzip stream");
      }
      // A gzip file may have several members, one after the other.
      if (std::exchange(member_ended_, false)) inflateReset(&stream_);
      const uInt wanted = static_cast<uInt>(std::min(size - done, std::size_t{1} << 30));
      stream_.next_out = static_cast<Bytef*>(out) + done;
      stream_.avail_out = wanted;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      done += wanted - stream_.avail_out;
      if (result == Z_MEM_ERROR) throw std::bad_alloc();
      if (result != Z_OK && result != Z_STREAM_END) {
        return BadGzip(Format("the gzip stream is broken ({})", stream_.msg == nullptr ? "zlib" : stream_.msg));
      }
      member_ended_ = result == Z_STREAM_END;
    }
    return done;
  }

 private:
  Status BadGzip(std::string_view rule) const {
    return BadFile(compressed_->name(), compressed_bytes_ - stream_.avail_in, rule);
  }

  std::unique_ptr<ByteReader> compressed_;
  std::uint64_t compressed_bytes_ = 0;
  z_stream stream_ = {};
  bool member_ended_ = false;
  std::array<Bytef, 65536> buffer_;
};

}  // namespace

Result<std::string> Peek(std::unique_ptr<ByteReader>& reader, std::size_t count) {
  std::string begin;
  Result<std::uint64_t> got = ReadElements(*reader, count, begin);
  if (!got.ok()) return got.status();
  reader = std::make_unique<Rejoined>(begin, std::move(reader));
  return begin;
}

Result<std::unique_ptr<ByteReader>> OpenData(const std::string& path) {
  Result<std::unique_ptr<ByteReader>> reader = OpenFile(path);
  if (!reader.ok()) return reader.status();
  Result<std::string> begin = Peek(*reader, 2);
  if (!begin.ok()) return begin.status();
  if (*begin != "\x1f\x8b") return reader;
  return std::unique_ptr<ByteReader>(std::make_unique<Gunzip>(*std::move(reader)));
}

}  // namespace lanewise::data
