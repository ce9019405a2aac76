// SPDX-License-Identifier: Apache-2.0
//
// Asks for kernels and prints what was chosen:  which_kernels [REQUEST]

#include <cstdio>

#include "lanewise/isa.h"

int main(int argc, char** argv) {
  const lanewise::Result<lanewise::Kernels> kernels = lanewise::SelectKernels(argc > 1 ? argv[1] : "");
  if (!kernels.ok()) {
    std::fprintf(stderr, "which_kernels: error: %s\n", kernels.status().message().c_str());
    return 1;
  }
  std::printf("%s\n", std::string(kernels->TierName()).c_str());
}
