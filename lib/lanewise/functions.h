// SPDX-License-Identifier: Apache-2.0
//
// Functions of arrays and of the rows of matrices, and their gradients, for float and double.
//
// Call them with the type: Exp<float>(context, x, y). The result of an element (of a row, for the softmaxes) is the
// same bits wherever it stands, on every tier of a numeric class, and for any number of threads: many elements (from
// 125,000 on by Machine's default) are shared among the context's threads.
//
// The output may be exactly an input (in place). Errors, before anything is written: kInvalidArgument for sizes that
// differ, a null pointer to elements, an output that overlaps an input in any other way (views of different elements
// that lie between each other count as overlapping), and for matrices columns that are not contiguous or rows of the
// output that overlap.
//
// Largest errors in units in the last place, denormal results included; float's hold for all inputs, double's for 10^8
// hard and random ones (accuracy.h measures both, docs/accuracy.md has the figures):
//
//                      Exp   Log   Log1p  Sigmoid  Tanh
//   float, fma         1.0 each (0.82 to 0.99)
//   float, mul-add     0.51 each
//   double, fma        1.0 each (0.88 to 0.99)
//   double, mul-add    1.0   1.0   1.0    2.0      1.5   (0.90 to 1.49)

#pragma once

#include <span>

#include "lanewise/context.h"
#include "lanewise/matrix_view.h"
#include "lanewise/status.h"

namespace lanewise {

// ---- y[i] = f(x[i]). A NaN gives a NaN. --------------------------------------------------------------------------

// e^x. Exp(-inf) = +0, Exp(+inf) = +inf.
template <typename T>
Status Exp(Context& context, std::span<const T> x, std::span<T> y);

// The natural logarithm. Log(+-0) = -inf, Log(x < 0) = NaN, Log(+inf) = +inf.
template <typename T>
Status Log(Context& context, std::span<const T> x, std::span<T> y);

// log(1 + x). Log1p(-1) = -inf, Log1p(x < -1) = NaN, Log1p(+inf) = +inf, Log1p(-0) = -0.
template <typename T>
Status Log1p(Context& context, std::span<const T> x, std::span<T> y);

// 1 / (1 + e^-x). Sigmoid(-inf) = +0, Sigmoid(+inf) = 1.
template <typename T>
Status Sigmoid(Context& context, std::span<const T> x, std::span<T> y);

// (e^x - e^-x) / (e^x + e^-x). Tanh(+-inf) = +-1, Tanh(-0) = -0.
template <typename T>
Status Tanh(Context& context, std::span<const T> x, std::span<T> y);

// x < 0 ? +0 : x, so that Relu(-0) = -0. Exact.
template <typename T>
Status Relu(Context& context, std::span<const T> x, std::span<T> y);

// x < 0 ? slope * x : x, with the number of type T that is nearest to 0.01 as slope, PyTorch's default. Correctly
// rounded. LeakyRelu(-inf) = -inf, LeakyRelu(-0) = -0.
template <typename T>
Status LeakyRelu(Context& context, std::span<const T> x, std::span<T> y);

// ---- Each row of y from the same row of x. A row that holds a NaN or +inf, or nothing but -inf, gives NaNs. --------
// With u = 2^-24 for float and 2^-53 for double, n columns, and max the largest element of the row:

// y_i = e^(x_i - max) / sum over j of e^(x_j - max). Where the result is normal, the relative error is at most
// (9 + n / 16) u for n <= 256 and (24 + n / 128) u beyond, however far the elements are apart; it is at most
// (8 + max - x_i + n / 16) u too. Elsewhere it may be 1.5 of the smallest denormals more.
template <typename T>
Status Softmax(Context& context, MatrixView<const T> x, MatrixView<T> y);

// y_i = (x_i - max) - log(sum over j of e^(x_j - max)). Error at most (16 + 2 |y_i| + n / 16) u.
template <typename T>
Status LogSoftmax(Context& context, MatrixView<const T> x, MatrixView<T> y);

// ---- Gradients: dx = dy * f'(x), computed as stated, each operation rounded once. ----------------------------------
// They take the function's output y, LogGradient its input x.

// dx = dy * y
template <typename T>
Status ExpGradient(Context& context, std::span<const T> y, std::span<const T> dy, std::span<T> dx);

// dx = dy / x
template <typename T>
Status LogGradient(Context& context, std::span<const T> x, std::span<const T> dy, std::span<T> dx);

// dx = dy * (y * (1 - y))
template <typename T>
Status SigmoidGradient(Context& context, std::span<const T> y, std::span<const T> dy, std::span<T> dx);

// dx = dy * ((1 - y) * (1 + y))
template <typename T>
Status TanhGradient(Context& context, std::span<const T> y, std::span<const T> dy, std::span<T> dx);

// dx = y <= 0 ? +0 : dy
template <typename T>
Status ReluGradient(Context& context, std::span<const T> y, std::span<const T> dy, std::span<T> dx);

// dx = y <= 0 ? slope * dy : dy, with the slope of LeakyRelu.
template <typename T>
Status LeakyReluGradient(Context& context, std::span<const T> y, std::span<const T> dy, std::span<T> dx);

// dx_i = y_i * (dy_i - sum over j of y_j dy_j), by rows.
template <typename T>
Status SoftmaxGradient(Context& context, MatrixView<const T> y, MatrixView<const T> dy, MatrixView<T> dx);

// dx_i = dy_i - e^(y_i) * sum over j of dy_j, by rows.
template <typename T>
Status LogSoftmaxGradient(Context& context, MatrixView<const T> y, MatrixView<const T> dy, MatrixView<T> dx);

}  // namespace lanewise
