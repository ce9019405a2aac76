// SPDX-License-Identifier: Apache-2.0
//
// The loops over k of the micro-kernels whose lanes run over columns, for any target and type: what multiplies and
// adds, between the start of a tile's accumulators and their end (gemm_columns-inl.h).
//
// Indices are template parameters, so that the accumulator array dissolves into registers before GCC's optimisers see
// a loop; written as loops, GCC 12 keeps tiles of 24 and more accumulators in memory.

#if defined(LANEWISE_GEMM_STEPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_GEMM_STEPS_INL_H_
#undef LANEWISE_GEMM_STEPS_INL_H_
#else
#define LANEWISE_GEMM_STEPS_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include "hwy/highway.h"
#include "kernel_table.h"
#include "partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using kernels::TileArgs;

// x * y + z: of floating-point numbers with the roundings of the tier's class, of integers modulo 2^32 or 2^64.
template <class D>
HWY_INLINE hn::Vec<D> MultiplyAdd(D /*d*/, hn::Vec<D> x, hn::Vec<D> y, hn::Vec<D> z) {
  if constexpr (hwy::IsFloat<hn::TFromD<D>>()) {
    return hn::MulAdd(x, y, z);
  } else {
    return hn::Add(hn::Mul(x, y), z);
  }
}

// ---- One step ----------------------------------------------------------------------------------------------------

// The vector is still needed here. No instruction. GCC 12 else lets a multiply-add write its sum over a factor that is
// used for the last time, and moves the sums around between steps.
template <class V>
HWY_INLINE void KeepAlive([[maybe_unused]] V v) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  asm volatile("" : : "v"(v.raw));
#elif HWY_ARCH_ARM && HWY_TARGET != HWY_SCALAR
  asm volatile("" : : "w"(v.raw));
#endif
}

template <class V, std::size_t... kI>
HWY_INLINE void KeepAllAlive(const V* v, std::index_sequence<kI...>) {
  (KeepAlive(v[kI]), ...);
}

// The vectors are in registers from here on. No instruction. GCC 12 else multiplies two rows by a vector of B in
// memory, once for each row, and loads it once more to keep it alive. avx512, Emerald Rapids: 1.2 to 1.9 times as fast;
// on avx2 no difference. Of 14 rows clang 19 would then keep sums in memory.
template <class V>
HWY_INLINE void LoadNow([[maybe_unused]] V& v) {
#if HWY_TARGET == HWY_AVX3
  asm("" : "+v"(v.raw));
#endif
}
template <class V, std::size_t... kI>
HWY_INLINE void LoadAllNow(V* v, std::index_sequence<kI...>) {
  (LoadNow(v[kI]), ...);
}

// Not where a factor may stay in memory: B, for one row; A, for one vector (on avx512).
template <int kRows, int kAllVecs>
inline constexpr bool kKeepsFactors = kRows > 1 && kAllVecs > 1;

// One row, of kRows: acc += a * b.
template <int kRows, class D, std::size_t... kVec>
HWY_INLINE void FmaRow(D d, hn::Vec<D> a, const hn::Vec<D>* b, hn::Vec<D>* acc, std::index_sequence<kVec...>) {
  ((acc[kVec] = MultiplyAdd(d, a, b[kVec], acc[kVec])), ...);
  if constexpr (kKeepsFactors<kRows, sizeof...(kVec)>) KeepAlive(a);
}

// How steps read B: over panels that lie so far apart, or, kNarrow, of the last vector of one panel the first elements
// and not one more.
template <bool kNarrow, class D>
struct PanelsOfStep {
  std::ptrdiff_t distance;

  template <typename T>
  HWY_INLINE PanelsOfStep(D /*d*/, const TileArgs<T>& t) : distance(t.b_panel_stride) {}
};
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
template <class D>
struct PanelsOfStep<true, D> {
  hn::Mask<D> first;

  // The cast says that the number is small; FirstN would branch on it.
  template <typename T>
  HWY_INLINE PanelsOfStep(D d, const TileArgs<T>& t)
      : first(hn::FirstN(d, static_cast<std::uint8_t>((static_cast<std::uint32_t>(t.n) - 1) % HWY_LANES(T) + 1))) {
#if HWY_TARGET == HWY_AVX2
    asm("" : "+x"(first.raw));  // else clang makes the mask again in each turn
#endif
  }
};
#endif

// The vectors of one row of B, kVecs of each panel.
template <int kVecs, class D, typename T, std::size_t... kVec>
HWY_INLINE void LoadRowOfB(D d, const T* p, const PanelsOfStep<false, D>& panels, hn::Vec<D>* b,
                           std::index_sequence<kVec...>) {
  ((b[kVec] =
        hn::LoadU(d, p + static_cast<std::ptrdiff_t>(kVec / kVecs) * panels.distance + kVec % kVecs * HWY_LANES(T))),
   ...);
}
template <int kVecs, class D, typename T, std::size_t... kVec>
HWY_INLINE void LoadRowOfB(D d, const T* p, const PanelsOfStep<true, D>& panels, hn::Vec<D>* b,
                           std::index_sequence<kVec...>) {
  ((b[kVec] = kVec + 1 == kVecs ? hn::MaskedLoad(panels.first, d, p + kVec * HWY_LANES(T))
                                : hn::LoadU(d, p + kVec * HWY_LANES(T))),
   ...);
}

// A step's elements of A: row i at a + i * row_stride.
template <typename T>
struct ElementsOfA {
  const T* a;
  std::ptrdiff_t row_stride;

  template <std::size_t kRow>
  HWY_INLINE T Get() const {
    return a[static_cast<std::ptrdiff_t>(kRow) * row_stride];
  }
};

// acc += a(:, k) * b(k, :), one step of k, over kPanels panels of kVecs vectors.
template <int kVecs, int kPanels, class D, class A, typename T, bool kNarrow, std::size_t... kRow>
HWY_INLINE void Step(D d, const A& a, const T* b_row, const PanelsOfStep<kNarrow, D>& panels, hn::Vec<D>* acc,
                     std::index_sequence<kRow...>) {
  constexpr std::make_index_sequence<kVecs * kPanels> kAllVecs;
  hn::Vec<D> b[kVecs * kPanels];
  LoadRowOfB<kVecs>(d, b_row, panels, b, kAllVecs);
  if constexpr (sizeof...(kRow) == 2 && kVecs * kPanels > 1) LoadAllNow(b, kAllVecs);
  (FmaRow<sizeof...(kRow)>(d, hn::Set(d, a.template Get<kRow>()), b, acc + kRow * kVecs * kPanels, kAllVecs), ...);
  if constexpr (kKeepsFactors<sizeof...(kRow), kVecs * kPanels>) KeepAllAlive(b, kAllVecs);
}

// Where the next step of k is.
template <typename T>
struct Position {
  const T* a;
  const T* b;
  const char* next;
};

// Asks for as many cache lines as one step of a panel is long. T1: L1 is full of what is used now.
template <int kVecs, typename T>
HWY_INLINE void PrefetchStep(const char* next) {
  constexpr std::size_t kBytes = static_cast<std::size_t>(kVecs) * HWY_LANES(T) * sizeof(T);
  for (std::size_t i = 0; i < kBytes; i += 64) __builtin_prefetch(next + i, /*rw=*/0, /*locality=*/2);
}

// `k` steps of k from `at`, of one chain.
template <int kRows, int kVecs, int kPanels, bool kPrefetch, bool kNarrow, class D, typename T>
HWY_INLINE void Steps(D d, const TileArgs<T>& t, Position<T> at, std::ptrdiff_t k, hn::Vec<D>* acc) {
  constexpr std::make_index_sequence<kRows> kAllRows;
  const std::ptrdiff_t a_row = t.a_row_stride;
  const std::ptrdiff_t a_k = t.a_k_stride;
  const std::ptrdiff_t b_k = t.b_k_stride;
  const PanelsOfStep<kNarrow, D> panels(d, t);
  const T* a = at.a;
  const T* b = at.b;
  const char* next = at.next;
  for (; k != 0; --k) {
    if constexpr (kPrefetch) {
      for (int p = 0; p < kPanels; ++p) {
        PrefetchStep<kVecs, T>(next + p * panels.distance * static_cast<std::ptrdiff_t>(sizeof(T)));
      }
      next += t.next_step;
    }
    Step<kVecs, kPanels>(d, ElementsOfA<T>{a, a_row}, b, panels, acc, kAllRows);
    a += a_k;
    b += b_k;
  }
}

// Where a step of four chains is: that of the first of them.
template <typename T, bool kNarrow, class D>
struct StepOfChains {
  std::ptrdiff_t a_row;
  std::ptrdiff_t a_k;
  std::ptrdiff_t b_k;
  PanelsOfStep<kNarrow, D> panels;
  const T* a;
  const T* b;

  HWY_INLINE StepOfChains(D d, const TileArgs<T>& t, Position<T> at)
      : a_row(t.a_row_stride), a_k(t.a_k_stride), b_k(t.b_k_stride), panels(d, t), a(at.a), b(at.b) {}

  // Of chain kChain, whose accumulators are `acc`.
  template <int kChain, int kRows, int kVecs, int kPanels>
  HWY_INLINE void Do(D d, hn::Vec<D>* acc) const {
    Step<kVecs, kPanels>(d, ElementsOfA<T>{a + kChain * a_k, a_row}, b + kChain * b_k, panels, acc,
                         std::make_index_sequence<kRows>());
  }
  HWY_INLINE void Pass() {
    a += 4 * a_k;
    b += 4 * b_k;
  }
};

// Steps of four chains, step t into chain t mod 4. `acc` has kCount accumulators per chain.
template <int kRows, int kVecs, int kPanels, bool kNarrow, class D, typename T>
HWY_INLINE void StepsOfChains(D d, const TileArgs<T>& t, Position<T> at, std::ptrdiff_t k, hn::Vec<D>* acc) {
  constexpr int kCount = kRows * kVecs * kPanels;
  StepOfChains<T, kNarrow, D> step(d, t, at);
  for (; k >= 4; k -= 4) {
    step.template Do<0, kRows, kVecs, kPanels>(d, acc);
    step.template Do<1, kRows, kVecs, kPanels>(d, acc + kCount);
    step.template Do<2, kRows, kVecs, kPanels>(d, acc + 2 * kCount);
    step.template Do<3, kRows, kVecs, kPanels>(d, acc + 3 * kCount);
    step.Pass();
  }
  if (k > 0) step.template Do<0, kRows, kVecs, kPanels>(d, acc);
  if (k > 1) step.template Do<1, kRows, kVecs, kPanels>(d, acc + kCount);
  if (k > 2) step.template Do<2, kRows, kVecs, kPanels>(d, acc + 2 * kCount);
}

// Likewise of chains kFirst and kFirst + 1 of the four alone, one panel.
template <int kFirst, int kRows, int kVecs, bool kNarrow, class D, typename T>
HWY_INLINE void StepsOfPair(D d, const TileArgs<T>& t, Position<T> at, std::ptrdiff_t k, hn::Vec<D>* acc) {
  constexpr int kCount = kRows * kVecs;
  StepOfChains<T, kNarrow, D> step(d, t, at);
  for (; k >= 4; k -= 4) {
    step.template Do<kFirst, kRows, kVecs, 1>(d, acc);
    step.template Do<kFirst + 1, kRows, kVecs, 1>(d, acc + kCount);
    step.Pass();
  }
  if (k > kFirst) step.template Do<kFirst, kRows, kVecs, 1>(d, acc);
  if (k > kFirst + 1) step.template Do<kFirst + 1, kRows, kVecs, 1>(d, acc + kCount);
}

// ---- Four steps per turn of the loop -----------------------------------------------------------------------------
// For an A that is contiguous along k or along its rows, as nearly all are. On Zen 3 a turn of 6 x 2 vectors has 90
// instructions for its 48 multiply-adds, where four of the loop above have 104: 1.1 times as fast while a hyper-thread
// takes half of the core.

// Makes the compiler forget where a value came from, and keeps loads on their side: GCC 12 else finds an offset for
// each row and step, more than there are registers, and loads ahead until it spills accumulators. No instruction.
template <typename P>
HWY_INLINE void Forget(P& value) {
  asm volatile("" : "+r"(value) : : "memory");
}
template <typename P, std::size_t... kI>
HWY_INLINE void ForgetAll(P* values, std::index_sequence<kI...>) {
  (Forget(values[kI]), ...);
}

// Elements of A are a multiple of a stride (in bytes) apart in one direction, the far one, and an element in the other.
// Instructions address base + register + constant, so that a base and registers for one and two strides serve three.
inline constexpr std::size_t kPerBase = 3;

// Where a turn is. kAlongRows: A is contiguous along its rows, so steps are the far direction; else rows are.
template <typename T, int kRows, bool kAlongRows>
struct Turn {
  static constexpr std::size_t kSteps = 4;
  static constexpr std::make_index_sequence<((kAlongRows ? kSteps : kRows) + kPerBase - 1) / kPerBase> kAllBases = {};

  const char* bases[kAllBases.size()];
  std::ptrdiff_t stride;
  std::ptrdiff_t two_strides;
  const T* b;
  std::ptrdiff_t b_k;
  const char* next;
  std::ptrdiff_t two_next_steps;

  HWY_INLINE Turn(const TileArgs<T>& t, Position<T> at)
      : stride((kAlongRows ? t.a_k_stride : t.a_row_stride) * static_cast<std::ptrdiff_t>(sizeof(T))),
        two_strides(2 * stride),
        b(at.b),
        b_k(t.b_k_stride),
        next(at.next),
        two_next_steps(2 * t.next_step) {
    SetBases(reinterpret_cast<const char*>(at.a), kAllBases);
  }
  HWY_INLINE void ForgetAddresses() {
    ForgetAll(bases, kAllBases);
    Forget(stride);
    Forget(two_strides);
    Forget(b);
  }
  HWY_INLINE void PassA(std::size_t steps) {
    const auto distance = static_cast<std::ptrdiff_t>(steps) * (kAlongRows ? stride : std::ptrdiff_t{sizeof(T)});
    MoveBases(distance, kAllBases);
  }

 private:
  template <std::size_t... kBase>
  HWY_INLINE void SetBases(const char* a, std::index_sequence<kBase...>) {
    ((bases[kBase] = a + static_cast<std::ptrdiff_t>(kPerBase * kBase) * stride), ...);
  }
  template <std::size_t... kBase>
  HWY_INLINE void MoveBases(std::ptrdiff_t distance, std::index_sequence<kBase...>) {
    ((bases[kBase] += distance), ...);
  }
};

// The elements of A of step kStep of a turn.
template <typename T, int kRows, bool kAlongRows, std::size_t kStep>
struct ElementsOfTurn {
  const Turn<T, kRows, kAlongRows>& turn;

  template <std::size_t kRow>
  HWY_INLINE T Get() const {
    constexpr std::size_t kIndices[] = {kRow, kStep};
    constexpr std::size_t kFar = kIndices[kAlongRows ? 1 : 0];
    constexpr std::size_t kNear = kIndices[kAlongRows ? 0 : 1];
    const char* base = turn.bases[kFar / kPerBase];
    if constexpr (kFar % kPerBase == 1) base += turn.stride;
    if constexpr (kFar % kPerBase == 2) base += turn.two_strides;
    return *reinterpret_cast<const T*>(base + kNear * sizeof(T));
  }
};

// Step kStep. The B of an even one is where turn.b points, that of an odd one a row further. kPrefetch: every other
// step asks for the next cache line, which is no more than two steps away.
template <std::size_t kStep, int kVecs, int kPanels, bool kNarrow, bool kPrefetch, class D, typename T, int kRows,
          bool kAlongRows>
HWY_INLINE void StepOfTurn(D d, Turn<T, kRows, kAlongRows>& turn, const PanelsOfStep<kNarrow, D>& panels,
                           hn::Vec<D>* acc) {
  turn.ForgetAddresses();
  Step<kVecs, kPanels>(d, ElementsOfTurn<T, kRows, kAlongRows, kStep>{turn},
                       kStep % 2 == 0 ? turn.b : turn.b + turn.b_k, panels, acc, std::make_index_sequence<kRows>());
  if constexpr (kPrefetch && kStep % 2 == 0) {
    PrefetchStep<1, std::uint8_t>(turn.next);
    turn.next += turn.two_next_steps;
  }
}

// As Steps, of one chain.
template <int kRows, int kVecs, int kPanels, bool kNarrow, bool kAlongRows, bool kPrefetch, class D, typename T>
HWY_INLINE void UnrolledSteps(D d, const TileArgs<T>& t, Position<T> at, std::ptrdiff_t k, hn::Vec<D>* acc) {
  Turn<T, kRows, kAlongRows> turn(t, at);
  const PanelsOfStep<kNarrow, D> panels(d, t);
  const auto steps = static_cast<std::size_t>(k);
  for (std::size_t turns = steps / turn.kSteps; turns != 0; --turns) {
    StepOfTurn<0, kVecs, kPanels, kNarrow, kPrefetch>(d, turn, panels, acc);
    StepOfTurn<1, kVecs, kPanels, kNarrow, kPrefetch>(d, turn, panels, acc);
    turn.b += 2 * turn.b_k;
    StepOfTurn<2, kVecs, kPanels, kNarrow, kPrefetch>(d, turn, panels, acc);
    StepOfTurn<3, kVecs, kPanels, kNarrow, kPrefetch>(d, turn, panels, acc);
    turn.b += 2 * turn.b_k;
    turn.PassA(turn.kSteps);
  }
  for (std::size_t rest = steps % turn.kSteps; rest != 0; --rest) {
    StepOfTurn<0, kVecs, kPanels, kNarrow, false>(d, turn, panels, acc);
    turn.b += turn.b_k;
    turn.PassA(1);
  }
}

// ---- The loop for this A and these hints -------------------------------------------------------------------------

// `k` steps of k from `at`, of one chain. One row reads as fast as it can in a loop of single steps (four a turn: 0.97
// of the speed). Products that are not fused need a register more, and sums of integers GCC would put in another order
// across steps. No hint comes with narrow panels.
template <int kRows, int kVecs, int kPanels, bool kNarrow, class D, typename T>
HWY_INLINE void AllSteps(D d, const TileArgs<T>& t, Position<T> at, std::ptrdiff_t k, hn::Vec<D>* acc) {
  const bool hint = !kNarrow && t.next_step != 0;
  if constexpr (kRows > 1 && HWY_NATIVE_FMA && hwy::IsFloat<T>()) {
    [[maybe_unused]] constexpr std::ptrdiff_t kCacheLine = 64;
    if (t.a_k_stride == 1 && !hint) {
      return UnrolledSteps<kRows, kVecs, kPanels, kNarrow, false, false>(d, t, at, k, acc);
    }
    if constexpr (kPanels == 1 && !kNarrow) {
      if (t.a_k_stride == 1 && 2 * t.next_step <= kCacheLine) {
        return UnrolledSteps<kRows, kVecs, kPanels, kNarrow, false, true>(d, t, at, k, acc);
      }
    }
    if (t.a_row_stride == 1 && !hint) {
      return UnrolledSteps<kRows, kVecs, kPanels, kNarrow, true, false>(d, t, at, k, acc);
    }
  } else {
    if (!hint) return Steps<kRows, kVecs, kPanels, false, kNarrow>(d, t, at, k, acc);
  }
  Steps<kRows, kVecs, kPanels, !kNarrow, kNarrow>(d, t, at, k, acc);
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_GEMM_STEPS_INL_H_
