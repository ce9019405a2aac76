// SPDX-License-Identifier: Apache-2.0
//
// Loads the peers that were built, each in a scope of its own.

#pragma once

#include <memory>
#include <vector>

#include "peer.h"

namespace lanewise::peers {

// Tells the libraries through their environment variables, in place of any that are set, to use `threads` threads, and
// those that do not know this CPU which of their kernels suit it best; then loads them. Those that cannot be loaded are
// named on stderr and left out. They stay loaded.
std::vector<std::unique_ptr<Peer>> LoadPeers(int threads);

}  // namespace lanewise::peers
