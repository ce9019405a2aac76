// SPDX-License-Identifier: Apache-2.0
//
// LIBXSMM: kernels generated for the exact sizes, beforehand; on one thread. It is column-major: it computes
// C' = op(B)' op(A)'.

#include <libxsmm.h>

#include <algorithm>
#include <memory>
#include <type_traits>
#include <vector>

#include "peer.h"

namespace lanewise::peers {

namespace {

// Runs up to this many columns of B per call, from panels of contiguous memory: four zmm registers, with six rows of A
// the tile that its generator makes best.
constexpr int kPanelBytes = 256;
// Rows of A per call on panels: a multiple of six that keeps A's rows in L1 up to K of about 128.
constexpr int kRows = 48;

template <typename T>
using Kernel = std::conditional_t<sizeof(T) == 4, libxsmm_smmfunction, libxsmm_dmmfunction>;

// Null if the generator refuses.
template <typename T>
Kernel<T> Generate(int n, int m, int k, int ldb, int lda, int ldc, int flags, bool add) {
  const T one = 1;
  const T beta = add ? 1 : 0;
  if constexpr (sizeof(T) == 4) {
    return libxsmm_smmdispatch(n, m, k, &ldb, &lda, &ldc, &one, &beta, &flags, nullptr);
  } else {
    return libxsmm_dmmdispatch(n, m, k, &ldb, &lda, &ldc, &one, &beta, &flags, nullptr);
  }
}

template <typename T>
void CopyBias(const Problem<T>& p) {
  for (std::ptrdiff_t i = 0; i < p.m; ++i) std::copy_n(p.bias, p.n, p.c + i * p.n);
}

// One kernel for the whole product.
template <typename T>
void AddWhole(const Problem<T>& p, std::vector<Form>& forms) {
  const int m = static_cast<int>(p.m);
  const int n = static_cast<int>(p.n);
  const int k = static_cast<int>(p.k);
  const bool add = p.bias != nullptr;
  const int flags = (p.b_transposed ? LIBXSMM_GEMM_FLAG_TRANS_A : 0) | (p.a_transposed ? LIBXSMM_GEMM_FLAG_TRANS_B : 0);
  const Kernel<T> kernel = Generate<T>(n, m, k, p.b_transposed ? k : n, p.a_transposed ? m : k, n, flags, add);
  if (kernel == nullptr) return;
  forms.push_back({"one kernel", [=] {
                     if (add) CopyBias(p);
                     kernel(p.b, p.a, p.c);
                   }});
}

// Weights in panels of columns, each panel contiguous, with kernels for the inner and the last panel and rows.
template <typename T>
void AddPanels(const Problem<T>& p, std::vector<Form>& forms) {
  constexpr int kPanel = kPanelBytes / sizeof(T);
  const int m = static_cast<int>(p.m);
  const int n = static_cast<int>(p.n);
  const int k = static_cast<int>(p.k);
  const bool add = p.bias != nullptr;
  auto panels = std::make_shared<std::vector<T>>(static_cast<std::size_t>(p.n * p.k));
  T* to = panels->data();
  for (int j = 0; j < n; j += kPanel) {
    const int cols = std::min(kPanel, n - j);
    for (int i = 0; i < k; ++i) to = std::copy_n(p.b + static_cast<std::ptrdiff_t>(i) * n + j, cols, to);
  }
  Kernel<T> kernels[2][2];  // [last panel][last rows]
  const int last_cols = (n - 1) % kPanel + 1;
  const int last_rows = (m - 1) % kRows + 1;
  for (const bool last_panel : {false, true}) {
    const int cols = last_panel ? last_cols : std::min(kPanel, n);
    for (const bool last : {false, true}) {
      const int rows = last ? last_rows : std::min(kRows, m);
      Kernel<T> kernel = Generate<T>(cols, rows, k, cols, k, n, LIBXSMM_GEMM_FLAG_NONE, add);
      if (kernel == nullptr) return;
      kernels[last_panel][last] = kernel;
    }
  }
  forms.push_back({"panels", [=, k00 = kernels[0][0], k01 = kernels[0][1], k10 = kernels[1][0], k11 = kernels[1][1]] {
                     if (add) CopyBias(p);
                     const T* panel = panels->data();
                     for (int j = 0; j < n; j += kPanel) {
                       const bool last_panel = n - j <= kPanel;
                       const Kernel<T> inner = last_panel ? k10 : k00;
                       const Kernel<T> last = last_panel ? k11 : k01;
                       int i = 0;
                       for (; m - i > kRows; i += kRows) inner(panel, p.a + i * p.k, p.c + i * p.n + j);
                       last(panel, p.a + i * p.k, p.c + i * p.n + j);
                       panel += p.k * std::min(kPanel, n - j);
                     }
                   }});
}

template <typename T>
std::vector<Form> Forms(const Problem<T>& p) {
  std::vector<Form> forms;
  if (p.activation != Activation::kNone) return forms;
  AddWhole(p, forms);
  if (p.constant_b && !p.a_transposed && !p.b_transposed) AddPanels(p, forms);
  return forms;
}

class Libxsmm final : public Peer {
 public:
  explicit Libxsmm(int threads) : threads_(threads) { libxsmm_init(); }

  std::string Name() const override { return "LIBXSMM"; }
  std::string Version() const override { return std::string(LIBXSMM_VERSION) + ", " + libxsmm_get_target_arch(); }
  std::vector<Form> Prepare(const Problem<float>& p) override { return threads_ == 1 ? Forms(p) : std::vector<Form>(); }
  std::vector<Form> Prepare(const Problem<double>& p) override {
    return threads_ == 1 ? Forms(p) : std::vector<Form>();
  }

 private:
  int threads_;
};

}  // namespace

}  // namespace lanewise::peers

LANEWISE_EXPORT_PEER(lanewise::peers::Libxsmm)
