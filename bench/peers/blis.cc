// SPDX-License-Identifier: Apache-2.0
//
// BLIS. It packs in every call where its kernels want it; 0.9 has no interface for packed weights.

#include <blis.h>
#include <cblas.h>

#include "cblas_forms.h"

namespace lanewise::peers {

namespace {

class Blis final : public Peer {
 public:
  explicit Blis(int threads) { bli_thread_set_num_threads(threads); }

  std::string Name() const override { return "BLIS"; }
  std::string Version() const override {
    return std::string(bli_info_get_version_str()) + ", kernels " + bli_arch_string(bli_arch_query_id());
  }
  std::vector<Form> Prepare(const Problem<float>& p) override { return CblasForms(p); }
  std::vector<Form> Prepare(const Problem<double>& p) override { return CblasForms(p); }
};

}  // namespace

}  // namespace lanewise::peers

LANEWISE_EXPORT_PEER(lanewise::peers::Blis)
