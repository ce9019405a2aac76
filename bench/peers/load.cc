// SPDX-License-Identifier: Apache-2.0
//
// Loading; declared in load.h.

#include "load.h"

#include <dlfcn.h>
#include <stdlib.h>  // setenv
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

namespace lanewise::peers {

namespace {

constexpr const char* kPeers[] = {LANEWISE_PEERS};

// The libraries' own variables, and OpenMP's.
constexpr std::string_view kPrefixes[] = {"OPENBLAS_", "BLIS_",    "MKL_", "DNNL_",
                                          "ONEDNN_",   "LIBXSMM_", "OMP_", "GOMP_"};

// What is set already, on some machines for all programs, would tell some libraries and not others what to do.
void ClearEnvironment() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable = *entry;
    for (const std::string_view prefix : kPrefixes) {
      if (variable.starts_with(prefix)) names.emplace_back(variable.substr(0, variable.find('=')));
    }
  }
  for (const std::string& name : names) unsetenv(name.c_str());
}

void SetEnvironment(int threads) {
  ClearEnvironment();
  const std::string count = std::to_string(threads);
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "MKL_NUM_THREADS"}) {
    setenv(name, count.c_str(), 1);
  }
  // MKL's own OpenMP would come from another package.
  setenv("MKL_THREADING_LAYER", threads > 1 ? "GNU" : "SEQUENTIAL", 1);
#if defined(__x86_64__)
  // Both know CPUs by their models and take those that are newer than they are for something less: for Haswell, or for
  // no CPU in particular.
  if (__builtin_cpu_supports("avx512bw")) {
    setenv("OPENBLAS_CORETYPE", "SKYLAKEX", 1);
    setenv("BLIS_ARCH_TYPE", "0", 1);  // skx, in the numbering of 0.9
  }
#endif
}

}  // namespace

std::vector<std::unique_ptr<Peer>> LoadPeers(int threads) {
  SetEnvironment(threads);
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  std::vector<std::unique_ptr<Peer>> peers;
  for (const char* name : kPeers) {
    const std::string path = (folder / name).string();
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    void* make = library != nullptr ? dlsym(library, kMakePeer) : nullptr;
    if (make == nullptr) {
      std::fprintf(stderr, "lanewise-peers: left out: %s\n", dlerror());
      continue;
    }
    peers.emplace_back(reinterpret_cast<Peer* (*)(int)>(make)(threads));
  }
  return peers;
}

}  // namespace lanewise::peers
