// SPDX-License-Identifier: Apache-2.0
//
// MatrixView<T>: a matrix that somebody else owns.

#pragma once

#include <cstddef>
#include <type_traits>

namespace lanewise {

// rows x cols elements; element (i, j) lies at data[i * row_stride + j * col_stride]. Strides are in elements. Inputs
// may have any strides (zero and negative ones too); a matrix that is written must have col_stride 1 (or at most one
// column) and rows that do not overlap. A transpose is a swap of strides and costs nothing. Immutable value type, safe
// to share; it does not own the elements. T is const-qualified for inputs.
template <typename T>
struct MatrixView {
  T* data = nullptr;
  std::ptrdiff_t rows = 0;
  std::ptrdiff_t cols = 0;
  std::ptrdiff_t row_stride = 0;
  std::ptrdiff_t col_stride = 1;

  MatrixView() = default;
  // Row-major and dense.
  MatrixView(T* data_in, std::ptrdiff_t rows_in, std::ptrdiff_t cols_in)
      : MatrixView(data_in, rows_in, cols_in, cols_in, 1) {}
  MatrixView(T* data_in, std::ptrdiff_t rows_in, std::ptrdiff_t cols_in, std::ptrdiff_t row_stride_in,
             std::ptrdiff_t col_stride_in = 1)
      : data(data_in), rows(rows_in), cols(cols_in), row_stride(row_stride_in), col_stride(col_stride_in) {}

  // A view to modify is a view to read.
  operator MatrixView<const T>() const  // NOLINT(google-explicit-constructor)
      requires(!std::is_const_v<T>) {
    return {data, rows, cols, row_stride, col_stride};
  }

  T& operator()(std::ptrdiff_t i, std::ptrdiff_t j) const { return data[i * row_stride + j * col_stride]; }

  MatrixView Transposed() const { return {data, cols, rows, col_stride, row_stride}; }

  // Rows [begin, begin + count), all of them rows of this view: 0 <= begin, 0 <= count, begin + count <= rows. Like
  // the indices of an element, they are not checked.
  MatrixView Rows(std::ptrdiff_t begin, std::ptrdiff_t count) const {
    return {data + begin * row_stride, count, cols, row_stride, col_stride};
  }

  // Columns [begin, begin + count), likewise.
  MatrixView Columns(std::ptrdiff_t begin, std::ptrdiff_t count) const {
    return {data + begin * col_stride, rows, count, row_stride, col_stride};
  }
};

}  // namespace lanewise
