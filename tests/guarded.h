// SPDX-License-Identifier: Apache-2.0
//
// Arrays that catch a kernel reading or writing beside them: an unreadable page on both sides, the array flush against
// one of them, and the bytes between its other end and the other page filled with a pattern (NaN as floating-point
// numbers) that must still be there afterwards.

#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>

namespace lanewise::test {

enum class Flush { kFront, kBack };  // against the page before the array (page-aligned then), or the page behind it

template <typename T>
class GuardedArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit GuardedArray(std::size_t n, Flush flush = Flush::kBack) : n_(n) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    inside_ = (n * sizeof(T) / page + 1) * page;
    mapped_ = inside_ + 2 * page;
    void* map = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) std::abort();
    map_ = static_cast<unsigned char*>(map);
    first_ = map_ + page;
    if (mprotect(first_, inside_, PROT_READ | PROT_WRITE) != 0) std::abort();
    std::memset(first_, kPattern, inside_);
    begin_ = flush == Flush::kFront ? first_ : first_ + inside_ - n * sizeof(T);
  }
  ~GuardedArray() { munmap(map_, mapped_); }
  GuardedArray(const GuardedArray&) = delete;
  GuardedArray& operator=(const GuardedArray&) = delete;

  T* data() { return reinterpret_cast<T*>(begin_); }
  const T* data() const { return reinterpret_cast<const T*>(begin_); }
  std::size_t size() const { return n_; }
  T& operator[](std::size_t i) { return data()[i]; }
  const T& operator[](std::size_t i) const { return data()[i]; }
  T* begin() { return data(); }
  T* end() { return data() + n_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + n_; }

  // Whether nothing was written between the array and the two pages.
  bool SurroundingsIntact() const {
    for (const unsigned char* p = first_; p < begin_; ++p) {
      if (*p != kPattern) return false;
    }
    for (const unsigned char* p = begin_ + n_ * sizeof(T); p < first_ + inside_; ++p) {
      if (*p != kPattern) return false;
    }
    return true;
  }

 private:
  static constexpr unsigned char kPattern = 0xFF;

  std::size_t n_;
  std::size_t inside_;  // bytes between the two pages
  std::size_t mapped_;
  unsigned char* map_;
  unsigned char* first_;  // the first byte behind the page in front
  unsigned char* begin_;
};

}  // namespace lanewise::test
