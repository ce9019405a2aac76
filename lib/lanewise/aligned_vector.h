// SPDX-License-Identifier: Apache-2.0
//
// AlignedVector<T>: a std::vector whose elements start on a cache line. Kernels take memory of any alignment; of this,
// no vector of 512 bits lies in two lines, which costs them up to a third of their time where arrays are read once.

#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace lanewise {

// One cache line, and one 512-bit vector.
inline constexpr std::size_t kAlignment = 64;

template <typename T>
struct AlignedAllocator {
  using value_type = T;

  AlignedAllocator() = default;
  template <typename U>
  AlignedAllocator(const AlignedAllocator<U>& /*other*/) {}  // NOLINT(google-explicit-constructor)

  T* allocate(std::size_t n) {
    if (n > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
    return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{kAlignment}));
  }
  void deallocate(T* p, std::size_t /*n*/) { ::operator delete (p, std::align_val_t{kAlignment}); }

  friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) = default;
};

template <typename T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}  // namespace lanewise
