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

// K x N elements in padded panels of NR columns, each panel aligned to 64 bytes: k-major, or, for N = 2..16 of floating
// point, four consecutive k of a column side by side. NR depends on the kernel that was chosen and on N; a Context
// whose kernel has another NR refuses the matrix. T is float, double, std::int32_t or std::int64_t. Immutable but for
// Update; safe to share between threads otherwise. Moveable, not copyable; one that was moved from has no rows and no
// columns.
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

  std::ptrdiff_t rows() const { return layout_.rows; }
  std::ptrdiff_t cols() const { return layout_.cols; }
  std::int32_t nr() const { return layout_.nr; }
  Tier tier() const { return layout_.tier; }           // of the kernel it was packed for
  std::size_t bytes() const { return layout_.bytes; }  // of the packed elements, padding included

  // For the GEMM driver: panel p starts at data() + p * panel_stride().
  const T* data() const { return layout_.data; }
  std::ptrdiff_t panel_stride() const { return layout_.panel_stride; }

  PackedMatrix(PackedMatrix&&) noexcept;
  PackedMatrix& operator=(PackedMatrix&&) noexcept;
  ~PackedMatrix();

 private:
  struct Layout {
    std::ptrdiff_t rows = 0, cols = 0;
    std::ptrdiff_t panel_stride = 0;  // elements
    std::size_t bytes = 0;
    const T* data = nullptr;
    std::int32_t nr = 0;
    std::int32_t k_group = 1;
    Tier tier = Tier::kPortable;
  };

  PackedMatrix();
  Layout layout_;
  std::unique_ptr<internal::AlignedArray<T>> memory_;  // where the elements lie
};

}  // namespace lanewise
