// SPDX-License-Identifier: Apache-2.0
//
// The public functions: the kernels of the context's table behind one check, on its threads where that pays. Arrays are
// matrices of one row.

#include "lanewise/functions.h"

#include <algorithm>
#include <utility>

#include "format.h"
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
bool IsValidPair(const MatrixView<const T>& in, const internal::ByteRange& out_range, const MatrixView<T>& out) {
  const internal::ByteRange range = internal::RangeOf(in);
  if (in.rows != out.rows || in.cols != out.cols || !range.IsValid()) return false;
  if (in.cols > 1 && in.col_stride != 1) return false;
  return !range.Overlaps(out_range) || (in.data == out.data && (in.rows <= 1 || in.row_stride == out.row_stride));
}

// Calls on few elements spend their time here; what is wrong is put into words by Refusal.
template <typename T, class... In>
bool IsValidCall(const MatrixView<T>& out, const In&... in) {
  const internal::ByteRange out_range = internal::RangeOf(out);
  return out_range.IsValid() && internal::IsWritable(out) && (IsValidPair<T>(in, out_range, out) && ...);
}

template <typename T>
Status RefusalOfPair(MatrixView<const T> in, MatrixView<T> out) {
  const auto invalid = [](std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); };
  if (in.rows != out.rows || in.cols != out.cols) {
    return invalid(
        Format("sizes differ: an input is {} x {}, the output {} x {}", in.rows, in.cols, out.rows, out.cols));
  }
  const Result<internal::ByteRange> range = internal::CheckInput<T>("an input", in);
  if (!range.ok()) return range.status();
  if (in.cols > 1 && in.col_stride != 1) {
    return invalid(Format("an input's column stride is {}; rows must be contiguous (stride 1)", in.col_stride));
  }
  return invalid("the output overlaps an input; it may be exactly an input, or must have memory of its own");
}

// Why a call is not valid.
template <typename T, class... In>
Status Refusal(MatrixView<T> out, const In&... in) {
  const Result<internal::ByteRange> out_range = internal::CheckOutput<T>("the output", out);
  if (!out_range.ok()) return out_range.status();
  for (const MatrixView<const T>& view : {in...}) {
    if (!IsValidPair<T>(view, *out_range, out)) return RefusalOfPair<T>(view, out);
  }
  return Status();
}

// What an element costs beside a product's multiply-add, in which Machine::thread_break_even is measured: exp takes the
// time of 10 and sigmoid of 20 on avx512 (Zen 5), so that threads are used from 125,000 elements on.
constexpr double kMultiplyAdds = 16;

// Calls body(begin, end) on parts of [0, count), each of which has `size` elements; on all threads where that pays. No
// part is smaller than 64 elements but the last.
template <class Body>
void ForParts(Context& context, std::ptrdiff_t count, std::ptrdiff_t size, const Body& body) {
  Executor& executor = context.executor();
  const double elements = static_cast<double>(count) * static_cast<double>(size);
  const int threads = elements * kMultiplyAdds < context.machine().thread_break_even ? 1 : executor.Threads();
  if (threads == 1) return body(0, count);
  // More tasks than threads, since a thread may come late or be held up.
  const int tasks = 4 * threads;
  const std::ptrdiff_t grain = size >= 64 ? 1 : 64;
  const std::ptrdiff_t grains = (count + grain - 1) / grain;
  RunTasks(executor, tasks, [&](int t) {
    const std::ptrdiff_t begin = std::min(grains * t / tasks * grain, count);
    const std::ptrdiff_t end = std::min(grains * (t + 1) / tasks * grain, count);
    if (begin < end) body(begin, end);
  });
}

template <typename T>
Status Run(Context& context, const kernels::RowKernel<T>& kernel, const MatrixView<T>& out,
           const MatrixView<const T>& in) {
  if (!IsValidCall(out, in)) return Refusal<T>(out, in);
  if (out.cols == 0) return Status();
  ForParts(context, out.rows, out.cols, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
    kernel.run(in.data + begin * in.row_stride, in.row_stride, out.data + begin * out.row_stride, out.row_stride,
               static_cast<std::size_t>(end - begin), static_cast<std::size_t>(out.cols));
  });
  return Status();
}

// out = kernel(in...), with each `in` an array.
template <typename T, class Kernel, class... In>
Status RunOnArray(Context& context, const Kernel& kernel, std::span<T> out, const In&... in) {
  if (!IsValidCall(AsRow(out), AsRow(in)...)) return Refusal<T>(AsRow(out), AsRow(in)...);
  ForParts(context, std::ssize(out), 1, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
    kernel.run(in.data() + begin..., out.data() + begin, static_cast<std::size_t>(end - begin));
  });
  return Status();
}

// Row by row, with each `in` a MatrixView<const T>.
template <typename T, class Kernel, class... In>
Status RunOnRows(Context& context, const Kernel& kernel, const MatrixView<T>& out, const In&... in) {
  if (!IsValidCall(out, in...)) return Refusal<T>(out, in...);
  if (out.cols == 0) return Status();
  ForParts(context, out.rows, out.cols, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
    for (std::ptrdiff_t i = begin; i < end; ++i) {
      kernel.run(in.data + i * in.row_stride..., out.data + i * out.row_stride, static_cast<std::size_t>(out.cols));
    }
  });
  return Status();
}

}  // namespace

#define LANEWISE_UNARY(Function, row)                                                        \
  template <typename T>                                                                      \
  Status Function(Context& context, std::span<const T> x, std::span<T> y) {                  \
    return RunOnArray<T>(context, LANEWISE_ROW_OF(T, context.kernels().table(), row), y, x); \
  }                                                                                          \
  template Status Function(Context&, std::span<const float>, std::span<float>);              \
  template Status Function(Context&, std::span<const double>, std::span<double>);
LANEWISE_UNARY(Exp, exp)
LANEWISE_UNARY(Log, log)
LANEWISE_UNARY(Log1p, log1p)
LANEWISE_UNARY(Sigmoid, sigmoid)
LANEWISE_UNARY(Tanh, tanh)
LANEWISE_UNARY(Relu, relu)
LANEWISE_UNARY(LeakyRelu, leaky_relu)
#undef LANEWISE_UNARY

#define LANEWISE_BY_ROWS(Function, row)                                               \
  template <typename T>                                                               \
  Status Function(Context& context, MatrixView<const T> x, MatrixView<T> y) {         \
    return Run<T>(context, LANEWISE_ROW_OF(T, context.kernels().table(), row), y, x); \
  }                                                                                   \
  template Status Function(Context&, MatrixView<const float>, MatrixView<float>);     \
  template Status Function(Context&, MatrixView<const double>, MatrixView<double>);
LANEWISE_BY_ROWS(Softmax, softmax)
LANEWISE_BY_ROWS(LogSoftmax, log_softmax)
#undef LANEWISE_BY_ROWS

#define LANEWISE_GRADIENT(Function, row, saved)                                                         \
  template <typename T>                                                                                 \
  Status Function(Context& context, std::span<const T> saved, std::span<const T> dy, std::span<T> dx) { \
    return RunOnArray<T>(context, LANEWISE_ROW_OF(T, context.kernels().table(), row), dx, saved, dy);   \
  }                                                                                                     \
  template Status Function(Context&, std::span<const float>, std::span<const float>, std::span<float>); \
  template Status Function(Context&, std::span<const double>, std::span<const double>, std::span<double>);
LANEWISE_GRADIENT(ExpGradient, exp_gradient, y)
LANEWISE_GRADIENT(LogGradient, log_gradient, x)
LANEWISE_GRADIENT(SigmoidGradient, sigmoid_gradient, y)
LANEWISE_GRADIENT(TanhGradient, tanh_gradient, y)
LANEWISE_GRADIENT(ReluGradient, relu_gradient, y)
LANEWISE_GRADIENT(LeakyReluGradient, leaky_relu_gradient, y)
#undef LANEWISE_GRADIENT

#define LANEWISE_GRADIENT_BY_ROWS(Function, row)                                                           \
  template <typename T>                                                                                    \
  Status Function(Context& context, MatrixView<const T> y, MatrixView<const T> dy, MatrixView<T> dx) {     \
    return RunOnRows<T>(context, LANEWISE_ROW_OF(T, context.kernels().table(), row), dx, y, dy);           \
  }                                                                                                        \
  template Status Function(Context&, MatrixView<const float>, MatrixView<const float>, MatrixView<float>); \
  template Status Function(Context&, MatrixView<const double>, MatrixView<const double>, MatrixView<double>);
LANEWISE_GRADIENT_BY_ROWS(SoftmaxGradient, softmax_gradient)
LANEWISE_GRADIENT_BY_ROWS(LogSoftmaxGradient, log_softmax_gradient)
#undef LANEWISE_GRADIENT_BY_ROWS

}  // namespace lanewise
