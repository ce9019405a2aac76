// SPDX-License-Identifier: Apache-2.0
//
// Several vectors side by side. A formula is one long chain of dependent operations, of which a core's scheduler holds
// only two or three vectors' worth (97 entries on Cascade Lake, 40 operations for a sigmoid): its units would wait for
// latencies most of the time. A formula that is written with ops::Add instead of hn::Add runs on a Batch as well as on
// a vector: each operation is done for all of the batch before the next one begins.

#if defined(LANEWISE_BATCH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_BATCH_INL_H_
#undef LANEWISE_BATCH_INL_H_
#else
#define LANEWISE_BATCH_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Vectors or masks. Copied one by one: GCC 12 copies a plain aggregate as bytes, through memory.
template <class V, std::size_t kSize>
struct Batch {
  using Parts = std::make_index_sequence<kSize>;

  template <class... Vs>
  explicit HWY_INLINE Batch(const V& v0, const Vs&... others) : v{v0, others...} {}
  HWY_INLINE Batch() {}
  HWY_INLINE Batch(const Batch& other) : Batch(other, Parts()) {}
  // Copying itself part by part changes nothing. NOLINTNEXTLINE(bugprone-unhandled-self-assignment)
  HWY_INLINE Batch& operator=(const Batch& other) { return Assign(other, Parts()); }
  ~Batch() = default;

  V v[kSize];

 private:
  template <std::size_t... i>
  HWY_INLINE Batch(const Batch& other, std::index_sequence<i...> /*parts*/) : v{other.v[i]...} {}
  template <std::size_t... i>
  HWY_INLINE Batch& Assign(const Batch& other, std::index_sequence<i...> /*parts*/) {
    ((v[i] = other.v[i]), ...);
    return *this;
  }
};

namespace ops {

// The number of vectors in an argument; 0: a single vector or tag, the same for all of a batch.
template <class A>
inline constexpr std::size_t kSizeOf = 0;
template <class V, std::size_t kSize>
inline constexpr std::size_t kSizeOf<Batch<V, kSize>> = kSize;

template <std::size_t i, class A>
HWY_INLINE const auto& Part(const A& a) {
  if constexpr (kSizeOf<A> == 0) {
    return a;
  } else {
    return a.v[i];
  }
}

template <std::size_t i, class Op, class... A>
HWY_INLINE auto OnPart(Op op, const A&... a) {
  return op(Part<i>(a)...);
}

template <class Op, std::size_t... i, class... A>
HWY_INLINE auto ForEach(Op op, std::index_sequence<i...> /*parts*/, const A&... a) {
  using Result = decltype(OnPart<0>(op, a...));
  return Batch<Result, sizeof...(i)>(OnPart<i>(op, a...)...);
}

template <class Op, class... A>
HWY_INLINE auto Lift(Op op, const A&... a) {
  constexpr std::size_t kSize = std::max({kSizeOf<A>...});
  if constexpr (kSize == 0) {
    return op(a...);
  } else {
    return ForEach(op, std::make_index_sequence<kSize>(), a...);
  }
}

#define LANEWISE_LIFT(name)                                                      \
  template <class... A>                                                          \
  HWY_INLINE auto name(const A&... a) {                                          \
    return Lift([](const auto&... v) HWY_ATTR { return hn::name(v...); }, a...); \
  }
LANEWISE_LIFT(Abs)
LANEWISE_LIFT(Add)
LANEWISE_LIFT(And)
LANEWISE_LIFT(BitCast)
LANEWISE_LIFT(CopySign)
LANEWISE_LIFT(CopySignToAbs)
LANEWISE_LIFT(Div)
LANEWISE_LIFT(Eq)
LANEWISE_LIFT(Ge)
LANEWISE_LIFT(Gt)
LANEWISE_LIFT(IfThenElse)
LANEWISE_LIFT(IfThenElseZero)
LANEWISE_LIFT(Le)
LANEWISE_LIFT(Lt)
LANEWISE_LIFT(Min)
LANEWISE_LIFT(Mul)
LANEWISE_LIFT(MulAdd)
LANEWISE_LIFT(Neg)
LANEWISE_LIFT(NegMulAdd)
LANEWISE_LIFT(Or)
LANEWISE_LIFT(PromoteTo)
LANEWISE_LIFT(Sub)
#undef LANEWISE_LIFT

template <int kBits, class A>
HWY_INLINE auto ShiftLeft(const A& a) {
  return Lift([](const auto& v) HWY_ATTR { return hn::ShiftLeft<kBits>(v); }, a);
}

template <int kBits, class A>
HWY_INLINE auto ShiftRight(const A& a) {
  return Lift([](const auto& v) HWY_ATTR { return hn::ShiftRight<kBits>(v); }, a);
}

// The AND of a batch's masks.
template <class M>
HWY_INLINE M Intersection(const M& mask) {
  return mask;
}

template <class M, std::size_t... i>
HWY_INLINE M Intersection(const Batch<M, sizeof...(i) + 1>& mask, std::index_sequence<i...> /*other parts*/) {
  M all = mask.v[0];
  ((all = hn::And(all, mask.v[i + 1])), ...);
  return all;
}

template <class M, std::size_t kSize>
HWY_INLINE M Intersection(const Batch<M, kSize>& mask) {
  return Intersection(mask, std::make_index_sequence<kSize - 1>());
}

template <class D, class M>
HWY_INLINE bool AllTrue(D d, const M& mask) {
  return hn::AllTrue(d, Intersection(mask));
}

#if HWY_TARGET == HWY_AVX3
// The larger of |a| and |b|. Of a quiet NaN and a number it is the number, of a signalling NaN and anything a NaN, so
// that a chain of such steps could lose a number.
template <class V>
HWY_INLINE V LargerMagnitude(V a, V b) {
  constexpr int kLargerMagnitude = 3 + 8;  // 8: without its sign
  if constexpr (sizeof(hn::TFromV<V>) == sizeof(float)) {
    return V{_mm512_range_ps(a.raw, b.raw, kLargerMagnitude)};
  } else {
    return V{_mm512_range_pd(a.raw, b.raw, kLargerMagnitude)};
  }
}
template <class V, std::size_t... i>
HWY_INLINE auto LargerOfPairs(const Batch<V, 2 * sizeof...(i)>& x, std::index_sequence<i...> /*pairs*/) {
  return Batch<V, sizeof...(i)>(LargerMagnitude(x.v[2 * i], x.v[2 * i + 1])...);
}
#endif

// Whether all |x| <= limit. A NaN may count as within. (avx512, Emerald Rapids: by pairs, exp takes 0.95 of the time.)
template <class D, class V, class L>
HWY_INLINE bool AllWithin(D d, const V& x, const L& limit) {
#if HWY_TARGET == HWY_AVX3
  if constexpr (kSizeOf<V> != 0) {
    return AllTrue(d, Le(LargerOfPairs(x, std::make_index_sequence<kSizeOf<V> / 2>()), limit));
  }
#endif
  return AllTrue(d, Le(Abs(x), limit));
}

// The index is a template parameter, here as above, so that a batch stays in registers.
template <class D, typename T, std::size_t... i>
HWY_INLINE auto Load(D d, const T* p, std::index_sequence<i...> /*parts*/) {
  return Batch<hn::Vec<D>, sizeof...(i)>(hn::LoadU(d, p + i * hn::Lanes(d))...);
}

template <class D, class V, typename T, std::size_t... i>
HWY_INLINE void Store(const V& v, D d, T* p, std::index_sequence<i...> /*parts*/) {
  (hn::StoreU(v.v[i], d, p + i * hn::Lanes(d)), ...);
}

}  // namespace ops
}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_BATCH_INL_H_
