// SPDX-License-Identifier: Apache-2.0
//
// Lanewise as its users call it: the public Gemm, weights packed beforehand, plans made for each call or beforehand.

#include "lanewise_peer.h"

#include <memory>
#include <utility>

#include "fmt/format.h"
#include "lanewise/build_info.h"
#include "lanewise/gemm.h"

namespace lanewise::peers {

namespace {

template <typename T>
MatrixView<const T> View(const T* data, std::ptrdiff_t rows, std::ptrdiff_t cols, bool transposed) {
  return transposed ? MatrixView<const T>(data, cols, rows).Transposed() : MatrixView<const T>(data, rows, cols);
}

template <typename T>
std::vector<Form> Forms(Context& context, const Problem<T>& p) {
  const MatrixView<const T> a = View(p.a, p.m, p.k, p.a_transposed);
  const MatrixView<const T> b = View(p.b, p.k, p.n, p.b_transposed);
  const MatrixView<T> c(p.c, p.m, p.n);
  const GemmOptions<T> options = {.bias = p.bias,
                                  .activation = p.activation == Activation::kSigmoid ? lanewise::Activation::kSigmoid
                                                                                     : lanewise::Activation::kIdentity};
  // An error leaves C as it was, which the comparison of the results finds.
  if (!p.constant_b) {
    const GemmPlan plan = PlanGemm({.type = sizeof(T) == 4 ? ElementType::kF32 : ElementType::kF64,
                                    .m = p.m,
                                    .n = p.n,
                                    .k = p.k,
                                    .a_row_stride = a.row_stride,
                                    .a_k_stride = a.col_stride,
                                    .b_k_stride = b.row_stride,
                                    .b_column_stride = b.col_stride},
                                   context.kernels(), context.machine(), context.executor().Threads());
    return {{"Gemm", [&context, a, b, c, options] { (void)Gemm<T>(context, a, b, c, options); }},
            {"Gemm, planned", [&context, plan, a, b, c, options] { (void)Gemm<T>(context, plan, a, b, c, options); }}};
  }
  Result<PackedMatrix<T>> packed = PackedMatrix<T>::Pack(context.kernels(), b);
  if (!packed.ok()) return {};
  return {{"Gemm, packed", [&context, a, w = std::make_shared<PackedMatrix<T>>(*std::move(packed)), c, options] {
             (void)Gemm<T>(context, a, *w, c, options);
           }}};
}

}  // namespace

LanewisePeer::LanewisePeer(Kernels kernels, int threads) : pool_(threads), context_(std::move(kernels), pool_) {}

std::string LanewisePeer::Version() const { return fmt::format("{}, {}", ThisBuild().version, lanewise::Name(tier())); }

Tier LanewisePeer::tier() const { return *context_.kernels().TierOf("gemm_f32"); }

std::vector<Form> LanewisePeer::Prepare(const Problem<float>& problem) { return Forms(context_, problem); }
std::vector<Form> LanewisePeer::Prepare(const Problem<double>& problem) { return Forms(context_, problem); }

}  // namespace lanewise::peers
