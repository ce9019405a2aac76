// SPDX-License-Identifier: Apache-2.0
//
// PackedMatrix<T>: the right-hand side of a GEMM, typically a layer's weights, laid out once as the kernels read it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "lanewise/isa.h"
#include "lanewise/matrix_view.h"
#include "lanewise/status.h"

namespace lanewise {

namespace internal {
template <typename T>
class AlignedArray;
}

// K x N elements in panels of NR columns, k-major, padded with zeros, each panel aligned to 64 bytes. NR depends on the
// kernel that was chosen and on N; a Context whose kernel has another NR refuses the matrix. T is float, double,
// std::int32_t or std::int64_t.
// Immutable but for Update; safe to share between threads otherwise. Moveable, not copyable.
template <typename T>
class PackedMatrix {
 public:
  // Packs b, of any strides, for the GEMM kernel of `kernels`.
  // Errors: kInvalidArgument (negative sizes, null data, sizes whose product overflows), kOutOfMemory.
  static Result<PackedMatrix> Pack(const Kernels& kernels, MatrixView<const T> b);

  // The same elements in the layout of other kernels. kOutOfMemory.
  Result<PackedMatrix> Repack(const Kernels& kernels) const;

  // Replaces all elements, in the same layout and memory; b must be rows() x cols() (kInvalidArgument).
  Status Update(MatrixView<const T> b);

  // Element (k, j), as it was given.
  T operator()(std::ptrdiff_t k, std::ptrdiff_t j) const;

  std::ptrdiff_t rows() const { return rows_; }
  std::ptrdiff_t cols() const { return cols_; }
  std::int32_t nr() const { return nr_; }
  Tier tier() const { return tier_; }  // of the kernel it was packed for
  std::size_t bytes() const;           // of the packed elements, padding included

  // For the GEMM driver: panel p starts at data() + p * panel_stride().
  const T* data() const;
  std::ptrdiff_t panel_stride() const { return panel_stride_; }

  PackedMatrix(PackedMatrix&&) noexcept;
  PackedMatrix& operator=(PackedMatrix&&) noexcept;
  ~PackedMatrix();

 private:
  PackedMatrix();
  std::ptrdiff_t rows_ = 0;
  std::ptrdiff_t cols_ = 0;
  std::ptrdiff_t panel_stride_ = 0;  // elements
  std::int32_t nr_ = 0;
  Tier tier_ = Tier::kPortable;
  std::unique_ptr<internal::AlignedArray<T>> elements_;
};

}  // namespace lanewise
