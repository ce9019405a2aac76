// SPDX-License-Identifier: Apache-2.0
//
// Lanewise behind the interface of its peers.

#pragma once

#include "lanewise/context.h"
#include "lanewise/executor.h"
#include "lanewise/tier.h"
#include "peer.h"

namespace lanewise::peers {

class LanewisePeer final : public Peer {
 public:
  LanewisePeer(Kernels kernels, int threads);

  std::string Name() const override { return "Lanewise"; }
  std::string Version() const override;
  std::vector<Form> Prepare(const Problem<float>& problem) override;
  std::vector<Form> Prepare(const Problem<double>& problem) override;

  Tier tier() const;

 private:
  ThreadPool pool_;
  Context context_;
};

}  // namespace lanewise::peers
