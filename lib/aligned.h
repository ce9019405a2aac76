// SPDX-License-Identifier: Apache-2.0
//
// Arrays on cache lines, uninitialised: memory for panels and activations.

#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "lanewise/aligned_vector.h"

namespace lanewise::internal {

// The least multiple of a cache line of T that holds `count`.
template <typename T>
constexpr std::size_t RoundUpToLine(std::size_t count) {
  constexpr std::size_t kLine = kAlignment / sizeof(T);
  return (count + kLine - 1) / kLine * kLine;
}

// A growing array of T whose elements survive neither growth nor anything else.
template <typename T>
class AlignedArray {
 public:
  // Makes room for `count` elements; false if memory is short (the old array is kept then).
  [[nodiscard]] bool Reserve(std::size_t count) {
    if (count <= capacity_) return true;
    if (count > static_cast<std::size_t>(-1) / 2 / sizeof(T)) return false;
    void* memory = ::operator new (count * sizeof(T), std::align_val_t{kAlignment}, std::nothrow);
    if (memory == nullptr) return false;
    data_.reset(static_cast<T*>(memory));
    capacity_ = count;
    return true;
  }
  T* data() const { return data_.get(); }
  std::size_t capacity() const { return capacity_; }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t capacity_ = 0;
};

}  // namespace lanewise::internal
