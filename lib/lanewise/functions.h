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
// Largest errors in units in the last place, rounded up, denormal results included, and where they are met; float's are
// those of all inputs, double's the largest found among 10^8 hard and random ones (accuracy.h measures both,
// docs/accuracy.md, installed as share/doc/lanewise/accuracy.md, says how):
//
//             float, fma                  float, mul-add              double, fma
//   Exp       0.818 at -0x1.5e3c38p+6     0.502 at 0x1.3ab098p+6      0.986 at -0x1.a698bc50c0b31p+6
//   Log       0.828 at 0x1.68cb52p-1      0.501 at 0x1.618226p+0      0.882 at 0x1.6a09de627906fp-1
//   Log1p     0.828 at -0x1.2e695cp-2     0.501 at 0x1.a7985ep-2      0.875 at -0x1.2bec782d90c42p-2
//   Sigmoid   0.987 at -0x1.4cbbe8p+2     0.502 at -0x1.5ad366p+5     0.978 at -0x1.d7afc8c00f98ap+8
//   Tanh      0.985 at 0x1.dcdf6ap-1      0.501 at 0x1.c6dda8p-1      0.965 at -0x1.dc28f5f615355p-1
//
//             double, mul-add
//   Exp       0.957 at -0x1.5585f68d1e522p+9
//   Log       0.900 at 0x1.6a08ddb1ea43fp-1
//   Log1p     0.900 at -0x1.2c02aa02cc652p-2
//   Sigmoid   1.488 at -0x1.28aae6ddc23e9p+5
//   Tanh      1.083 at -0x1.dc28f5bf0da3dp-1
//
// What is promised is 1 (float: 0.51 in the class mul-add); of double's Sigmoid and Tanh in mul-add 2 and 1.5.

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
// They take the function's output y, LogGradient its input x. Errors are those of the stated formula for the arguments
// given, to first order in u, barring overflow and underflow.

// dx = dy * y, correctly rounded.
template <typename T>
Status ExpGradient(Context& context, std::span<const T> y, std::span<const T> dy, std::span<T> dx);

// dx = dy / x, correctly rounded.
template <typename T>
Status LogGradient(Context& context, std::span<const T> x, std::span<const T> dy, std::span<T> dx);

// dx = dy * (y * (1 - y)). Relative error at most 3 u.
template <typename T>
Status SigmoidGradient(Context& context, std::span<const T> y, std::span<const T> dy, std::span<T> dx);

// dx = dy * ((1 - y) * (1 + y)). Relative error at most 4 u.
template <typename T>
Status TanhGradient(Context& context, std::span<const T> y, std::span<const T> dy, std::span<T> dx);

// dx = y <= 0 ? +0 : dy. Exact.
template <typename T>
Status ReluGradient(Context& context, std::span<const T> y, std::span<const T> dy, std::span<T> dx);

// dx = y <= 0 ? slope * dy : dy, with the slope of LeakyRelu. Correctly rounded.
template <typename T>
Status LeakyReluGradient(Context& context, std::span<const T> y, std::span<const T> dy, std::span<T> dx);

// The sums of these two run over 16 lanes: element j goes to lane j mod 16, ascending, from +0; then the lanes are
// added over a binary tree of neighbours, (0 + 1) + (2 + 3) ... A row of n columns has c = ceil(n / 16) steps in a
// lane. The bounds are relative to the sums of magnitudes, which the sums themselves may be far smaller than.

// dx_i = y_i * (dy_i - sum over j of y_j dy_j), by rows. A step is lane = fma(y_j, dy_j, lane), in the class mul-add a
// product and an addition. |error_i| <= 2 u |dx_i| + (c + 4) u |y_i| (sum over j of |y_j dy_j|).
template <typename T>
Status SoftmaxGradient(Context& context, MatrixView<const T> y, MatrixView<const T> dy, MatrixView<T> dx);

// dx_i = dy_i - e^(y_i) * sum over j of dy_j, by rows, with the bits of Exp, and the difference by one fma, in the
// class mul-add by a product and a subtraction. |error_i| <= u |dx_i| + (c + 5) u e^(y_i) (sum over j of |dy_j|), in
// the class mul-add with c + 6, where e^(y_i) is a normal number.
template <typename T>
Status LogSoftmaxGradient(Context& context, MatrixView<const T> y, MatrixView<const T> dy, MatrixView<T> dx);

}  // namespace lanewise
