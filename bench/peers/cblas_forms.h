// SPDX-License-Identifier: Apache-2.0
//
// How a library with the C interface to BLAS computes a problem. Included behind such a library's own header.

#pragma once

#include <algorithm>

#include "peer.h"

namespace lanewise::peers {

inline void CblasGemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const float* a, int lda,
                      const float* b, int ldb, float beta, float* c) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, beta, c, n);
}

inline void CblasGemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const double* a, int lda,
                      const double* b, int ldb, double beta, double* c) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, beta, c, n);
}

inline void CblasGemv(CBLAS_TRANSPOSE trans, int rows, int cols, const float* b, const float* x, float beta, float* y) {
  cblas_sgemv(CblasRowMajor, trans, rows, cols, 1, b, cols, x, 1, beta, y, 1);
}

inline void CblasGemv(CBLAS_TRANSPOSE trans, int rows, int cols, const double* b, const double* x, double beta,
                      double* y) {
  cblas_dgemv(CblasRowMajor, trans, rows, cols, 1, b, cols, x, 1, beta, y, 1);
}

template <typename T>
void CopyBias(const Problem<T>& p) {
  for (std::ptrdiff_t i = 0; i < p.m; ++i) std::copy_n(p.bias, p.n, p.c + i * p.n);
}

template <typename T>
void AddBias(const Problem<T>& p) {
  for (std::ptrdiff_t i = 0; i < p.m; ++i) {
    T* __restrict c = p.c + i * p.n;
    for (std::ptrdiff_t j = 0; j < p.n; ++j) c[j] += p.bias[j];
  }
}

// `gemm(beta)` computes op(A) * op(B) + beta * C. A bias is added after it, or lies in C before it: which is faster
// depends on the library.
template <typename T, class Gemm>
void AddFormsWithBias(const std::string& name, const Problem<T>& p, const Gemm& gemm, std::vector<Form>& forms) {
  if (p.bias == nullptr) {
    forms.push_back({name, [gemm] { gemm(T{0}); }});
    return;
  }
  forms.push_back({name + ", bias after", [gemm, p] {
                     gemm(T{0});
                     AddBias(p);
                   }});
  forms.push_back({name + ", bias before", [gemm, p] {
                     CopyBias(p);
                     gemm(T{1});
                   }});
}

template <typename T>
std::vector<Form> CblasForms(const Problem<T>& p) {
  std::vector<Form> forms;
  if (p.activation != Activation::kNone) return forms;
  const int m = static_cast<int>(p.m);
  const int n = static_cast<int>(p.n);
  const int k = static_cast<int>(p.k);
  const auto gemm = [=](T beta) {
    CblasGemm(p.a_transposed ? CblasTrans : CblasNoTrans, p.b_transposed ? CblasTrans : CblasNoTrans, m, n, k, p.a,
              p.a_transposed ? m : k, p.b, p.b_transposed ? k : n, beta, p.c);
  };
  AddFormsWithBias("gemm", p, gemm, forms);
  if (m == 1) {
    const auto gemv = [=](T beta) {
      if (p.b_transposed) {
        CblasGemv(CblasNoTrans, n, k, p.b, p.a, beta, p.c);
      } else {
        CblasGemv(CblasTrans, k, n, p.b, p.a, beta, p.c);
      }
    };
    AddFormsWithBias("gemv", p, gemv, forms);
  }
  return forms;
}

}  // namespace lanewise::peers
