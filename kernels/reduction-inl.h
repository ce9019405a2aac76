// SPDX-License-Identifier: Apache-2.0
//
// Kernels that reduce: sums, softmax and its like, column sums. A reduction over a row runs in 16 virtual lanes that
// are added over a fixed tree, so that its bits do not depend on how many lanes a vector of the tier has.

#if defined(LANEWISE_REDUCTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEWISE_REDUCTION_INL_H_
#undef LANEWISE_REDUCTION_INL_H_
#else
#define LANEWISE_REDUCTION_INL_H_
#endif

#include <cstddef>
#include <utility>

#include "elementwise-inl.h"
#include "exp-inl.h"
#include "hwy/highway.h"
#include "log-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {

// ---- Sixteen virtual lanes ---------------------------------------------------------------------------------------

inline constexpr std::size_t kVirtualLanes = 16;

// (a[0] + a[1]) + (a[2] + a[3]) ...
template <std::size_t kCount, typename T>
HWY_INLINE T TreeSum(const T* a) {
  if constexpr (kCount == 1) {
    return a[0];
  } else {
    return TreeSum<kCount / 2>(a) + TreeSum<kCount / 2>(a + kCount / 2);
  }
}

// Element i of a row goes to lane i mod 16: lane = Step(lane, element...). Indices of vectors are template parameters
// so that the array stays in registers.
template <typename T, class Step>
class VirtualLanes {
  using D = hn::ScalableTag<T>;
  static constexpr std::size_t kLanes = HWY_LANES(T);
  using Vectors = std::make_index_sequence<kVirtualLanes / kLanes>;

 public:
  HWY_INLINE VirtualLanes() { Initialise(Vectors()); }

  // Further elements of the row; every call but the last takes a multiple of 16.
  template <typename... In>
  HWY_INLINE void Take(std::size_t n, const In*... in) {
    std::size_t i = 0;
    for (; i + kVirtualLanes <= n; i += kVirtualLanes) TakeAll(Vectors(), in + i...);
    if (i < n) TakeFirst(n - i, Vectors(), in + i...);
  }

  HWY_INLINE T Sum() const {
    HWY_ALIGN T lanes[kVirtualLanes];
    Store(lanes, Vectors());
    return TreeSum<kVirtualLanes>(lanes);
  }

 private:
  template <std::size_t... kVec>
  HWY_INLINE void Initialise(std::index_sequence<kVec...>) {
    ((v_[kVec] = Step::Neutral(D())), ...);
  }

  template <std::size_t... kVec, typename... In>
  HWY_INLINE void TakeAll(std::index_sequence<kVec...>, const In*... in) {
    (TakeVector<kVec>(in...), ...);
  }

  template <std::size_t kVec, typename... In>
  HWY_INLINE void TakeVector(const In*... in) {
    v_[kVec] = Step::Next(v_[kVec], hn::LoadU(D(), in + kVec * kLanes)...);
  }

  template <std::size_t... kVec, typename... In>
  HWY_INLINE void TakeFirst(std::size_t n, std::index_sequence<kVec...>, const In*... in) {
    (TakePartOfVector<kVec>(n, in...), ...);
  }

  template <std::size_t kVec, typename... In>
  HWY_INLINE void TakePartOfVector(std::size_t n, const In*... in) {
    const D d;
    const std::size_t begin = HWY_MIN(n, kVec * kLanes);
    const std::size_t count = HWY_MIN(n - begin, kLanes);
    const auto next = Step::Next(v_[kVec], LoadFirst(d, in + begin, count)...);
    v_[kVec] = hn::IfThenElse(hn::FirstN(d, count), next, v_[kVec]);
  }

  template <std::size_t... kVec>
  HWY_INLINE void Store(T* lanes, std::index_sequence<kVec...>) const {
    (hn::Store(v_[kVec], D(), lanes + kVec * kLanes), ...);
  }

  hn::Vec<D> v_[kVirtualLanes / kLanes];
};

struct AddStep {
  template <class D>
  static HWY_INLINE hn::Vec<D> Neutral(D d) {
    return hn::Zero(d);
  }
  template <class V>
  static HWY_INLINE V Next(V lane, V x) {
    return hn::Add(lane, x);
  }
};

struct DotStep : AddStep {
  template <class V>
  static HWY_INLINE V Next(V lane, V x, V y) {
    return hn::MulAdd(x, y, lane);
  }
};

// x if it is larger, else m, which is never NaN. No max instruction: they treat NaN differently.
template <class V>
HWY_INLINE V Larger(V x, V m) {
  return hn::IfThenElse(hn::Gt(x, m), x, m);
}

// The largest element that is not NaN, -inf if there is none. The order of comparisons changes no more than the sign of
// a zero, so there is no need for virtual lanes; several vectors, since a comparison and a choice take 4 to 7 cycles.
template <typename T>
HWY_INLINE T Max(const T* x, std::size_t n) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const V lowest = hn::Neg(FromBits(d, Format<T>::kInfinity));
  V m0 = lowest;
  V m1 = lowest;
  V m2 = lowest;
  V m3 = lowest;
  std::size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    m0 = Larger(hn::LoadU(d, x + i), m0);
    m1 = Larger(hn::LoadU(d, x + i + lanes), m1);
    m2 = Larger(hn::LoadU(d, x + i + 2 * lanes), m2);
    m3 = Larger(hn::LoadU(d, x + i + 3 * lanes), m3);
  }
  for (; i + lanes <= n; i += lanes) m0 = Larger(hn::LoadU(d, x + i), m0);
  if (i < n) m1 = Larger(hn::IfThenElse(hn::FirstN(d, n - i), LoadFirst(d, x + i, n - i), lowest), m1);
  return hn::GetLane(hn::MaxOfLanes(d, Larger(Larger(m0, m1), Larger(m2, m3))));
}

// The body of a SumKernel.
template <typename T>
T RunSum(const T* x, std::size_t n) {
  VirtualLanes<T, AddStep> lanes;
  lanes.Take(n, x);
  return lanes.Sum();
}

// ---- Softmax ------------------------------------------------------------------------------------------------------
// A row that holds a NaN or +inf, or nothing but -inf, has no softmax: all of its results are NaN. This falls out of
// the formulas, since x - max is a NaN for the offending element and so is the sum.

// e^(x - max)
template <typename T>
struct ExpMinus {
  T max;
  template <class D, class V>
  HWY_INLINE V operator()(D d, const V& x) const {
    return Function<Exp>()(d, ops::Sub(x, hn::Set(d, max)));
  }
};

template <typename T>
struct Scale {
  T factor;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Mul(x, hn::Set(d, factor));
  }
};

// The number of elements whose exponentials are computed before they are added: few, so that a core overlaps the
// additions, one chain for each virtual lane, with the next exponentials.
inline constexpr std::size_t kSoftmaxBlock = 4 * kVirtualLanes;

// y_i = e^(x_i - max) * (1 / sum)
template <typename T>
void RunSoftmax(const T* x, T* y, std::size_t n) {
  const ExpMinus<T> exp_minus{Max(x, n)};
  VirtualLanes<T, AddStep> lanes;
  for (std::size_t i = 0; i < n; i += kSoftmaxBlock) {
    const std::size_t count = HWY_MIN(kSoftmaxBlock, n - i);
    MapFormula(FunctionTag<T>(), exp_minus, y + i, count, x + i);
    lanes.Take(count, y + i);
  }
  Map(hn::ScalableTag<T>(), Scale<T>{1 / lanes.Sum()}, y, n, y);
}

// (x - max) - log_sum
template <typename T>
struct MinusBoth {
  T max;
  T log_sum;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Sub(hn::Sub(x, hn::Set(d, max)), hn::Set(d, log_sum));
  }
};

// y_i = (x_i - max) - log(sum of e^(x_j - max)), the sum being softmax's.
template <typename T>
void RunLogSoftmax(const T* x, T* y, std::size_t n) {
  HWY_ALIGN T e[kSoftmaxBlock];  // y may be x, so it cannot hold them
  const T max = Max(x, n);
  VirtualLanes<T, AddStep> lanes;
  for (std::size_t i = 0; i < n; i += kSoftmaxBlock) {
    const std::size_t count = HWY_MIN(kSoftmaxBlock, n - i);
    MapFormula(FunctionTag<T>(), ExpMinus<T>{max}, e, count, x + i);
    lanes.Take(count, e);
  }
  const FunctionTag<T> d;
  const T log_sum = hn::GetLane(Function<Log>()(d, hn::Set(d, lanes.Sum())));
  Map(hn::ScalableTag<T>(), MinusBoth<T>{max, log_sum}, y, n, x);
}

// y * (dy - dot)
template <typename T>
struct SoftmaxGradient {
  T dot;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V y, V dy) const {
    return hn::Mul(y, hn::Sub(dy, hn::Set(d, dot)));
  }
};

// dx_i = y_i * (dy_i - sum of y_j dy_j)
template <typename T>
void RunSoftmaxGradient(const T* y, const T* dy, T* dx, std::size_t n) {
  VirtualLanes<T, DotStep> lanes;
  lanes.Take(n, y, dy);
  Map(hn::ScalableTag<T>(), SoftmaxGradient<T>{lanes.Sum()}, dx, n, y, dy);
}

// dy - e^y * sum
template <typename T>
struct LogSoftmaxGradient {
  T sum;
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V y, V dy) const {
    return hn::NegMulAdd(Function<Exp>()(d, y), hn::Set(d, sum), dy);
  }
};

// dx_i = dy_i - e^(y_i) * sum of dy_j
template <typename T>
void RunLogSoftmaxGradient(const T* y, const T* dy, T* dx, std::size_t n) {
  Map(FunctionTag<T>(), LogSoftmaxGradient<T>{RunSum(dy, n)}, dx, n, y, dy);
}

// ---- Column sums --------------------------------------------------------------------------------------------------

struct LoadWhole {
  template <class D, typename T>
  HWY_INLINE hn::Vec<D> operator()(D d, const T* p) const {
    return hn::LoadU(d, p);
  }
};

struct LoadPart {
  std::size_t n;
  template <class D, typename T>
  HWY_INLINE hn::Vec<D> operator()(D d, const T* p) const {
    return LoadFirst(d, p, n);
  }
};

// total[v] = the sums of columns [v * lanes, (v + 1) * lanes) of x, over all rows, in chunks of kQ rows.
template <class D, class Load, typename T, std::size_t... kVec>
HWY_INLINE void SumColumns(D d, Load load, const T* x, std::ptrdiff_t row_stride, std::size_t rows, hn::Vec<D>* total,
                           std::index_sequence<kVec...>) {
  ((total[kVec] = hn::Zero(d)), ...);
  for (std::size_t chunk = 0; chunk < rows; chunk += kernels::kQ) {
    hn::Vec<D> sum[sizeof...(kVec)] = {(static_cast<void>(kVec), hn::Zero(d))...};
    const std::size_t end = HWY_MIN(rows, chunk + kernels::kQ);
    for (std::size_t i = chunk; i < end; ++i, x += row_stride) {
      ((sum[kVec] = hn::Add(sum[kVec], load(d, x + kVec * HWY_LANES(T)))), ...);
    }
    ((total[kVec] = hn::Add(total[kVec], sum[kVec])), ...);
  }
}

// The body of a ColumnSumKernel.
template <typename T>
void RunColumnSum(const T* x, std::ptrdiff_t row_stride, std::size_t rows, std::size_t cols, T* out) {
  const hn::ScalableTag<T> d;
  constexpr std::size_t kLanes = HWY_LANES(T);
  constexpr std::size_t kVecs = 4;  // an addition takes 4 cycles
  hn::Vec<decltype(d)> total[kVecs];
  std::size_t j = 0;
  for (; j + kVecs * kLanes <= cols; j += kVecs * kLanes) {
    SumColumns(d, LoadWhole(), x + j, row_stride, rows, total, std::make_index_sequence<kVecs>());
    for (std::size_t v = 0; v < kVecs; ++v) hn::StoreU(total[v], d, out + j + v * kLanes);
  }
  for (; j + kLanes <= cols; j += kLanes) {
    SumColumns(d, LoadWhole(), x + j, row_stride, rows, total, std::make_index_sequence<1>());
    hn::StoreU(total[0], d, out + j);
  }
  if (j < cols) {
    SumColumns(d, LoadPart{cols - j}, x + j, row_stride, rows, total, std::make_index_sequence<1>());
    StoreFirst(d, total[0], out + j, cols - j);
  }
}

}  // namespace lanewise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LANEWISE_REDUCTION_INL_H_
