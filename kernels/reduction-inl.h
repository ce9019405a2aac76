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
#include <cstdint>
#include <utility>

#include "elementwise-inl.h"
#include "exp-inl.h"
#include "hwy/highway.h"
#include "log-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lanewise::HWY_NAMESPACE {

// ---- Sixteen virtual lanes ---------------------------------------------------------------------------------------

inline constexpr std::size_t kVirtualLanes = 16;

// (v[0] op v[1]) op (v[2] op v[3]) ..., in all lanes of the result. op does not mind the order of its arguments.
template <class D, class V = hn::Vec<D>, class Op>
HWY_INLINE V OverLanes(D d, V v, Op op) {
  (void)d;
  (void)op;
#if HWY_TARGET != HWY_SCALAR
  constexpr std::size_t kBytes = HWY_LANES(std::uint8_t);
  if constexpr (sizeof(hn::TFromD<D>) == sizeof(float)) {
    v = op(v, hn::Shuffle2301(v));
    v = op(v, hn::Shuffle1032(v));
  } else {
    v = op(v, hn::Shuffle01(v));
  }
  if constexpr (kBytes == 64) v = op(v, hn::SwapAdjacentBlocks(v));
  if constexpr (kBytes >= 32) v = op(v, hn::ConcatLowerUpper(d, v, v));
#endif
  return v;
}

// The same over an array of vectors.
template <std::size_t kCount, class D, class Op>
HWY_INLINE hn::Vec<D> OverVectors(D d, const hn::Vec<D>* v, Op op) {
  if constexpr (kCount == 1) {
    return OverLanes(d, v[0], op);
  } else {
    return op(OverVectors<kCount / 2>(d, v, op), OverVectors<kCount / 2>(d, v + kCount / 2, op));
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

  // Each lane takes that of the other.
  HWY_INLINE void TakeLanes(const VirtualLanes& other) { TakeLanes(other, Vectors()); }

  // The lanes over a binary tree of neighbours: (lane 0, lane 1), (lane 2, lane 3) ...
  HWY_INLINE T Combined() const {
    const auto next = [](auto a, auto b) HWY_ATTR { return Step::Next(a, b); };
    return hn::GetLane(OverVectors<kVirtualLanes / kLanes>(D(), v_, next));
  }

 private:
  template <std::size_t... kVec>
  HWY_INLINE void Initialise(std::index_sequence<kVec...>) {
    ((v_[kVec] = Step::Neutral(D())), ...);
  }

  template <std::size_t... kVec>
  HWY_INLINE void TakeLanes(const VirtualLanes& other, std::index_sequence<kVec...>) {
    ((v_[kVec] = Step::Next(v_[kVec], other.v_[kVec])), ...);
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
  using AddStep::Next;
  template <class V>
  static HWY_INLINE V Next(V lane, V x, V y) {
    return hn::MulAdd(x, y, lane);
  }
};

// x if it is larger, else the lane, which is never NaN. This is what x86's max instruction does, also with zeros and
// NaN, and no other's.
template <typename T>
struct LargerStep {
  template <class D>
  static HWY_INLINE hn::Vec<D> Neutral(D d) {
    return hn::Neg(FromBits(d, Format<T>::kInfinity));
  }
  template <class V>
  static HWY_INLINE V Next(V lane, V x) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
    return hn::Max(x, lane);
#else
    return hn::IfThenElse(hn::Gt(x, lane), x, lane);
#endif
  }
};

// The largest element that is not NaN, -inf if there is none. The order of comparisons changes no more than the sign of
// a zero, so there is no need for virtual lanes; several vectors, since a comparison and a choice take 4 to 7 cycles.
template <typename T>
HWY_INLINE T Max(const T* x, std::size_t n) {
  using Step = LargerStep<T>;
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const V lowest = Step::Neutral(d);
  V m0 = lowest;
  V m1 = lowest;
  V m2 = lowest;
  V m3 = lowest;
  std::size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    m0 = Step::Next(m0, hn::LoadU(d, x + i));
    m1 = Step::Next(m1, hn::LoadU(d, x + i + lanes));
    m2 = Step::Next(m2, hn::LoadU(d, x + i + 2 * lanes));
    m3 = Step::Next(m3, hn::LoadU(d, x + i + 3 * lanes));
  }
  for (; i + lanes <= n; i += lanes) m0 = Step::Next(m0, hn::LoadU(d, x + i));
  if (i < n) m1 = Step::Next(m1, hn::IfThenElse(hn::FirstN(d, n - i), LoadFirst(d, x + i, n - i), lowest));
  const auto next = [](auto a, auto b) HWY_ATTR { return Step::Next(a, b); };
  return hn::GetLane(OverLanes(d, next(next(m0, m1), next(m2, m3)), next));
}

// The body of a SumKernel.
template <typename T>
T RunSum(const T* x, std::size_t n) {
  VirtualLanes<T, AddStep> lanes;
  lanes.Take(n, x);
  return lanes.Combined();
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
    return Function<ExpOfDifference>()(d, x, hn::Set(d, max));
  }
};

// e / sum, rounded once (but for 2^-20 of a unit in the last place): in the fma class by the reciprocal and what it
// leaves of 1, since dividing vectors would take half as long as the exponentials.
template <typename T>
class DividedBy {
 public:
  HWY_INLINE explicit DividedBy(T sum) : sum_(sum), inverse_(1 / sum) {
    const hn::ScalableTag<T> d;
    const auto inverse = hn::Set(d, inverse_);
    inverse_low_ = hn::GetLane(hn::Mul(inverse, DivisionRest(hn::Set(d, 1), inverse, hn::Set(d, sum))));
  }
  template <class D, class V = hn::Vec<D>>
  HWY_INLINE V operator()(D d, V e) const {
#if HWY_NATIVE_FMA
    return hn::MulAdd(e, hn::Set(d, inverse_), hn::Mul(e, hn::Set(d, inverse_low_)));
#else
    return hn::Div(e, hn::Set(d, sum_));
#endif
  }

 private:
  T sum_;
  T inverse_;
  T inverse_low_;
};

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

// The number of elements whose exponentials are computed before they are added: few, so that a core overlaps the
// additions, one chain for each virtual lane, with the next exponentials.
inline constexpr std::size_t kSoftmaxBlock = 4 * kVirtualLanes;

// The number of elements that are added in one chain for each virtual lane; the lanes of such chunks are added in turn.
inline constexpr std::size_t kSoftmaxChunk = 16 * kVirtualLanes;

// The sum of e^(x_i - max), the exponentials of the block that begins with element i being put where place(i) says.
template <typename T, class Place>
HWY_INLINE T SumOfExponentials(T max, const T* x, std::size_t n, Place place) {
  const ExpMinus<T> exp_minus{max};
  VirtualLanes<T, AddStep> total;
  for (std::size_t i = 0; i < n;) {
    VirtualLanes<T, AddStep> chunk;
    for (const std::size_t end = HWY_MIN(i + kSoftmaxChunk, n); i < end; i += kSoftmaxBlock) {
      const std::size_t count = HWY_MIN(kSoftmaxBlock, end - i);
      T* e = place(i);
      MapFormula(FunctionTag<T>(), exp_minus, e, count, x + i);
      chunk.Take(count, e);
    }
    total.TakeLanes(chunk);
  }
  return total.Combined();
}

// Rows that fit into the virtual lanes are taken some at a time: one row's operations form a long chain, and its
// exponentials would fill few lanes.
template <typename T>
struct ShortRows {
  static constexpr std::size_t kRows = 4;

  // e[i * kVirtualLanes + j] = e^(x_ij - max_i), and the sums over j.
  HWY_INLINE void Take(const T* x, std::ptrdiff_t x_stride, std::size_t rows, std::size_t n) {
    const hn::ScalableTag<T> d;
    HWY_ALIGN T maxima[kRows * kVirtualLanes];
    for (std::size_t i = 0; i < rows; ++i, x += x_stride) {
      VirtualLanes<T, LargerStep<T>> lanes;
      lanes.Take(n, x);
      max[i] = lanes.Combined();
      const auto own = hn::Set(d, max[i]);
      for (std::size_t j = 0; j < kVirtualLanes; j += HWY_LANES(T)) {
        const std::size_t count = j < n ? HWY_MIN(n - j, HWY_LANES(T)) : 0;
        // Beyond n the maximum, whose e^0 is an ordinary number.
        const auto padded = hn::IfThenElse(hn::FirstN(d, count), LoadFirst(d, x + HWY_MIN(j, n), count), own);
        hn::Store(padded, d, e + i * kVirtualLanes + j);
        hn::Store(own, d, maxima + i * kVirtualLanes + j);
      }
    }
    MapFormula(FunctionTag<T>(), Function<ExpOfDifference>(), e, rows * kVirtualLanes, e, maxima);
    for (std::size_t i = 0; i < rows; ++i) {
      VirtualLanes<T, AddStep> lanes;
      lanes.Take(n, e + i * kVirtualLanes);
      sum[i] = lanes.Combined();
    }
  }

  HWY_ALIGN T e[kRows * kVirtualLanes];
  T max[kRows];
  T sum[kRows];
};

// y_i = e^(x_i - max) / sum
template <typename T>
void RunSoftmax(const T* x, std::ptrdiff_t x_stride, T* y, std::ptrdiff_t y_stride, std::size_t rows, std::size_t n) {
  const hn::ScalableTag<T> d;
  while (n <= kVirtualLanes && rows > 0) {
    const std::size_t count = HWY_MIN(rows, ShortRows<T>::kRows);
    ShortRows<T> some;
    some.Take(x, x_stride, count, n);
    for (std::size_t i = 0; i < count; ++i, x += x_stride, y += y_stride)
      Map(d, DividedBy<T>(some.sum[i]), y, n, some.e + i * kVirtualLanes);
    rows -= count;
  }
  T max = rows > 0 ? Max(x, n) : 0;
  for (; rows > 0; --rows, x += x_stride, y += y_stride) {
    const T sum = SumOfExponentials(max, x, n, [y](std::size_t i) HWY_ATTR { return y + i; });
    // The next row's, while the sum is waited for.
    if (rows > 1) max = Max(x + x_stride, n);
    Map(d, DividedBy<T>(sum), y, n, y);
  }
}

// y_i = (x_i - max) - log(sum of e^(x_j - max)), the sum being softmax's.
template <typename T>
void RunLogSoftmax(const T* x, std::ptrdiff_t x_stride, T* y, std::ptrdiff_t y_stride, std::size_t rows,
                   std::size_t n) {
  const hn::ScalableTag<T> d;
  const FunctionTag<T> df;
  while (n <= kVirtualLanes && rows > 0) {
    const std::size_t count = HWY_MIN(rows, ShortRows<T>::kRows);
    ShortRows<T> some;
    some.Take(x, x_stride, count, n);
    MapFormula(df, Function<Log>(), some.sum, count, some.sum);
    for (std::size_t i = 0; i < count; ++i, x += x_stride, y += y_stride)
      Map(d, MinusBoth<T>{some.max[i], some.sum[i]}, y, n, x);
    rows -= count;
  }
  for (; rows > 0; --rows, x += x_stride, y += y_stride) {
    HWY_ALIGN T e[kSoftmaxBlock];  // y may be x, so it cannot hold them
    const T max = Max(x, n);
    const T sum = SumOfExponentials(max, x, n, [&e](std::size_t /*i*/) HWY_ATTR { return e; });
    const T log_sum = hn::GetLane(Function<Log>()(df, hn::Set(df, sum)));
    Map(d, MinusBoth<T>{max, log_sum}, y, n, x);
  }
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
  Map(hn::ScalableTag<T>(), SoftmaxGradient<T>{lanes.Combined()}, dx, n, y, dy);
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
