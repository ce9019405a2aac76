// SPDX-License-Identifier: Apache-2.0
//
// Declared in free_kernels.h. The tiles are put together from the pieces of gemm_columns-inl.h and gemm_steps-inl.h;
// functions, whose pieces are the contract's operations, are written anew: about as accurate, for ordinary inputs alone
// (no care for overflow, NaN or denormal results), which favours them.

#include "targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "free_kernels.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "free_kernels.h"
#include "gemm-inl.h"

#include <utility>

HWY_BEFORE_NAMESPACE();
namespace lanewise::bench::HWY_NAMESPACE {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
namespace hn = hwy::HWY_NAMESPACE;
namespace own = lanewise::HWY_NAMESPACE;
using kernels::GemmKernel;
using kernels::GemmTiles;
using kernels::TileArgs;
using own::TileShape;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr std::size_t kLanes = HWY_LANES(float);

// ---- Products ------------------------------------------------------------------------------------------------------

// ColumnTile without chunks.
template <int kRows, int kVecs, int kPanels, int kChains>
void Tile(const TileArgs<float>& t) {
  const D d;
  constexpr int kCount = kRows * kVecs * kPanels;
  constexpr std::make_index_sequence<kCount> kAllOutputs;
  constexpr int kSums = own::kChainsAtOnce<kChains, kCount> * kCount;
  V acc[kSums];
  own::ZeroAll(hn::Zero(d), acc, std::make_index_sequence<kSums>());
  if (t.first) own::StartAll<kVecs * kPanels>(d, t, acc, kAllOutputs);
  const own::Position<float> at{t.a, t.b, t.next};
  own::SumChunk<kChains, kRows, kVecs, kPanels, false>(d, t, at, t.k, acc);
  own::FinishAll<kVecs * kPanels>(d, t, t.first, acc, kAllOutputs);
}

template <int kRows, int kPanels, int kVecs, int kChains>
constexpr kernels::TileFunction<float> WideOrNull() {
  if constexpr (kPanels == 1) return nullptr;
  return &Tile<kRows, kVecs, kPanels, kChains>;
}

// The contract's tiles without chunks. kLong: whether few rows still take several parts of K side by side.
template <int kVecs, int kChains, bool kLong, std::size_t... kRow, std::size_t... kFew>
constexpr GemmTiles<float> WithoutChunks(GemmTiles<float> tiles, std::index_sequence<kRow...>,
                                         std::index_sequence<kFew...>) {
  constexpr const int(&kWide)[kernels::kMaxFewRows] = kChains == 1 ? TileShape::kWide1 : TileShape::kWide4;
  tiles.mr = sizeof...(kRow);
  ((tiles.tile[kRow] = &Tile<kRow + 1, kVecs, 1, kChains>), ...);
  ((tiles.tile_blocks[kRow] = &own::ColumnBlocks<float, kRow + 1, kVecs, kChains, false>), ...);
  ((tiles.wide_panels[kFew] = kWide[kFew]), ...);
  ((tiles.wide[kFew] = WideOrNull<kFew + 1, kWide[kFew], kVecs, kChains>()), ...);
  if (tiles.slim_nr != 0) {
    ((tiles.slim[kRow] = &Tile<kRow + 1, 1, 1, kChains>), ...);
    ((tiles.slim_blocks[kRow] = &own::ColumnBlocks<float, kRow + 1, 1, kChains, false>), ...);
  }
  if (!kLong) ((tiles.long_k[kFew] = nullptr), ...);
  return tiles;
}

template <int kRows4, int kChains4, bool kLong>
constexpr GemmKernel<float> MakeKernel() {
  constexpr std::make_index_sequence<kernels::kMaxFewRows> kFew;
  GemmKernel<float> kernel = own::MakeGemmKernel<float>();
  kernel.chains1 =
      WithoutChunks<TileShape::kVecs1, 1, kLong>(kernel.chains1, std::make_index_sequence<TileShape::kRows1>(), kFew);
  kernel.interleaved4 = {};  // its four chains are the contract's
  kernel.chains4 = WithoutChunks<1, kChains4, kLong>(kernel.chains4, std::make_index_sequence<kRows4>(), kFew);
  return kernel;
}

// A vector with p's lanes from k on, as far as there are.
template <bool kFull>
HWY_INLINE V LoadPart(D d, const float* p, std::size_t n) {
  return kFull ? hn::LoadU(d, p) : own::LoadFirst(d, p, n);
}

// kRows x kCols outputs of kStreams accumulators each; indices as template parameters, as in gemm_columns-inl.h.
template <bool kFull, int kCols, std::size_t... kI>
HWY_INLINE void DotStep(D d, const float* a, const float* b, std::ptrdiff_t k, std::size_t n, V* acc,
                        std::index_sequence<kI...>) {
  ((acc[kI] = hn::MulAdd(LoadPart<kFull>(d, a + static_cast<std::ptrdiff_t>(kI / kCols) * k, n),
                         LoadPart<kFull>(d, b + static_cast<std::ptrdiff_t>(kI % kCols) * k, n), acc[kI])),
   ...);
}

template <int kRows, int kCols, int kStreams, std::size_t... kI>
HWY_INLINE void DotTile(const float* a, const float* b, const float* bias, float* c, std::ptrdiff_t n, std::ptrdiff_t k,
                        std::index_sequence<kI...> outputs) {
  const D d;
  constexpr std::size_t kCount = sizeof...(kI);
  V acc[kCount * kStreams];
  own::ZeroAll(hn::Zero(d), acc, std::make_index_sequence<kCount * kStreams>());
  std::size_t i = 0;
  const auto length = static_cast<std::size_t>(k);
  for (; i + kStreams * kLanes <= length; i += kStreams * kLanes) {
    for (std::size_t s = 0; s < kStreams; ++s) {
      DotStep<true, kCols>(d, a + i + s * kLanes, b + i + s * kLanes, k, 0, acc + s * kCount, outputs);
    }
  }
  for (; i + kLanes <= length; i += kLanes) DotStep<true, kCols>(d, a + i, b + i, k, 0, acc, outputs);
  if (i < length) DotStep<false, kCols>(d, a + i, b + i, k, length - i, acc, outputs);
  for (std::size_t s = 1; s < kStreams; ++s) ((acc[kI] = hn::Add(acc[kI], acc[s * kCount + kI])), ...);
  ((c[static_cast<std::ptrdiff_t>(kI / kCols) * n + static_cast<std::ptrdiff_t>(kI % kCols)] =
        bias[kI % kCols] + hn::GetLane(hn::SumOfLanes(d, acc[kI]))),
   ...);
}

template <int kRows, int kCols, int kStreams>
void Dots(const float* a, const float* b, const float* bias, float* c, std::ptrdiff_t n, std::ptrdiff_t k) {
  DotTile<kRows, kCols, kStreams>(a, b, bias, c, n, k, std::make_index_sequence<kRows * kCols>());
}

// Columns in groups of five (ten outputs) or alone.
void RunDotProducts(const float* a, const float* b, const float* bias, float* c, std::ptrdiff_t m, std::ptrdiff_t n,
                    std::ptrdiff_t k) {
  for (std::ptrdiff_t i = 0; i < m;) {
    const float* row = a + i * k;
    float* out = c + i * n;
    const std::ptrdiff_t rows = n >= 5 ? (m - i >= 2 ? 2 : 1) : (m - i >= 4 ? 4 : 1);
    std::ptrdiff_t j = 0;
    for (; j + 5 <= n; j += 5) {
      (rows == 2 ? Dots<2, 5, 1> : Dots<1, 5, 2>)(row, b + j * k, bias + j, out + j, n, k);
    }
    for (; j < n; ++j) {
      (rows == 4 ? Dots<4, 1, 2> : rows == 2 ? Dots<2, 1, 4> : Dots<1, 1, 8>)(row, b + j * k, bias + j, out + j, n, k);
    }
    i += rows;
  }
}

// ---- Functions -----------------------------------------------------------------------------------------------------

// An estimate of 1 / x good enough for one more step of Newton's: 14 bits as it comes, 12 or 8.
HWY_INLINE V RoughReciprocal(D d, V x) {
#if HWY_TARGET == HWY_AVX3
  return V{_mm512_rcp14_ps(x.raw)};
#else
  V y = hn::ApproximateReciprocal(x);
  constexpr int kSteps = HWY_TARGET == HWY_AVX2 ? 1 : 2;
  for (int i = 0; i < kSteps; ++i) y = hn::MulAdd(y, hn::NegMulAdd(x, y, hn::Set(d, 1.0F)), y);
  return y;
#endif
}

// Within 1 ULP, by a division or an estimate.
template <bool kEstimate>
HWY_INLINE V Reciprocal(D d, V x) {
  if constexpr (!kEstimate) return hn::Div(hn::Set(d, 1.0F), x);
  const V y = RoughReciprocal(d, x);
  return hn::MulAdd(y, hn::NegMulAdd(x, y, hn::Set(d, 1.0F)), y);
}

// e^x for |x| <= 87.
HWY_INLINE V Exp(D d, V x) {
  const V shifter = hn::Set(d, 0x1.8p23F);
#if HWY_TARGET == HWY_AVX3
  // Sixteenths of the exponent through a table; scalef puts the whole part on.
  alignas(64) static constexpr float kSixteenths[16] = {0x1p0F,        0x1.0b5586p0F, 0x1.172b84p0F, 0x1.2387a6p0F,
                                                        0x1.306fep0F,  0x1.3dea64p0F, 0x1.4bfdaep0F, 0x1.5ab07ep0F,
                                                        0x1.6a09e6p0F, 0x1.7a1148p0F, 0x1.8ace54p0F, 0x1.9c4918p0F,
                                                        0x1.ae89fap0F, 0x1.c199bep0F, 0x1.d5818ep0F, 0x1.ea4afap0F};
  const V shifted = hn::MulAdd(x, hn::Set(d, 0x1.715476p4F), shifter);
  const V n = hn::Sub(shifted, shifter);
  const V r = hn::NegMulAdd(n, hn::Set(d, -0x1.05c61p-33F), hn::NegMulAdd(n, hn::Set(d, 0x1.62e43p-5F), x));
  V p = hn::MulAdd(r, hn::Set(d, 0x1.555556p-3F), hn::Set(d, 0.5F));
  p = hn::MulAdd(hn::Mul(r, r), p, r);
  const __m512 entry = _mm512_permutexvar_ps(_mm512_castps_si512(shifted.raw), _mm512_load_ps(kSixteenths));
  const V scale{_mm512_scalef_ps(entry, hn::Mul(n, hn::Set(d, 0x1p-4F)).raw)};
  return hn::MulAdd(scale, p, scale);
#else
  const hn::RebindToSigned<D> di;
  const V shifted = hn::MulAdd(x, hn::Set(d, 0x1.715476p0F), shifter);
  const V n = hn::Sub(shifted, shifter);
  const V r = hn::NegMulAdd(n, hn::Set(d, -0x1.05c61p-29F), hn::NegMulAdd(n, hn::Set(d, 0x1.62e43p-1F), x));
  V p = hn::MulAdd(r, hn::Set(d, 0x1.6c6a06p-10F), hn::Set(d, 0x1.1239acp-7F));
  p = hn::MulAdd(r, p, hn::Set(d, 0x1.555472p-5F));
  p = hn::MulAdd(r, p, hn::Set(d, 0x1.555496p-3F));
  p = hn::MulAdd(r, p, hn::Set(d, 0.5F));
  p = hn::MulAdd(hn::Mul(r, r), p, r);
  const V scale = hn::BitCast(d, hn::Add(hn::ShiftLeft<23>(hn::BitCast(di, shifted)), hn::Set(di, 0x3F800000)));
  return hn::MulAdd(scale, p, scale);
#endif
}

// S = 1 + e^-x and what its rounding lost; one step of Newton's corrects the estimate for both. As accurate as the
// contract's, which divides and then corrects.
struct Sigmoid {
  HWY_INLINE V operator()(D d, V x) const {
    const V one = hn::Set(d, 1.0F);
    const V e = Exp(d, hn::Neg(x));
    const V sum = hn::Add(one, e);
    const V lost = hn::Sub(hn::Min(one, e), hn::Sub(sum, hn::Max(one, e)));
    const V y = RoughReciprocal(d, sum);
    return hn::MulAdd(y, hn::NegMulAdd(y, lost, hn::NegMulAdd(y, sum, one)), y);
  }
};

// As kernels/exp-inl.h: b - b (b^2 / S).
template <bool kEstimate>
struct Tanh {
  HWY_INLINE V operator()(D d, V x) const {
    const V a = hn::Abs(x);
    const auto large = hn::Ge(a, hn::Set(d, 0.93F));
    const V b = hn::IfThenElse(large, hn::Set(d, 1.0F), a);
    const V square = hn::Mul(b, b);
    const V clamped = hn::Min(a, hn::Set(d, 20.0F));
    const V e = hn::Mul(hn::Set(d, 0.5F), Exp(d, hn::Add(clamped, clamped)));
    V p = hn::MulAdd(square, hn::Set(d, 0x1.eca3e2p-13F), hn::Set(d, -0x1.75e2c6p-8F));
    p = hn::MulAdd(square, p, hn::Set(d, 0x1.33331ep0F));
    p = hn::MulAdd(square, p, hn::Set(d, 0x1.8p1F));
    const V s = hn::IfThenElse(large, hn::Add(e, hn::Set(d, 0.5F)), p);
    const V y = hn::NegMulAdd(b, hn::Mul(square, Reciprocal<kEstimate>(d, s)), b);
    return hn::CopySignToAbs(y, x);
  }
};

template <class Function>
void RunUnary(const float* x, float* y, std::size_t n) {
  const D d;
  const Function f;
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) hn::StoreU(f(d, hn::LoadU(d, x + i)), d, y + i);
  if (i < n) own::StoreFirst(d, f(d, own::LoadFirst(d, x + i, n - i)), y + i, n - i);
}

// Four vectors of sums; the largest element by the instruction that does not tell NaN and zeros apart.
HWY_INLINE void SoftmaxOfRow(const float* x, float* y, std::size_t n) {
  const D d;
  constexpr std::size_t kVecs = 4;
  const std::size_t whole = n / (kVecs * kLanes) * (kVecs * kLanes);
  V largest[kVecs];
  V sum[kVecs];
  for (std::size_t v = 0; v < kVecs; ++v) {
    largest[v] = hn::Set(d, -3e38F);
    sum[v] = hn::Zero(d);
  }
  for (std::size_t i = 0; i < whole; i += kVecs * kLanes) {
    for (std::size_t v = 0; v < kVecs; ++v) largest[v] = hn::Max(largest[v], hn::LoadU(d, x + i + v * kLanes));
  }
  for (std::size_t i = whole; i < n; i += kLanes) {
    const std::size_t count = HWY_MIN(n - i, kLanes);
    largest[0] = hn::IfThenElse(hn::FirstN(d, count), hn::Max(largest[0], own::LoadFirst(d, x + i, count)), largest[0]);
  }
  const V max = hn::MaxOfLanes(d, hn::Max(hn::Max(largest[0], largest[1]), hn::Max(largest[2], largest[3])));
  const V floor = hn::Set(d, -87.0F);
  const auto exp = [&](V in) HWY_ATTR { return Exp(d, hn::Max(hn::Sub(in, max), floor)); };
  for (std::size_t i = 0; i < whole; i += kVecs * kLanes) {
    for (std::size_t v = 0; v < kVecs; ++v) {
      const V e = exp(hn::LoadU(d, x + i + v * kLanes));
      hn::StoreU(e, d, y + i + v * kLanes);
      sum[v] = hn::Add(sum[v], e);
    }
  }
  for (std::size_t i = whole; i < n; i += kLanes) {
    const std::size_t count = HWY_MIN(n - i, kLanes);
    const V e = hn::IfThenElseZero(hn::FirstN(d, count), exp(own::LoadFirst(d, x + i, count)));
    own::StoreFirst(d, e, y + i, count);
    sum[0] = hn::Add(sum[0], e);
  }
  const V inverse = Reciprocal<false>(d, hn::SumOfLanes(d, hn::Add(hn::Add(sum[0], sum[1]), hn::Add(sum[2], sum[3]))));
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) hn::StoreU(hn::Mul(hn::LoadU(d, y + i), inverse), d, y + i);
  if (i < n) own::StoreFirst(d, hn::Mul(own::LoadFirst(d, y + i, n - i), inverse), y + i, n - i);
}

void RunSoftmax(const float* x, float* y, std::size_t rows, std::size_t n) {
  for (; rows != 0; --rows, x += n, y += n) SoftmaxOfRow(x, y, n);
}

// One chain at N <= 16 leaves room for more rows.
constexpr int kRowsOfOneChain = HWY_TARGET == HWY_AVX3 ? 14 : 12;

extern const FreeKernels kFree;
constexpr FreeKernels kFree = {{MakeKernel<TileShape::kRows4, 4, false>(), MakeKernel<TileShape::kRows4, 4, true>(),
                                MakeKernel<kRowsOfOneChain, 1, true>()},
                               &RunDotProducts,
                               &RunUnary<Sigmoid>,
                               {&RunUnary<Tanh<false>>, &RunUnary<Tanh<true>>},
                               &RunSoftmax};

#endif  // HWY_TARGET
}  // namespace lanewise::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lanewise::bench {

// clang-format off
#if HWY_TARGETS & HWY_AVX2
namespace N_AVX2 { extern const FreeKernels kFree; }
#endif
#if HWY_TARGETS & HWY_AVX3
namespace N_AVX3 { extern const FreeKernels kFree; }
#endif
#if HWY_TARGETS & HWY_NEON
namespace N_NEON { extern const FreeKernels kFree; }
#endif
// clang-format on

const FreeKernels* FreeKernelsOf(Tier tier) {
#if HWY_TARGETS & HWY_AVX2
  if (tier == Tier::kAvx2) return &N_AVX2::kFree;
#endif
#if HWY_TARGETS & HWY_AVX3
  if (tier == Tier::kAvx512) return &N_AVX3::kFree;
#endif
#if HWY_TARGETS & HWY_NEON
  if (tier == Tier::kNeon) return &N_NEON::kFree;
#endif
  return nullptr;
}

}  // namespace lanewise::bench
#endif  // HWY_ONCE
