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

}  // namespace lanewise::cli
