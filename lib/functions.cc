// SPDX-License-Identifier: Apache-2.0
//
// The public functions: the kernels of the context's table behind one check. Arrays are matrices of one row.

#include "lanewise/functions.h"

#include <utility>

#include "fmt/format.h"
#include "typed_rows.h"
#include "view_check.h"

namespace lanewise {

namespace {

template <typename T>
MatrixView<T> AsRow(std::span<T> x) {
  return {x.data(), 1, std::ssize(x)};
}

// Whether `in` may be read while `out` is written, and has its shape.
template <typename T>
Status CheckPair(MatrixView<const T> in, const internal::ByteRange& out_range, MatrixView<const T> out) {
  const auto invalid = [](std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); };
  if (in.rows != out.rows || in.cols != out.cols) {
    return invalid(
        fmt::format("sizes differ: an input is {} x {}, the output {} x {}", in.rows, in.cols, out.rows, out.cols));
  }
  const Result<internal::ByteRange> range = internal::CheckInput<T>("an input", in);
  if (!range.ok()) return range.status();
  if (in.cols > 1 && in.col_stride != 1) {
    return invalid(fmt::format("an input's column stride is {}; rows must be contiguous (stride 1)", in.col_stride));
  }
  const bool in_place = in.data == out.data && (in.rows <= 1 || in.row_stride == out.row_stride);
  if (range->Overlaps(out_range) && !in_place) {
    return invalid("the output overlaps an input; it may be exactly an input, or must have memory of its own");
  }
  return Status();
}

template <typename T, class... In>
Status Check(MatrixView<T> out, const In&... in) {
  const Result<internal::ByteRange> out_range = internal::CheckOutput<T>("the output", out);
  if (!out_range.ok()) return out_range.status();
  for (const MatrixView<const T>& view : {in...}) {
    Status status = CheckPair<T>(view, *out_range, out);
    if (!status.ok()) return status;
  }
  return Status();
}

template <typename T>
Status Run(const kernels::RowKernel<T>& kernel, MatrixView<T> out, MatrixView<const T> in) {
  Status status = Check<T>(out, in);
  if (!status.ok() || out.cols == 0) return status;
  kernel.run(in.data, in.row_stride, out.data, out.row_stride, static_cast<std::size_t>(out.rows),
             static_cast<std::size_t>(out.cols));
  return status;
}

// Runs a kernel row by row: out = kernel(in...), with each `in` a MatrixView<const T>.
template <typename T, class Kernel, class... In>
Status Run(const Kernel& kernel, MatrixView<T> out, const In&... in) {
  Status status = Check<T>(out, in...);
  if (!status.ok() || out.cols == 0) return status;
  for (std::ptrdiff_t i = 0; i < out.rows; ++i) {
    kernel.run(in.data + i * in.row_stride..., out.data + i * out.row_stride, static_cast<std::size_t>(out.cols));
  }
  return status;
}

}  // namespace

#define LANEWISE_UNARY(Function, row)                                                      \
  template <typename T>                                                                    \
  Status Function(Context& context, std::span<const T> x, std::span<T> y) {                \
    return Run<T>(LANEWISE_ROW_OF(T, context.kernels().table(), row), AsRow(y), AsRow(x)); \
  }                                                                                        \
  template Status Function(Context&, std::span<const float>, std::span<float>);            \
  template Status Function(Context&, std::span<const double>, std::span<double>);
LANEWISE_UNARY(Exp, exp)
LANEWISE_UNARY(Log, log)
LANEWISE_UNARY(Log1p, log1p)
LANEWISE_UNARY(Sigmoid, sigmoid)
LANEWISE_UNARY(Tanh, tanh)
LANEWISE_UNARY(Relu, relu)
#undef LANEWISE_UNARY

#define LANEWISE_BY_ROWS(Function, row)                                           \
  template <typename T>                                                           \
  Status Function(Context& context, MatrixView<const T> x, MatrixView<T> y) {     \
    return Run<T>(LANEWISE_ROW_OF(T, context.kernels().table(), row), y, x);      \
  }                                                                               \
  template Status Function(Context&, MatrixView<const float>, MatrixView<float>); \
  template Status Function(Context&, MatrixView<const double>, MatrixView<double>);
LANEWISE_BY_ROWS(Softmax, softmax)
LANEWISE_BY_ROWS(LogSoftmax, log_softmax)
#undef LANEWISE_BY_ROWS

#define LANEWISE_GRADIENT(Function, row, saved)                                                            \
  template <typename T>                                                                                    \
  Status Function(Context& context, std::span<const T> saved, std::span<const T> dy, std::span<T> dx) {    \
    return Run<T>(LANEWISE_ROW_OF(T, context.kernels().table(), row), AsRow(dx), AsRow(saved), AsRow(dy)); \
  }                                                                                                        \
  template Status Function(Context&, std::span<const float>, std::span<const float>, std::span<float>);    \
  template Status Function(Context&, std::span<const double>, std::span<const double>, std::span<double>);
LANEWISE_GRADIENT(ExpGradient, exp_gradient, y)
LANEWISE_GRADIENT(LogGradient, log_gradient, x)
LANEWISE_GRADIENT(SigmoidGradient, sigmoid_gradient, y)
LANEWISE_GRADIENT(TanhGradient, tanh_gradient, y)
LANEWISE_GRADIENT(ReluGradient, relu_gradient, y)
#undef LANEWISE_GRADIENT

#define LANEWISE_GRADIENT_BY_ROWS(Function, row)                                                           \
  template <typename T>                                                                                    \
  Status Function(Context& context, MatrixView<const T> y, MatrixView<const T> dy, MatrixView<T> dx) {     \
    return Run<T>(LANEWISE_ROW_OF(T, context.kernels().table(), row), dx, y, dy);                          \
  }                                                                                                        \
  template Status Function(Context&, MatrixView<const float>, MatrixView<const float>, MatrixView<float>); \
  template Status Function(Context&, MatrixView<const double>, MatrixView<const double>, MatrixView<double>);
LANEWISE_GRADIENT_BY_ROWS(SoftmaxGradient, softmax_gradient)
LANEWISE_GRADIENT_BY_ROWS(LogSoftmaxGradient, log_softmax_gradient)
#undef LANEWISE_GRADIENT_BY_ROWS

}  // namespace lanewise
