// SPDX-License-Identifier: Apache-2.0
//
// How a product is computed: PlanGemm decides, Explain says why. gemm_run.cc carries plans out.

#include <algorithm>

#include "fmt/format.h"
#include "lanewise/gemm.h"
#include "gemm_run.h"
#include "pack.h"
#include "typed_rows.h"

namespace lanewise {

namespace {

using kernels::kQ;

// B is read in place where a copy would not pay: up to so many row blocks, since each reads all of B once and a copy
// costs about as much as one more; up to so many steps of K, since a panel then takes a small part of L1 wherever it
// lies; and if all of B takes no more than a quarter of L2. Measured on Zen 5: 5 to 10 % faster at 64 to 256 cubed.
constexpr std::ptrdiff_t kInPlaceRowBlocks = 2;
constexpr std::ptrdiff_t kInPlaceK = 64;

// Longest part of K that a tile takes at once.
constexpr std::ptrdiff_t kMaxKc = 4 * kQ;

// ceil(a / b) for a >= 0, b > 0. Divisions of 64 bits take up to 90 cycles on CPUs before Ice Lake, those of 32 bits
// 26: for a small product that counts.
std::ptrdiff_t CeilDiv(std::ptrdiff_t a, std::ptrdiff_t b) {
  if ((a | b) >> 31 != 0) return (a + b - 1) / b;
  return static_cast<std::ptrdiff_t>((static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b) - 1) /
                                     static_cast<std::uint32_t>(b));
}

PackA ChoosePackA(const GemmShape& shape, const GemmPlan& plan, bool unit_k_stride) {
  if (shape.scaled) return PackA::kForAlpha;
  if (unit_k_stride && shape.a_k_stride != 1 && shape.k > 1) return PackA::kForUnitStride;
  // Rows a multiple of 2 KiB apart fall into two sets of a 4 KiB way of L1 at most; more of them than an 8-way cache
  // can hold beside the panel evict each other at each k. Copying A pays once each row is used for several panels.
  // (A stride of 0 is one row repeated. Where there are several rows and steps, the bytes of a stride are a number.)
  if (shape.a_k_stride != 1 || shape.m < 8 || shape.k <= 1 || shape.n < 4 * plan.nr) return PackA::kNo;
  const std::ptrdiff_t row_stride = shape.a_row_stride == kDenseStride ? shape.k : shape.a_row_stride;
  const bool aliased =
      row_stride != 0 && row_stride % (2048 / static_cast<std::ptrdiff_t>(internal::SizeOf(shape.type))) == 0;
  return aliased ? PackA::kForCacheSets : PackA::kNo;
}

PackB ChoosePackB(const GemmShape& shape, const GemmPlan& plan) {
  if (shape.b_packed) return PackB::kBeforehand;
  if (plan.n == 1) {
    const bool contiguous = shape.b_k_stride == 1 || shape.b_k_stride == kDenseStride || shape.k <= 1;
    return contiguous ? PackB::kInPlace : PackB::kEachCall;
  }
  const bool pays = plan.row_blocks > kInPlaceRowBlocks && shape.k > kInPlaceK &&
                    CeilDiv(static_cast<std::ptrdiff_t>(plan.l2 / 4 / internal::SizeOf(shape.type)), shape.k) < shape.n;
  return shape.b_column_stride == 1 && !pays ? PackB::kInPlace : PackB::kEachCall;
}

GemmSplit ChooseSplit(const GemmPlan& plan, int threads) {
  if (threads <= 1) return GemmSplit::kOneThread;
  const double multiply_adds = static_cast<double>(plan.m) * static_cast<double>(plan.n) * static_cast<double>(plan.k);
  if (multiply_adds < plan.thread_break_even) return GemmSplit::kSmall;
  // Columns first: a thread then packs and keeps its own part of B. Rows where that leaves a thread less than two
  // panels, or less than rows would give it.
  if (plan.panels >= 2 * threads) return GemmSplit::kColumns;
  if (plan.row_blocks >= threads) return GemmSplit::kRows;
  return plan.panels >= threads ? GemmSplit::kColumns : GemmSplit::kIndivisible;
}

template <typename T>
GemmPlan PlanFor(const GemmShape& shape, const Kernels& kernels, const Machine& machine, int threads) {
  const kernels::GemmKernel<T>& kernel = internal::GemmRow<T>(kernels.table());
  const kernels::GemmTiles<T>& tiles = kernel.ForChains(kernels::Chains(shape.n));
  GemmPlan plan;
  plan.type = shape.type;
  plan.m = shape.m;
  plan.n = shape.n;
  plan.k = shape.k;
  plan.tier = kernel.tier;
  plan.mr = tiles.mr;
  plan.nr = tiles.nr;
  plan.chains = kernels::Chains(shape.n);
  plan.thread_break_even = machine.thread_break_even;
  plan.l2 = machine.l2;
  plan.panels = CeilDiv(plan.n, plan.nr);
  plan.row_blocks = CeilDiv(plan.m, plan.mr);
  plan.block_rows = plan.row_blocks == 0 ? 0 : static_cast<std::int32_t>(CeilDiv(plan.m, plan.row_blocks));
  plan.few_rows = plan.m <= tiles.few_rows;
  plan.pack_a = ChoosePackA(shape, plan, tiles.unit_k_stride);
  plan.pack_b = ChoosePackB(shape, plan);
  plan.split = ChooseSplit(plan, threads);
  plan.tasks = plan.split == GemmSplit::kColumns || plan.split == GemmSplit::kRows ? threads : 1;

  // Blocks of B of equal width in a quarter of L2, beside the next ones, which are prefetched, and rows of A. They
  // hold all of K up to kMaxKc, so that C is written once.
  plan.kc = plan.few_rows || plan.k <= kMaxKc ? std::max<std::ptrdiff_t>(plan.k, 1)
                                              : CeilDiv(CeilDiv(plan.k, kQ), CeilDiv(plan.k, kMaxKc)) * kQ;
  const auto room = static_cast<std::ptrdiff_t>(machine.l2 / (4 * sizeof(T)));
  const std::ptrdiff_t most = std::max<std::ptrdiff_t>(room / (plan.kc * plan.nr), 1);
  plan.block_panels = plan.panels <= most ? plan.panels : CeilDiv(plan.panels, CeilDiv(plan.panels, most));
  plan.prefetch_b =
      plan.pack_b == PackB::kBeforehand && plan.row_blocks > 1 && plan.k * plan.panels * plan.nr > 2 * room;

  if (plan.pack_a != PackA::kNo) {
    plan.a_scratch = static_cast<std::size_t>(plan.m * internal::PackedRowStride<T>(plan.k));
  }
  const bool whole_panels = plan.n % plan.nr == 0;
  const bool b_lies_right = plan.pack_b == PackB::kBeforehand ||
                            (plan.pack_b == PackB::kInPlace && (whole_panels || tiles.narrow[0] != nullptr));
  plan.direct = plan.tasks == 1 && plan.pack_a == PackA::kNo && b_lies_right && plan.k > 0 &&
                (plan.few_rows ? plan.k < 2 * kQ : plan.block_panels == plan.panels && plan.kc == plan.k);
  plan.outer = plan.k == 1 && plan.tasks == 1 && plan.pack_a == PackA::kNo && plan.n <= INT32_MAX &&
               (plan.pack_b == PackB::kInPlace || (plan.pack_b == PackB::kBeforehand && plan.panels == 1));
  plan.direct = plan.direct || plan.outer;
  plan.prefetch_b = plan.prefetch_b && !plan.direct;
  if (plan.direct) return plan;

  if (plan.pack_b == PackB::kInPlace) {
    // The last panel, if it is partial.
    plan.task_scratch = whole_panels ? 0 : static_cast<std::size_t>(internal::PanelStride<T>(plan.kc, plan.nr));
  } else if (plan.pack_b == PackB::kEachCall && plan.split == GemmSplit::kRows) {
    plan.b_scratch = static_cast<std::size_t>(plan.panels * internal::PanelStride<T>(plan.k, plan.nr));
  } else if (plan.pack_b == PackB::kEachCall) {
    const std::ptrdiff_t packed = plan.few_rows ? kernels::kMaxWidePanels : plan.block_panels;
    plan.task_scratch = static_cast<std::size_t>(packed * internal::PanelStride<T>(plan.kc, plan.nr));
  }
  return plan;
}

std::string_view Because(PackA pack) {
  switch (pack) {
    case PackA::kNo:
      return "read in place";
    case PackA::kForAlpha:
      return "packed: alpha scales it on the way";
    case PackA::kForUnitStride:
      return "packed: the one-column kernel runs along K and needs it contiguous";
    case PackA::kForCacheSets:
      return "packed: its rows lie a multiple of 2 KiB apart and would evict each other from L1";
  }
  return "";
}

std::string_view Because(PackB pack) {
  switch (pack) {
    case PackB::kBeforehand:
      return "packed beforehand";
    case PackB::kInPlace:
      return "read in place: a copy would not pay";
    case PackB::kEachCall:
      return "packed at each call";
  }
  return "";
}

std::string Because(const GemmPlan& plan) {
  switch (plan.split) {
    case GemmSplit::kSmall:
      return fmt::format("1 (below the break-even of {:.0f} multiply-adds)", plan.thread_break_even);
    case GemmSplit::kOneThread:
      return "1 (all that the context has)";
    case GemmSplit::kColumns:
      return fmt::format("{} (each owns whole panels of B)", plan.tasks);
    case GemmSplit::kRows:
      return fmt::format("{} (each owns rows of C)", plan.tasks);
    case GemmSplit::kIndivisible:
      return "1 (neither rows nor columns give each thread a tile)";
  }
  return "";
}

// What the contract's order of sums costs, in words, where it costs much: against the fastest sums in any order, for a
// layer of K up to 784 with packed weights on Zen 5 (`./run bench --benchmark_filter=contract_`, README).
std::string PriceOfOrder(const GemmPlan& plan) {
  if (ClassOf(plan) != NumericClass::kFma || plan.k == 0) return "";
  if (plan.chains == 4) {
    return "lanes run over the few columns and some idle: sums in any order were up to 70 % faster (avx2: 100 %)";
  }
  if (plan.chains == 16 && plan.m < 8) return "16 chains for each of few sums: more were up to 30 % faster";
  return "";
}

}  // namespace

GemmPlan PlanGemm(const GemmShape& shape, const Kernels& kernels, const Machine& machine, int threads) {
  switch (shape.type) {
    case ElementType::kF32:
      return PlanFor<float>(shape, kernels, machine, threads);
    case ElementType::kF64:
      return PlanFor<double>(shape, kernels, machine, threads);
    case ElementType::kI32:
      return PlanFor<std::int32_t>(shape, kernels, machine, threads);
    case ElementType::kI64:
      return PlanFor<std::int64_t>(shape, kernels, machine, threads);
  }
  return {};
}

std::string Explain(const GemmPlan& plan) {
  std::string text;
  const auto line = [&text](std::string_view label, const std::string& value) {
    text += fmt::format("{:<9}{}\n", label, value);
  };
  line("product", fmt::format("gemm_{}  M={} N={} K={}", Name(plan.type), plan.m, plan.n, plan.k));
  const std::string_view width = plan.chains == 1 ? "N > 16" : plan.chains == 4 ? "N = 2..16" : "N = 1";
  const bool exact = ClassOf(plan) == NumericClass::kExact;
  line("kernel",
       fmt::format("{}, tile {}x{}, {}", Name(plan.tier), plan.mr, plan.nr,
                   exact ? fmt::format("sums in any order ({})", width)
                         : fmt::format("{} chain{} per output ({})", plan.chains, plan.chains == 1 ? "" : "s", width)));
  if (plan.outer) {
    line("blocks", "none: row after row, because K = 1");
  } else if (plan.direct) {
    line("blocks",
         fmt::format("none: tile after tile, the longest of {} rows, from where A and B lie", plan.block_rows));
  } else if (plan.few_rows) {
    line("blocks", fmt::format("none: few rows, so panels side by side, or where no more are left chunks of K={}", kQ));
  } else {
    line("blocks", fmt::format("KC={} ({}), NC={} (a quarter of {} KiB of L2)", plan.kc,
                               plan.kc >= plan.k ? "all of K" : "chunks of the contract", plan.block_panels * plan.nr,
                               plan.l2 / 1024));
  }
  line("A", std::string(Because(plan.pack_a)));
  line("B", fmt::format("{} (panels of {}{})", Because(plan.pack_b), plan.nr,
                        plan.prefetch_b ? "; they lie beyond L2, so the next ones are prefetched" : ""));
  line("threads", Because(plan));
  line("bits", fmt::format("class {}: the same on every tier{}, for any threads and blocks", Name(ClassOf(plan)),
                           exact ? "" : " of the class"));
  if (const std::string price = PriceOfOrder(plan); !price.empty()) line("price", price);
  return text;
}

}  // namespace lanewise
