// SPDX-License-Identifier: Apache-2.0
//
// What the parts of the fixed work share: numbers, arrays that lie where a variation wants them, and the count of
// operations. The parts: products, functions, networks.

#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "lanewise/gemm.h"
#include "lanewise/matrix_view.h"
#include "lanewise/random.h"
#include "repro_work.h"

namespace lanewise::internal {

class Visitor {
 public:
  explicit Visitor(const std::function<bool(const Operation&)>& visit) : visit_(visit) {}

  // The numbers of the operation that comes next.
  Random Numbers() const { return Random(1, Stream::kRepro, count_); }

  void Visit(const Operation& operation) {
    ++count_;
    if (going_) going_ = visit_(operation);
  }
  bool going() const { return going_; }

 private:
  const std::function<bool(const Operation&)>& visit_;
  std::uint32_t count_ = 0;
  bool going_ = true;
};

// The parts, for T = float and double; products also for std::int32_t and std::int64_t.
template <typename T>
void VisitProducts(Visitor& visitor);
template <typename T>
void VisitFunctions(Visitor& visitor);  // and softmaxes
template <typename T>
void VisitNetworks(Visitor& visitor);  // losses, forward, training

template <typename T>
constexpr const char* kType = Name(kElementType<T>);

// [low, high); integers are any.
template <typename T>
std::vector<T> Uniform(std::ptrdiff_t count, double low, double high, Random& random) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& x : values) {
    if constexpr (std::is_integral_v<T>) {
      x = static_cast<T>(random.Next64());
    } else {
      x = static_cast<T>(low + (high - low) * random.UniformDouble());
    }
  }
  return values;
}

// Where every function and every sum has something to decide.
template <typename T>
std::vector<T> Specials() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values;
  for (const T x :
       {T{0}, Limits::denorm_min(), Limits::min(), Limits::epsilon(), T{0.25}, T{0.5}, T{1}, T{16}, T{88.5}, T{90},
        T{104}, T{709.5}, T{746}, T{1e30F}, Limits::max(), Limits::infinity(), Limits::quiet_NaN()}) {
    for (const T y : {x, x * (1 - Limits::epsilon()), x * (1 + Limits::epsilon())}) {
      values.push_back(y);
      values.push_back(-y);
    }
  }
  return values;
}

// An array that begins `offset` elements after a 64-byte boundary.
template <typename T>
class Shifted {
 public:
  Shifted(std::ptrdiff_t count, std::ptrdiff_t offset) : memory_(static_cast<std::size_t>(count + offset) + 64) {
    void* first = memory_.data();
    std::size_t space = memory_.size() * sizeof(T);
    first_ = static_cast<T*>(std::align(64, 1, first, space)) + offset;
  }
  Shifted(const std::vector<T>& values, std::ptrdiff_t offset) : Shifted(std::ssize(values), offset) {
    std::ranges::copy(values, first_);
  }
  T* data() { return first_; }

 private:
  std::vector<T> memory_;
  T* first_;
};

// What lies between the elements that count, and shows if it is used.
template <typename T>
constexpr T kBetween = std::is_integral_v<T> ? std::numeric_limits<T>::max() : std::numeric_limits<T>::quiet_NaN();

// rows x cols elements of `values` in memory of its own; transposed: column after column; each line `pad` longer than
// it need be.
template <typename T>
class ShiftedMatrix {
 public:
  ShiftedMatrix(const std::vector<T>& values, std::ptrdiff_t rows, std::ptrdiff_t cols, bool transposed,
                std::ptrdiff_t pad, std::ptrdiff_t offset)
      : memory_((rows + pad) * (cols + pad), offset) {
    std::fill_n(memory_.data(), (rows + pad) * (cols + pad), kBetween<T>);
    view = transposed ? MatrixView<T>(memory_.data(), cols, rows, rows + pad).Transposed()
                      : MatrixView<T>(memory_.data(), rows, cols, cols + pad);
    for (std::ptrdiff_t i = 0; i < rows; ++i) {
      for (std::ptrdiff_t j = 0; j < cols; ++j) view(i, j) = values[static_cast<std::size_t>(i * cols + j)];
    }
  }

 private:
  Shifted<T> memory_;

 public:
  MatrixView<T> view;
};

template <typename T>
std::uint64_t ElementOf(T x) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<std::uint64_t>(std::int64_t{x});
  } else {
    return std::isnan(x) ? 0x7FF8'0000'0000'0000 : std::bit_cast<std::uint64_t>(static_cast<double>(x));
  }
}

template <typename T>
void Append(MatrixView<const T> x, Elements& out) {
  for (std::ptrdiff_t i = 0; i < x.rows; ++i) {
    for (std::ptrdiff_t j = 0; j < x.cols; ++j) out.push_back(ElementOf(x(i, j)));
  }
}

// body(first, count) for each batch of `total` rows.
template <typename Body>
Status InBatches(std::ptrdiff_t total, std::ptrdiff_t batch, const Body& body) {
  if (batch == 0) return body(0, total);
  for (std::ptrdiff_t first = 0; first < total; first += batch) {
    Status status = body(first, std::min(batch, total - first));
    if (!status.ok()) return status;
  }
  return Status();
}

}  // namespace lanewise::internal
