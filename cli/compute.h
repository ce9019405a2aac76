// SPDX-License-Identifier: Apache-2.0
//
// What computes: kernels and threads, as --isa and --threads ask for them.

#pragma once

#include <memory>
#include <vector>

#include "lanewise/context.h"
#include "lanewise/executor.h"
#include "lanewise/status.h"
#include "options.h"

namespace lanewise::cli {

class Compute {
 public:
  // The message of an error names the flag or the variable that asked for the impossible.
  static Result<std::unique_ptr<Compute>> Make(const IsaOption& isa, const ThreadsOption& threads);

  Context& context() { return context_; }
  const Kernels& kernels() const { return context_.kernels(); }
  int threads() const { return pool_.Threads(); }

 private:
  Compute(Kernels kernels, int threads) : pool_(threads), context_(std::move(kernels), pool_) {}

  ThreadPool pool_;
  Context context_;
};

// The selections that a check goes through, one after the other: what --isa or LANEWISE_ISA asks for; without a request
// and for "all", each tier that runs here. The message of an error names the flag or the variable.
Result<std::vector<Kernels>> SelectionsToCheck(const IsaOption& isa);

}  // namespace lanewise::cli
