// SPDX-License-Identifier: Apache-2.0

#include "lanewise/packed_matrix.h"

#include <new>
#include <utility>

#include "aligned.h"
#include "fmt/format.h"
#include "pack.h"
#include "typed_rows.h"
#include "view_check.h"

namespace lanewise {

template <typename T>
PackedMatrix<T>::PackedMatrix() : elements_(new (std::nothrow) internal::AlignedArray<T>()) {}
template <typename T>
PackedMatrix<T>::PackedMatrix(PackedMatrix&&) noexcept = default;
template <typename T>
PackedMatrix<T>& PackedMatrix<T>::operator=(PackedMatrix&&) noexcept = default;
template <typename T>
PackedMatrix<T>::~PackedMatrix() = default;

template <typename T>
Result<PackedMatrix<T>> PackedMatrix<T>::Pack(const Kernels& kernels, MatrixView<const T> b) {
  const Result<internal::ByteRange> range = internal::CheckInput<T>("B", b);
  if (!range.ok()) return range.status();
  const auto no_memory = [&b] {
    return Status(StatusCode::kOutOfMemory, fmt::format("no memory to pack a {} x {} matrix", b.rows, b.cols));
  };
  PackedMatrix packed;
  if (packed.elements_ == nullptr) return no_memory();
  const kernels::GemmKernel<T>& kernel = internal::GemmRow<T>(kernels.table());
  const kernels::GemmTiles<T>& tiles = kernel.ForChains(kernels::Chains(b.cols));
  packed.rows_ = b.rows;
  packed.cols_ = b.cols;
  packed.nr_ = tiles.nr;
  packed.tier_ = kernel.tier;
  if (b.rows == 0 || b.cols == 0) return packed;
  packed.panel_stride_ = internal::PanelStride<T>(b.rows, tiles.nr);
  const std::ptrdiff_t panels = (b.cols - 1) / tiles.nr + 1;
  std::ptrdiff_t count = 0;
  if (__builtin_mul_overflow(panels, packed.panel_stride_, &count) ||
      !packed.elements_->Reserve(static_cast<std::size_t>(count))) {
    return no_memory();
  }
  internal::PackB(tiles, b, packed.panel_stride_, packed.elements_->data());
  return packed;
}

template <typename T>
Result<PackedMatrix<T>> PackedMatrix<T>::Repack(const Kernels& kernels) const {
  internal::AlignedArray<T> plain;
  if (!plain.Reserve(static_cast<std::size_t>(rows_) * static_cast<std::size_t>(cols_))) {
    return Status(StatusCode::kOutOfMemory, fmt::format("no memory to repack a {} x {} matrix", rows_, cols_));
  }
  const MatrixView<T> view(plain.data(), rows_, cols_);
  for (std::ptrdiff_t k = 0; k < rows_; ++k) {
    for (std::ptrdiff_t j = 0; j < cols_; ++j) view(k, j) = (*this)(k, j);
  }
  return Pack(kernels, view);
}

template <typename T>
Status PackedMatrix<T>::Update(MatrixView<const T> b) {
  const Result<internal::ByteRange> range = internal::CheckInput<T>("B", b);
  if (!range.ok()) return range.status();
  if (b.rows != rows_ || b.cols != cols_) {
    return Status(
        StatusCode::kInvalidArgument,
        fmt::format("B: is {} x {}, but the packed matrix it replaces is {} x {}", b.rows, b.cols, rows_, cols_));
  }
  const kernels::GemmKernel<T>& kernel = internal::GemmRow<T>(*kernels::CompiledTable(tier_));
  internal::PackB(kernel.ForChains(kernels::Chains(cols_)), b, panel_stride_, elements_->data());
  return Status();
}

template <typename T>
T PackedMatrix<T>::operator()(std::ptrdiff_t k, std::ptrdiff_t j) const {
  return data()[j / nr_ * panel_stride_ + k * nr_ + j % nr_];
}

template <typename T>
std::size_t PackedMatrix<T>::bytes() const {
  return elements_->capacity() * sizeof(T);
}

template <typename T>
const T* PackedMatrix<T>::data() const {
  return elements_->data();
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;
template class PackedMatrix<std::int32_t>;
template class PackedMatrix<std::int64_t>;

}  // namespace lanewise
