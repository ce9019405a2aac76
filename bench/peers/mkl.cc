// SPDX-License-Identifier: Apache-2.0
//
// MKL: weights packed by its own interface, small products by its generator.

#include <mkl.h>

#include <memory>
#include <type_traits>

#include "cblas_forms.h"

namespace lanewise::peers {

namespace {

float* Allocate(float, CBLAS_IDENTIFIER id, int m, int n, int k) {
  return static_cast<float*>(mkl_malloc(cblas_sgemm_pack_get_size(id, m, n, k), 64));
}
double* Allocate(double, CBLAS_IDENTIFIER id, int m, int n, int k) {
  return static_cast<double*>(mkl_malloc(cblas_dgemm_pack_get_size(id, m, n, k), 64));
}
void PackB(CBLAS_TRANSPOSE trans, int m, int n, int k, const float* b, int ldb, float* to) {
  cblas_sgemm_pack(CblasRowMajor, CblasBMatrix, trans, m, n, k, 1, b, ldb, to);
}
void PackB(CBLAS_TRANSPOSE trans, int m, int n, int k, const double* b, int ldb, double* to) {
  cblas_dgemm_pack(CblasRowMajor, CblasBMatrix, trans, m, n, k, 1, b, ldb, to);
}
void Packed(int m, int n, int k, const float* a, const float* b, int ldb, float beta, float* c) {
  cblas_sgemm_compute(CblasRowMajor, CblasNoTrans, CblasPacked, m, n, k, a, k, b, ldb, beta, c, n);
}
void Packed(int m, int n, int k, const double* a, const double* b, int ldb, double beta, double* c) {
  cblas_dgemm_compute(CblasRowMajor, CblasNoTrans, CblasPacked, m, n, k, a, k, b, ldb, beta, c, n);
}

template <typename T>
void AddPacked(const Problem<T>& p, std::vector<Form>& forms) {
  const int m = static_cast<int>(p.m);
  const int n = static_cast<int>(p.n);
  const int k = static_cast<int>(p.k);
  const int ldb = p.b_transposed ? k : n;
  const std::shared_ptr<T> packed(Allocate(T{}, CblasBMatrix, m, n, k), mkl_free);
  PackB(p.b_transposed ? CblasTrans : CblasNoTrans, m, n, k, p.b, ldb, packed.get());
  const auto gemm = [=](T beta) { Packed(m, n, k, p.a, packed.get(), ldb, beta, p.c); };
  AddFormsWithBias("packed", p, gemm, forms);
}

mkl_jit_status_t Generate(void** jitter, MKL_TRANSPOSE ta, MKL_TRANSPOSE tb, int m, int n, int k, int lda, int ldb,
                          float beta) {
  return mkl_jit_create_sgemm(jitter, MKL_ROW_MAJOR, ta, tb, m, n, k, 1, lda, ldb, beta, n);
}
mkl_jit_status_t Generate(void** jitter, MKL_TRANSPOSE ta, MKL_TRANSPOSE tb, int m, int n, int k, int lda, int ldb,
                          double beta) {
  return mkl_jit_create_dgemm(jitter, MKL_ROW_MAJOR, ta, tb, m, n, k, 1, lda, ldb, beta, n);
}
sgemm_jit_kernel_t KernelOf(const void* jitter, float) { return mkl_jit_get_sgemm_ptr(jitter); }
dgemm_jit_kernel_t KernelOf(const void* jitter, double) { return mkl_jit_get_dgemm_ptr(jitter); }

template <typename T>
void AddGenerated(const Problem<T>& p, std::vector<Form>& forms) {
  const int m = static_cast<int>(p.m);
  const int n = static_cast<int>(p.n);
  const int k = static_cast<int>(p.k);
  const T beta = p.bias == nullptr ? 0 : 1;
  void* made = nullptr;
  if (Generate(&made, p.a_transposed ? MKL_TRANS : MKL_NOTRANS, p.b_transposed ? MKL_TRANS : MKL_NOTRANS, m, n, k,
               p.a_transposed ? m : k, p.b_transposed ? k : n, beta) == MKL_JIT_ERROR) {
    return;
  }
  const std::shared_ptr<void> jitter(made, mkl_jit_destroy);
  const auto kernel = KernelOf(made, T{});
  forms.push_back({"generated", [=] {
                     if (p.bias != nullptr) CopyBias(p);
                     kernel(jitter.get(), const_cast<T*>(p.a), const_cast<T*>(p.b), p.c);
                   }});
}

template <typename T>
std::vector<Form> Forms(const Problem<T>& p) {
  std::vector<Form> forms = CblasForms(p);
  if (forms.empty()) return forms;
  if (p.constant_b && !p.a_transposed) AddPacked(p, forms);
  AddGenerated(p, forms);
  return forms;
}

class Mkl final : public Peer {
 public:
  explicit Mkl(int threads) {
    mkl_set_dynamic(0);
    mkl_set_num_threads(threads);
  }

  std::string Name() const override { return "MKL"; }
  std::string Version() const override {
    char text[256];
    mkl_get_version_string(text, sizeof(text));
    return text;
  }
  std::vector<Form> Prepare(const Problem<float>& p) override { return Forms(p); }
  std::vector<Form> Prepare(const Problem<double>& p) override { return Forms(p); }
};

}  // namespace

}  // namespace lanewise::peers

LANEWISE_EXPORT_PEER(lanewise::peers::Mkl)
