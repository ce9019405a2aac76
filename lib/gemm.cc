// SPDX-License-Identifier: Apache-2.0
//
// The door to matrix products: operands and plans are checked here, and nowhere behind it. A small product spends a
// good part of its time here, so operands are passed on by reference, and what both forms of B share is inlined into
// the function of each.

#include "lanewise/gemm.h"

#include <type_traits>

#include "format.h"
#include "gemm_run.h"
#include "plan_cache.h"
#include "typed_rows.h"
#include "view_check.h"

namespace lanewise {

namespace {

using internal::ByteRange;

// What both forms of B have.
template <typename T>
std::ptrdiff_t RowsOf(const MatrixView<const T>& b) {
  return b.rows;
}
template <typename T>
std::ptrdiff_t RowsOf(const PackedMatrix<T>& b) {
  return b.rows();
}
template <typename T>
std::ptrdiff_t ColsOf(const MatrixView<const T>& b) {
  return b.cols;
}
template <typename T>
std::ptrdiff_t ColsOf(const PackedMatrix<T>& b) {
  return b.cols();
}
template <typename T>
[[gnu::always_inline]] inline ByteRange RangeOfB(const MatrixView<const T>& b) {
  return internal::RangeOf(b);
}
template <typename T>
ByteRange RangeOfB(const PackedMatrix<T>& b) {
  return internal::RangeOf(b.data(), static_cast<std::ptrdiff_t>(b.bytes() / sizeof(T)));
}
template <typename T>
Status CheckB(const MatrixView<const T>& b) {
  return internal::CheckInput<T>("B", b).status();
}
template <typename T>
Status CheckB(const PackedMatrix<T>& /*b*/) {
  return Status();
}

// Integers have the identity and ReLU.
template <typename T>
bool Has(Activation activation) {
  return std::is_floating_point_v<T> || activation == Activation::kIdentity || activation == Activation::kRelu;
}

// What is wrong with operands that IsSound refused.
template <typename T, class B>
[[gnu::cold]] Status WhatIsWrong(const MatrixView<const T>& a, const B& b, const MatrixView<T>& c,
                                 Activation activation) {
  if (!Has<T>(activation)) {
    return Status(StatusCode::kInvalidArgument,
                  Format("activation {} of a product of type {}: integers have identity and relu", Name(activation),
                         Name(kElementType<T>)));
  }
  if (a.cols != RowsOf(b) || c.rows != a.rows || c.cols != ColsOf(b)) {
    return Status(StatusCode::kInvalidArgument,
                  Format("shapes do not match: A is {} x {}, B is {} x {}, C is {} x {}; need M x K, K x N, M x N",
                         a.rows, a.cols, RowsOf(b), ColsOf(b), c.rows, c.cols));
  }
  const Result<ByteRange> c_range = internal::CheckOutput<T>("C", c);
  if (!c_range.ok()) return c_range.status();
  const Result<ByteRange> a_range = internal::CheckInput<T>("A", a);
  if (!a_range.ok()) return a_range.status();
  Status status = CheckB(b);
  if (!status.ok()) return status;
  return Status(StatusCode::kInvalidArgument,
                "C overlaps A, B or the bias; the result needs memory of its own (a view of other elements between "
                "them counts as an overlap)");
}

template <typename T, class B>
[[gnu::always_inline]] inline bool IsSound(const MatrixView<const T>& a, const B& b, const MatrixView<T>& c,
                                           const GemmOptions<T>& options) {
  if (a.cols != RowsOf(b) || c.rows != a.rows || c.cols != ColsOf(b) || !Has<T>(options.activation)) return false;
  const ByteRange c_range = internal::RangeOf(c);
  const ByteRange a_range = internal::RangeOf(a);
  const ByteRange b_range = RangeOfB(b);
  return c_range.IsValid() && a_range.IsValid() && b_range.IsValid() && internal::IsWritable(c) &&
         !c_range.Overlaps(a_range) && !c_range.Overlaps(b_range) &&
         (options.bias == nullptr || !c_range.Overlaps(internal::RangeOf(options.bias, c.cols)));
}

template <typename T>
[[gnu::cold]] Status WrongLayout(const GemmPlan& plan, const PackedMatrix<T>& b) {
  return Status(StatusCode::kLayoutMismatch,
                Format("B was packed for {} in panels of {}, the context's kernel ({}) reads panels of {}; pack it "
                       "with the context's kernels, or Repack it",
                       Name(b.tier()), b.nr(), Name(plan.tier), plan.nr));
}

[[gnu::cold]] Status WrongPlan(const GemmShape& shape, Tier tier) {
  return Status(StatusCode::kInvalidArgument,
                Format("the plan is for another product than this one of M={} N={} K={} on {} (type, packing, "
                       "strides and scaling count); make one with PlanGemm for it",
                       shape.m, shape.n, shape.k, Name(tier)));
}

// Whether B lies as the plan reads it.
template <typename T>
bool Lies(const GemmPlan& plan, const MatrixView<const T>& b) {
  if (plan.pack_b != PackB::kInPlace) return plan.pack_b == PackB::kEachCall;
  return plan.n == 1 ? plan.k <= 1 || b.row_stride == 1 : b.col_stride == 1;
}
template <typename T>
bool Lies(const GemmPlan& plan, const PackedMatrix<T>& /*b*/) {
  return plan.pack_b == PackB::kBeforehand;
}

// Whether the plan is for a kernel of the tier and this product. Reads no more of the operands than it must: a small
// product takes not much longer than making its GemmShape.
template <typename T, class B>
[[gnu::always_inline]] inline bool Fits(const GemmPlan& plan, Tier tier, const MatrixView<const T>& a, const B& b,
                                        T alpha) {
  const bool zero = alpha == T{0};
  if (plan.type != kElementType<T> || plan.tier != tier || plan.m != a.rows || plan.n != ColsOf(b) ||
      plan.k != (zero ? 0 : a.cols)) {
    return false;
  }
  // The kernels whose lanes run along K want what they read in place contiguous along K.
  const bool along_k = plan.n == 1 || plan.interleaved || plan.b_in_registers;
  const bool in_place = (zero || alpha == T{1}) && (!along_k || plan.k <= 1 || a.col_stride == 1) &&
                        (!plan.lanes_over_rows || a.row_stride == 1);
  return (in_place || plan.pack_a != PackA::kNo) && Lies(plan, b);
}

// Of sound operands that are not empty, by their own plan.
template <typename T>
[[gnu::always_inline]] inline Status Run(Context& context, const GemmPlan& plan, const MatrixView<const T>& a,
                                         const MatrixView<const T>& b, const MatrixView<T>& c,
                                         const GemmOptions<T>& options) {
  return internal::RunGemm(context, plan, a, b, c, options);
}
template <typename T>
[[gnu::always_inline]] inline Status Run(Context& context, const GemmPlan& plan, const MatrixView<const T>& a,
                                         const PackedMatrix<T>& b, const MatrixView<T>& c,
                                         const GemmOptions<T>& options) {
  // All kernels of a type interleave for the same N, so an equal NR is an equal layout.
  if (b.nr() != plan.nr) return WrongLayout(plan, b);
  return internal::RunGemm(context, plan, a, b, c, options);
}

template <typename T, class B>
[[gnu::always_inline]] inline Status CheckAndRun(Context& context, const MatrixView<const T>& a, const B& b,
                                                 const MatrixView<T>& c, const GemmOptions<T>& options) {
  if (!IsSound(a, b, c, options)) return WhatIsWrong(a, b, c, options.activation);
  return internal::PlanAndRunGemm(context, a, b, c, options);
}

template <typename T, class B>
[[gnu::always_inline]] inline Status CheckAndRun(Context& context, const GemmPlan& plan, const MatrixView<const T>& a,
                                                 const B& b, const MatrixView<T>& c, const GemmOptions<T>& options) {
  if (!IsSound(a, b, c, options)) return WhatIsWrong(a, b, c, options.activation);
  if (c.rows == 0 || c.cols == 0) return Status();
  const Tier tier = internal::GemmRow<T>(context.kernels().table()).tier;
  if (!Fits(plan, tier, a, b, options.alpha)) return WrongPlan(internal::ShapeOf(a, b, options.alpha), tier);
  return Run(context, plan, a, b, c, options);
}

}  // namespace

template <typename T, class B>
Status internal::PlanAndRunGemm(Context& context, const MatrixView<const T>& a, const B& b, const MatrixView<T>& c,
                                const GemmOptions<T>& options) {
  if (c.rows == 0 || c.cols == 0) return Status();
  return Run(context, context.plans().Find(context, ShapeOf(a, b, options.alpha)), a, b, c, options);
}

template <typename T>
Status Gemm(Context& context, const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
            const GemmOptions<T>& options) {
  return CheckAndRun(context, a, b, c, options);
}

template <typename T>
Status Gemm(Context& context, const MatrixView<const T>& a, const PackedMatrix<T>& b, const MatrixView<T>& c,
            const GemmOptions<T>& options) {
  return CheckAndRun(context, a, b, c, options);
}

template <typename T>
Status Gemm(Context& context, const GemmPlan& plan, const MatrixView<const T>& a, const MatrixView<const T>& b,
            const MatrixView<T>& c, const GemmOptions<T>& options) {
  return CheckAndRun(context, plan, a, b, c, options);
}

template <typename T>
Status Gemm(Context& context, const GemmPlan& plan, const MatrixView<const T>& a, const PackedMatrix<T>& b,
            const MatrixView<T>& c, const GemmOptions<T>& options) {
  return CheckAndRun(context, plan, a, b, c, options);
}

#define LANEWISE_INSTANTIATE(T)                                                                                \
  template Status Gemm(Context&, const MatrixView<const T>&, const MatrixView<const T>&, const MatrixView<T>&, \
                       const GemmOptions<T>&);                                                                 \
  template Status Gemm(Context&, const MatrixView<const T>&, const PackedMatrix<T>&, const MatrixView<T>&,     \
                       const GemmOptions<T>&);                                                                 \
  template Status Gemm(Context&, const GemmPlan&, const MatrixView<const T>&, const MatrixView<const T>&,      \
                       const MatrixView<T>&, const GemmOptions<T>&);                                           \
  template Status Gemm(Context&, const GemmPlan&, const MatrixView<const T>&, const PackedMatrix<T>&,          \
                       const MatrixView<T>&, const GemmOptions<T>&);                                           \
  template Status internal::PlanAndRunGemm(Context&, const MatrixView<const T>&, const PackedMatrix<T>&,       \
                                           const MatrixView<T>&, const GemmOptions<T>&);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
LANEWISE_INSTANTIATE(std::int32_t)
LANEWISE_INSTANTIATE(std::int64_t)
#undef LANEWISE_INSTANTIATE

}  // namespace lanewise
