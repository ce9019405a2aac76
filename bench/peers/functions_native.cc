// SPDX-License-Identifier: Apache-2.0
//
// Libraries whose functions take vectors or are templates: like eigen.cc compiled for the building machine's
// instruction sets, and so not linted. What such a library lacks is put together from what it has, as its users would.

#include "functions.h"

#ifdef __x86_64__

#include <immintrin.h>

#include <cstring>

#ifdef LANEWISE_HAVE_EIGEN
#include <Eigen/Core>
#endif
#ifdef LANEWISE_HAVE_SLEEF
#include <sleef.h>
#endif
// For the building machine alone, in headers only.
#define HWY_COMPILE_ONLY_STATIC
#define HWY_IS_DEBUG_BUILD 0
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

#ifdef __AVX512F__
#define LANEWISE_WIDTH(for_16, for_8) for_16
using Vector = __m512;
extern "C" {
Vector _ZGVeN16v_expf(Vector);
Vector _ZGVeN16v_logf(Vector);
Vector _ZGVeN16v_log1pf(Vector);
Vector _ZGVeN16v_tanhf(Vector);
}
#else
#define LANEWISE_WIDTH(for_16, for_8) for_8
using Vector = __m256;
extern "C" {
Vector _ZGVdN8v_expf(Vector);
Vector _ZGVdN8v_logf(Vector);
Vector _ZGVdN8v_log1pf(Vector);
Vector _ZGVdN8v_tanhf(Vector);
}
#endif

namespace lanewise::peers {

namespace {

constexpr std::size_t kLanes = sizeof(Vector) / sizeof(float);

// y = f(x), a vector at a time; the rest is padded.
template <class F>
void ForVectors(const F& f, const float* x, float* y, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    Vector v;
    std::memcpy(&v, x + i, sizeof(v));
    v = f(v);
    std::memcpy(y + i, &v, sizeof(v));
  }
  if (i == n) return;
  Vector v = {};
  std::memcpy(&v, x + i, (n - i) * sizeof(float));
  v = f(v);
  std::memcpy(y + i, &v, (n - i) * sizeof(float));
}

template <class F>
void Add(std::vector<FunctionPeer>& peers, const char* library, const char* function, F f) {
  peers.push_back({library, function, [f](const float* x, float* y, std::size_t n) { ForVectors(f, x, y, n); }});
}

// From an exp.
template <class F>
void AddSigmoid(std::vector<FunctionPeer>& peers, const char* library, F exp) {
  Add(peers, library, "sigmoid", [exp](Vector x) { return 1 / (1 + exp(-x)); });
}

void AddLibmvec(std::vector<FunctionPeer>& peers) {
  const auto exp = [](Vector x) { return LANEWISE_WIDTH(_ZGVeN16v_expf, _ZGVdN8v_expf)(x); };
  Add(peers, "libmvec", "exp", exp);
  Add(peers, "libmvec", "log", [](Vector x) { return LANEWISE_WIDTH(_ZGVeN16v_logf, _ZGVdN8v_logf)(x); });
  Add(peers, "libmvec", "log1p", [](Vector x) { return LANEWISE_WIDTH(_ZGVeN16v_log1pf, _ZGVdN8v_log1pf)(x); });
  AddSigmoid(peers, "libmvec", exp);
  Add(peers, "libmvec", "tanh", [](Vector x) { return LANEWISE_WIDTH(_ZGVeN16v_tanhf, _ZGVdN8v_tanhf)(x); });
}

#ifdef LANEWISE_HAVE_SLEEF
void AddSleef(std::vector<FunctionPeer>& peers) {
  const auto exp = [](Vector x) { return LANEWISE_WIDTH(Sleef_expf16_u10, Sleef_expf8_u10)(x); };
  Add(peers, "SLEEF u10", "exp", exp);
  Add(peers, "SLEEF u10", "log", [](Vector x) { return LANEWISE_WIDTH(Sleef_logf16_u10, Sleef_logf8_u10)(x); });
  Add(peers, "SLEEF u10", "log1p", [](Vector x) { return LANEWISE_WIDTH(Sleef_log1pf16_u10, Sleef_log1pf8_u10)(x); });
  AddSigmoid(peers, "SLEEF u10", exp);
  Add(peers, "SLEEF u10", "tanh", [](Vector x) { return LANEWISE_WIDTH(Sleef_tanhf16_u10, Sleef_tanhf8_u10)(x); });
  Add(peers, "SLEEF u35", "log", [](Vector x) { return LANEWISE_WIDTH(Sleef_logf16_u35, Sleef_logf8_u35)(x); });
  Add(peers, "SLEEF u35", "tanh", [](Vector x) { return LANEWISE_WIDTH(Sleef_tanhf16_u35, Sleef_tanhf8_u35)(x); });
}
#endif

namespace hn = hwy::HWY_NAMESPACE;

void AddHighway(std::vector<FunctionPeer>& peers) {
  static const hn::ScalableTag<float> d;
  const auto wrap = [](auto f) {
    return [f](Vector x) {
      hn::Vec<hn::ScalableTag<float>> v{x};
      return f(v).raw;
    };
  };
  const auto exp = wrap([](auto v) { return hn::Exp(d, v); });
  Add(peers, "Highway", "exp", exp);
  Add(peers, "Highway", "log", wrap([](auto v) { return hn::Log(d, v); }));
  Add(peers, "Highway", "log1p", wrap([](auto v) { return hn::Log1p(d, v); }));
  AddSigmoid(peers, "Highway", exp);
  Add(peers, "Highway", "tanh", wrap([](auto v) { return hn::Tanh(d, v); }));
}

#ifdef LANEWISE_HAVE_EIGEN
template <class F>
void AddEigen(std::vector<FunctionPeer>& peers, const char* function, F f) {
  using Array = Eigen::Array<float, Eigen::Dynamic, 1>;
  peers.push_back({"Eigen", function, [f](const float* x, float* y, std::size_t n) {
                     const auto size = static_cast<Eigen::Index>(n);
                     Eigen::Map<Array>(y, size) = f(Eigen::Map<const Array>(x, size));
                   }});
}

void AddEigen(std::vector<FunctionPeer>& peers) {
  AddEigen(peers, "exp", [](const auto& x) { return x.exp(); });
  AddEigen(peers, "log", [](const auto& x) { return x.log(); });
  AddEigen(peers, "log1p", [](const auto& x) { return x.log1p(); });
  AddEigen(peers, "sigmoid", [](const auto& x) { return x.logistic(); });
  AddEigen(peers, "tanh", [](const auto& x) { return x.tanh(); });
}
#endif

}  // namespace

std::vector<FunctionPeer> NativeFunctions() {
  std::vector<FunctionPeer> peers;
#ifdef LANEWISE_HAVE_SLEEF
  AddSleef(peers);
#endif
  AddLibmvec(peers);
  AddHighway(peers);
#ifdef LANEWISE_HAVE_EIGEN
  AddEigen(peers);
#endif
  return peers;
}

}  // namespace lanewise::peers

#else

namespace lanewise::peers {
std::vector<FunctionPeer> NativeFunctions() { return {}; }
}  // namespace lanewise::peers

#endif
