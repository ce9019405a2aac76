// SPDX-License-Identifier: Apache-2.0

#include "lanewise/packed_matrix.h"

#include <new>
#include <utility>

#include "aligned.h"
#include "format.h"
#include "pack.h"
#include "typed_rows.h"
#include "view_check.h"

namespace lanewise {

namespace {

template <typename T>
const kernels::GemmTiles<T>& TilesFor(const kernels::GemmKernel<T>& kernel, std::ptrdiff_t columns) {
  return kernel.ForColumns(columns, kernel.HasInterleaved(columns));
}

}  // namespace

template <typename T>
PackedMatrix<T>::PackedMatrix() = default;
template <typename T>
PackedMatrix<T>::PackedMatrix(PackedMatrix&& other) noexcept
    : layout_(std::exchange(other.layout_, {})), memory_(std::move(other.memory_)) {}
template <typename T>
PackedMatrix<T>& PackedMatrix<T>::operator=(PackedMatrix&& other) noexcept {
  memory_ = std::move(other.memory_);
  layout_ = std::exchange(other.layout_, {});
  return *this;
}
template <typename T>
PackedMatrix<T>::~PackedMatrix() = default;

template <typename T>
Result<PackedMatrix<T>> PackedMatrix<T>::Pack(const Kernels& kernels, MatrixView<const T> b) {
  const Result<internal::ByteRange> range = internal::CheckInput<T>("B", b);
  if (!range.ok()) return range.status();
  const kernels::GemmKernel<T>& kernel = internal::GemmRow<T>(kernels.table());
  const kernels::GemmTiles<T>& tiles = TilesFor(kernel, b.cols);
  PackedMatrix packed;
  packed.layout_ = {.rows = b.rows, .cols = b.cols, .nr = tiles.nr, .k_group = tiles.k_group, .tier = kernel.tier};
  if (b.rows == 0 || b.cols == 0) return packed;
  packed.layout_.panel_stride = internal::PanelStride(tiles, b.rows);
  const std::ptrdiff_t panels = (b.cols - 1) / tiles.nr + 1;
  std::ptrdiff_t count = 0;
  packed.memory_.reset(new (std::nothrow) internal::AlignedArray<T>());
  if (packed.memory_ == nullptr || __builtin_mul_overflow(panels, packed.layout_.panel_stride, &count) ||
      !packed.memory_->Reserve(static_cast<std::size_t>(count))) {
    return Status(StatusCode::kOutOfMemory, Format("no memory to pack a {} x {} matrix", b.rows, b.cols));
  }
  packed.layout_.bytes = static_cast<std::size_t>(count) * sizeof(T);
  packed.layout_.data = packed.memory_->data();
  internal::PackB(tiles, b, packed.layout_.panel_stride, packed.memory_->data());
  return packed;
}

template <typename T>
Result<PackedMatrix<T>> PackedMatrix<T>::Repack(const Kernels& kernels) const {
  internal::AlignedArray<T> plain;
  if (!plain.Reserve(static_cast<std::size_t>(rows()) * static_cast<std::size_t>(cols()))) {
    return Status(StatusCode::kOutOfMemory, Format("no memory to repack a {} x {} matrix", rows(), cols()));
  }
  const MatrixView<T> view(plain.data(), rows(), cols());
  for (std::ptrdiff_t k = 0; k < rows(); ++k) {
    for (std::ptrdiff_t j = 0; j < cols(); ++j) view(k, j) = (*this)(k, j);
  }
  return Pack(kernels, view);
}

template <typename T>
Status PackedMatrix<T>::Update(MatrixView<const T> b) {
  const Result<internal::ByteRange> range = internal::CheckInput<T>("B", b);
  if (!range.ok()) return range.status();
  if (b.rows != rows() || b.cols != cols()) {
    return Status(StatusCode::kInvalidArgument, Format("B: is {} x {}, but the packed matrix it replaces is {} x {}",
                                                       b.rows, b.cols, rows(), cols()));
  }
  if (memory_ == nullptr) return Status();  // no element
  const kernels::GemmKernel<T>& kernel = internal::GemmRow<T>(*kernels::CompiledTable(tier()));
  internal::PackB(TilesFor(kernel, cols()), b, panel_stride(), memory_->data());
  return Status();
}

template <typename T>
T PackedMatrix<T>::operator()(std::ptrdiff_t k, std::ptrdiff_t j) const {
  return data()[j / nr() * panel_stride() + kernels::PanelIndex(nr(), layout_.k_group, k, j % nr())];
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;
template class PackedMatrix<std::int32_t>;
template class PackedMatrix<std::int64_t>;

}  // namespace lanewise
