// SPDX-License-Identifier: Apache-2.0
//
// Elementwise kernels whose operations are the definition: ReLU, the derivatives, the optimizer's step, the conversion
// of bytes. Each is exactly the IEEE operations written here, on every tier; only the fused ones differ by class.

#if defined(LANEWISE_ARITHMETIC_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_ARITHMETIC_INL_H_
#undef LANEWISE_ARITHMETIC_INL_H_
#else
#define LANEWISE_ARITHMETIC_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "elementwise-inl.h"
#include "hwy/highway.h"
#include "kernel_table.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {

// x < 0 ? +0 : x, which leaves -0 and NaN as they are.
struct Relu {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Zero(d), x);
  }
};

// y <= 0 ? +0 : dy
struct ReluGradient {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V y, V dy) const {
    return hn::IfThenElse(hn::Le(y, hn::Zero(d)), hn::Zero(d), dy);
  }
};

// x < 0 ? slope * x : x
struct LeakyRelu {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    const V slope = hn::Set(d, static_cast<hn::TFromD<D>>(kernels::kLeakyReluSlope));
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(slope, x), x);
  }
};

// y <= 0 ? slope * dy : dy
struct LeakyReluGradient {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V y, V dy) const {
    const V slope = hn::Set(d, static_cast<hn::TFromD<D>>(kernels::kLeakyReluSlope));
    return hn::IfThenElse(hn::Le(y, hn::Zero(d)), hn::Mul(slope, dy), dy);
  }
};

// dy * y
struct ExpGradient {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D /*d*/, V y, V dy) const {
    return hn::Mul(dy, y);
  }
};

// dy / x
struct LogGradient {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D /*d*/, V x, V dy) const {
    return hn::Div(dy, x);
  }
};

// dy * (y * (1 - y))
struct SigmoidGradient {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V y, V dy) const {
    return hn::Mul(dy, hn::Mul(y, hn::Sub(hn::Set(d, 1), y)));
  }
};

// dy * ((1 - y) * (1 + y)), which is accurate near |y| = 1 where 1 - y^2 cancels.
struct TanhGradient {
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V y, V dy) const {
    const V one = hn::Set(d, 1);
    return hn::Mul(dy, hn::Mul(hn::Sub(one, y), hn::Add(one, y)));
  }
};

// The body of a UnaryKernel.
template <typename T, class F>
void RunUnary(const T* x, T* y, std::size_t n) {
  Map(hn::ScalableTag<T>(), F(), y, n, x);
}

// The body of a GradientKernel.
template <typename T, class F>
void RunGradient(const T* saved, const T* dy, T* dx, std::size_t n) {
  Map(hn::ScalableTag<T>(), F(), dx, n, saved, dy);
}

// v = mu * v + g
template <typename T>
struct Velocity {
  T mu;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V v, V g) const {
    return hn::MulAdd(hn::Set(d, mu), v, g);
  }
};

// w = w - lr * v
template <typename T>
struct Descent {
  T lr;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V w, V v) const {
    return hn::NegMulAdd(hn::Set(d, lr), v, w);
  }
};

// The body of an SgdKernel. In blocks, so that the second step finds the velocities in L1.
template <typename T>
void RunSgd(T* w, T* v, const T* g, std::size_t n, T lr, T mu) {
  constexpr std::size_t kBlock = 1024;
  const hn::ScalableTag<T> d;
  for (std::size_t i = 0; i < n; i += kBlock) {
    const std::size_t count = HWY_MIN(kBlock, n - i);
    Map(d, Velocity<T>{mu}, v + i, count, v + i, g + i);
    Map(d, Descent<T>{lr}, w + i, count, w + i, v + i);
  }
}

template <class D, typename T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> ConvertBytes(D d, const std::uint8_t* x, T scale) {
  const hn::Rebind<std::uint8_t, D> d8;
  const hn::Rebind<std::int32_t, D> d32;
  const auto integers = hn::PromoteTo(d32, hn::LoadU(d8, x));
  if constexpr (sizeof(T) == sizeof(float)) {
    return hn::Mul(hn::ConvertTo(d, integers), hn::Set(d, scale));
  } else {
    return hn::Mul(hn::PromoteTo(d, integers), hn::Set(d, scale));
  }
}

// The body of a ConvertKernel.
template <typename T>
void RunConvert(const std::uint8_t* x, T* y, std::size_t n, T scale) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(ConvertBytes(d, x + i, scale), d, y + i);
  if (i < n) {
    std::uint8_t last[HWY_LANES(T)] = {};
    for (std::size_t j = 0; i + j < n; ++j) last[j] = x[i + j];
    StoreFirst(d, ConvertBytes(d, last, scale), y + i, n - i);
  }
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_ARITHMETIC_INL_H_
