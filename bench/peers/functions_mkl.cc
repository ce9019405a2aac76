// SPDX-License-Identifier: Apache-2.0
//
// MKL's vector mathematics (VML): its modes of high accuracy, and of lower (up to 4 ULP).

#include "functions.h"

#ifdef LANEWISE_HAVE_MKL

#include <mkl.h>

#include <algorithm>

namespace lanewise::peers {

namespace {

constexpr MKL_INT64 kMode = VML_FTZDAZ_OFF | VML_ERRMODE_IGNORE;

// A whole array.
template <class F>
void Add(std::vector<FunctionPeer>& peers, const char* library, const char* function, F f) {
  peers.push_back(
      {library, function, [f](const float* x, float* y, std::size_t n) { f(static_cast<MKL_INT>(n), x, y); }});
}

void Add(std::vector<FunctionPeer>& peers, const char* library, MKL_INT64 mode) {
  mode |= kMode;
  Add(peers, library, "exp", [mode](MKL_INT n, const float* x, float* y) { vmsExp(n, x, y, mode); });
  Add(peers, library, "log", [mode](MKL_INT n, const float* x, float* y) { vmsLn(n, x, y, mode); });
  Add(peers, library, "log1p", [mode](MKL_INT n, const float* x, float* y) { vmsLog1p(n, x, y, mode); });
  Add(peers, library, "tanh", [mode](MKL_INT n, const float* x, float* y) { vmsTanh(n, x, y, mode); });
  // It has no sigmoid: as its users would write it, in pieces that stay in L1.
  Add(peers, library, "sigmoid", [mode](MKL_INT n, const float* x, float* y) {
    constexpr MKL_INT kPiece = 1024;
    for (MKL_INT i = 0; i < n; i += kPiece) {
      const MKL_INT count = std::min(kPiece, n - i);
      for (MKL_INT j = i; j < i + count; ++j) y[j] = -x[j];
      vmsExp(count, y + i, y + i, mode);
      for (MKL_INT j = i; j < i + count; ++j) y[j] = 1 / (1 + y[j]);
    }
  });
}

}  // namespace

std::vector<FunctionPeer> MklFunctions() {
  mkl_set_threading_layer(MKL_THREADING_SEQUENTIAL);
  std::vector<FunctionPeer> peers;
  Add(peers, "MKL HA", VML_HA);
  Add(peers, "MKL LA", VML_LA);
  return peers;
}

}  // namespace lanewise::peers

#else

namespace lanewise::peers {
std::vector<FunctionPeer> MklFunctions() { return {}; }
}  // namespace lanewise::peers

#endif
