// SPDX-License-Identifier: Apache-2.0
//
// What the comparison asks of a library: to name itself and to prepare products. Each peer is a shared object of its
// own, so that libraries that export the same names (cblas_sgemm) can be compared in one process, and this header is
// all that both sides share. Knows neither Lanewise nor any peer.

#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace lanewise::peers {

enum class Activation { kNone, kSigmoid };

// C = act(op(A) * op(B) + bias): C is m x n, op(A) m x k, op(B) k x n, all row-major and dense. The arrays are the
// caller's and stay where they are as long as what was prepared from them is used.
template <typename T>
struct Problem {
  std::ptrdiff_t m, n, k;
  const T* a;
  const T* b;
  const T* bias;      // n values; none if null
  T* c;               // overwritten
  bool a_transposed;  // a is stored as k x m
  bool b_transposed;  // b is stored as n x k
  bool constant_b;    // b is a layer's weights: laying it out anew is not part of the work
  Activation activation;
};

// One way to compute a problem; run does it once.
struct Form {
  std::string name;
  std::function<void()> run;
};

class Peer {
 public:
  Peer() = default;
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  virtual ~Peer() = default;

  virtual std::string Name() const = 0;
  virtual std::string Version() const = 0;  // and what it runs on this CPU, where the library tells

  // The ways that may be the library's fastest; none if it cannot compute the problem.
  virtual std::vector<Form> Prepare(const Problem<float>& problem) = 0;
  virtual std::vector<Form> Prepare(const Problem<double>& problem) = 0;
};

// The one symbol that a peer's shared object exports.
inline constexpr const char* kMakePeer = "LanewiseMakePeer";

}  // namespace lanewise::peers

#define LANEWISE_EXPORT_PEER(type)                                                                        \
  extern "C" __attribute__((visibility("default"))) lanewise::peers::Peer* LanewiseMakePeer(int threads); \
  lanewise::peers::Peer* LanewiseMakePeer(int threads) { return new type(threads); }
