// SPDX-License-Identifier: Apache-2.0

#include "compute.h"

namespace lanewise::cli {

Result<std::unique_ptr<Compute>> Compute::Make(const IsaOption& isa, const ThreadsOption& threads) {
  Result<Kernels> kernels = SelectKernels(isa.Request());
  if (!kernels.ok()) return Status(kernels.status().code(), isa.Origin() + ": " + kernels.status().message());
  const Result<Threads> count = threads.Get();
  if (!count.ok()) return count.status();
  return std::unique_ptr<Compute>(new Compute(*std::move(kernels), count->count));
}

Result<std::vector<Kernels>> SelectionsToCheck(const IsaOption& isa) {
  std::vector<Kernels> selections;
  const std::string request = isa.Request();
  if (!request.empty() && request != "all") {
    Result<Kernels> kernels = SelectKernels(request);
    if (!kernels.ok()) return Status(kernels.status().code(), isa.Origin() + ": " + kernels.status().message());
    selections.push_back(*std::move(kernels));
    return selections;
  }
  for (int t = 0; t < kTierCount; ++t) {
    Result<Kernels> kernels = SelectKernels(Name(static_cast<Tier>(t)));
    if (kernels.ok()) selections.push_back(*std::move(kernels));
  }
  return selections;
}

}  // namespace lanewise::cli
