// SPDX-License-Identifier: Apache-2.0
//
// OpenBLAS. It packs B in every call and has no interface for packed weights.

#include <cblas.h>

#include "cblas_forms.h"

namespace lanewise::peers {

namespace {

class OpenBlas final : public Peer {
 public:
  explicit OpenBlas(int threads) { openblas_set_num_threads(threads); }

  std::string Name() const override { return "OpenBLAS"; }
  std::string Version() const override {
    return std::string(openblas_get_config()) + ", kernels " + openblas_get_corename();
  }
  std::vector<Form> Prepare(const Problem<float>& p) override { return CblasForms(p); }
  std::vector<Form> Prepare(const Problem<double>& p) override { return CblasForms(p); }
};

}  // namespace

}  // namespace lanewise::peers

LANEWISE_EXPORT_PEER(lanewise::peers::OpenBlas)
