// SPDX-License-Identifier: Apache-2.0
//
// The door to matrix products: operands and plans are checked here, and nowhere behind it. A small product spends a
// good part of its time here, so operands are passed on by reference.

#include "lanewise/gemm.h"

#include <type_traits>

#include "fmt/format.h"
#include "gemm_run.h"
#include "typed_rows.h"
#include "view_check.h"

namespace lanewise {

namespace {

using internal::ByteRange;
using internal::RightSide;

template <typename T>
bool IsValid(const RightSide<T>& b, ByteRange* range) {
  if (b.view != nullptr) return internal::IsValid(*b.view, range);
  *range = internal::RangeOf(b.packed->data(), static_cast<std::ptrdiff_t>(b.packed->bytes() / sizeof(T)));
  return true;
}

// Integers have the identity and ReLU.
template <typename T>
bool Has(Activation activation) {
  return std::is_floating_point_v<T> || activation == Activation::kIdentity || activation == Activation::kRelu;
}

// What is wrong with operands that IsSound refused.
template <typename T>
[[gnu::cold]] Status WhatIsWrong(const MatrixView<const T>& a, const RightSide<T>& b, const MatrixView<T>& c,
                                 Activation activation) {
  if (!Has<T>(activation)) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("activation {} of a product of type {}: integers have identity and relu",
                              Name(activation), Name(kElementType<T>)));
  }
  if (a.cols != b.rows() || c.rows != a.rows || c.cols != b.cols()) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("shapes do not match: A is {} x {}, B is {} x {}, C is {} x {}; need M x K, K x N, M x N",
                              a.rows, a.cols, b.rows(), b.cols(), c.rows, c.cols));
  }
  const Result<ByteRange> c_range = internal::CheckOutput<T>("C", c);
  if (!c_range.ok()) return c_range.status();
  const Result<ByteRange> a_range = internal::CheckInput<T>("A", a);
  if (!a_range.ok()) return a_range.status();
  if (b.view != nullptr) {
    const Result<ByteRange> b_range = internal::CheckInput<T>("B", *b.view);
    if (!b_range.ok()) return b_range.status();
  }
  return Status(StatusCode::kInvalidArgument,
                "C overlaps A, B or the bias; the result needs memory of its own (a view of other elements between "
                "them counts as an overlap)");
}

template <typename T>
bool IsSound(const MatrixView<const T>& a, const RightSide<T>& b, const MatrixView<T>& c,
             const GemmOptions<T>& options) {
  ByteRange a_range;
  ByteRange b_range;
  ByteRange c_range;
  return a.cols == b.rows() && c.rows == a.rows && c.cols == b.cols() && internal::IsValidOutput(c, &c_range) &&
         internal::IsValid(a, &a_range) && IsValid(b, &b_range) && !c_range.Overlaps(a_range) &&
         !c_range.Overlaps(b_range) && Has<T>(options.activation) &&
         (options.bias == nullptr || !c_range.Overlaps(internal::RangeOf(options.bias, c.cols)));
}

template <typename T>
GemmShape ShapeOf(const MatrixView<const T>& a, const RightSide<T>& b, const GemmOptions<T>& options) {
  return {.type = kElementType<T>,
          .m = a.rows,
          .n = b.cols(),
          .k = options.alpha == T{0} ? 0 : a.cols,  // the products contribute nothing and are not formed
          .a_row_stride = a.row_stride,
          .a_k_stride = a.col_stride,
          .b_k_stride = b.view != nullptr ? b.view->row_stride : 0,
          .b_column_stride = b.view != nullptr ? b.view->col_stride : 1,
          .b_packed = b.packed != nullptr,
          .scaled = options.alpha != T{0} && options.alpha != T{1}};
}

template <typename T>
[[gnu::cold]] Status WrongLayout(const GemmPlan& plan, const PackedMatrix<T>& b) {
  return Status(
      StatusCode::kLayoutMismatch,
      fmt::format("B was packed for {} in panels of {}, the context's kernel ({}) reads panels of {}; pack it "
                  "with the context's kernels, or Repack it",
                  Name(b.tier()), b.nr(), Name(plan.tier), plan.nr));
}

[[gnu::cold]] Status WrongPlan(const GemmShape& shape, Tier tier) {
  return Status(StatusCode::kInvalidArgument,
                fmt::format("the plan is for another product than this one of M={} N={} K={} on {} (type, packing, "
                            "strides and scaling count); make one with PlanGemm for it",
                            shape.m, shape.n, shape.k, Name(tier)));
}

// Whether the plan is for the context's kernel and this product. Reads no more of the operands than it must: a small
// product takes not much longer than making its GemmShape.
template <typename T>
bool Fits(const GemmPlan& plan, Tier tier, const MatrixView<const T>& a, const RightSide<T>& b, T alpha) {
  if (plan.type != kElementType<T> || plan.tier != tier || plan.m != a.rows || plan.n != b.cols() ||
      plan.k != (alpha == T{0} ? 0 : a.cols) || (plan.pack_b == PackB::kBeforehand) != (b.packed != nullptr)) {
    return false;
  }
  const bool along_k = plan.n == 1 && plan.k > 1;  // the one-column kernel wants both operands contiguous along K
  if (plan.pack_a == PackA::kNo && ((alpha != T{0} && alpha != T{1}) || (along_k && a.col_stride != 1))) return false;
  if (plan.pack_b != PackB::kInPlace) return true;
  return plan.n == 1 ? !along_k || b.view->row_stride == 1 : b.view->col_stride == 1;
}

// Of sound operands that are not empty, by their own plan.
template <typename T>
Status Run(Context& context, const GemmPlan& plan, const MatrixView<const T>& a, const RightSide<T>& b,
           const MatrixView<T>& c, const GemmOptions<T>& options) {
  if (b.packed != nullptr && b.packed->nr() != plan.nr) return WrongLayout(plan, *b.packed);
  return internal::RunGemm(context, plan, a, b, c, options);
}

template <typename T>
Status PlanAndRun(Context& context, const MatrixView<const T>& a, const RightSide<T>& b, const MatrixView<T>& c,
                  const GemmOptions<T>& options) {
  if (!IsSound(a, b, c, options)) return WhatIsWrong(a, b, c, options.activation);
  if (c.rows == 0 || c.cols == 0) return Status();
  const GemmPlan plan =
      PlanGemm(ShapeOf(a, b, options), context.kernels(), context.machine(), context.executor().Threads());
  return Run(context, plan, a, b, c, options);
}

template <typename T>
Status CheckAndRun(Context& context, const GemmPlan& plan, const MatrixView<const T>& a, const RightSide<T>& b,
                   const MatrixView<T>& c, const GemmOptions<T>& options) {
  if (!IsSound(a, b, c, options)) return WhatIsWrong(a, b, c, options.activation);
  if (c.rows == 0 || c.cols == 0) return Status();
  const Tier tier = internal::GemmRow<T>(context.kernels().table()).tier;
  if (!Fits(plan, tier, a, b, options.alpha)) return WrongPlan(ShapeOf(a, b, options), tier);
  return Run(context, plan, a, b, c, options);
}

}  // namespace

template <typename T>
Status Gemm(Context& context, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c,
            const GemmOptions<T>& options) {
  return PlanAndRun(context, a, RightSide<T>(b), c, options);
}

template <typename T>
Status Gemm(Context& context, MatrixView<const T> a, const PackedMatrix<T>& b, MatrixView<T> c,
            const GemmOptions<T>& options) {
  return PlanAndRun(context, a, RightSide<T>(b), c, options);
}

template <typename T>
Status Gemm(Context& context, const GemmPlan& plan, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c,
            const GemmOptions<T>& options) {
  return CheckAndRun(context, plan, a, RightSide<T>(b), c, options);
}

template <typename T>
Status Gemm(Context& context, const GemmPlan& plan, MatrixView<const T> a, const PackedMatrix<T>& b, MatrixView<T> c,
            const GemmOptions<T>& options) {
  return CheckAndRun(context, plan, a, RightSide<T>(b), c, options);
}

#define LANEWISE_INSTANTIATE(T)                                                                                      \
  template Status Gemm(Context&, MatrixView<const T>, MatrixView<const T>, MatrixView<T>, const GemmOptions<T>&);    \
  template Status Gemm(Context&, MatrixView<const T>, const PackedMatrix<T>&, MatrixView<T>, const GemmOptions<T>&); \
  template Status Gemm(Context&, const GemmPlan&, MatrixView<const T>, MatrixView<const T>, MatrixView<T>,           \
                       const GemmOptions<T>&);                                                                       \
  template Status Gemm(Context&, const GemmPlan&, MatrixView<const T>, const PackedMatrix<T>&, MatrixView<T>,        \
                       const GemmOptions<T>&);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
LANEWISE_INSTANTIATE(std::int32_t)
LANEWISE_INSTANTIATE(std::int64_t)
#undef LANEWISE_INSTANTIATE

}  // namespace lanewise
