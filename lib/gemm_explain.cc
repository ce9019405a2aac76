// SPDX-License-Identifier: Apache-2.0
//
// Plans in words.

#include <algorithm>

#include "format.h"
#include "gemm_run.h"
#include "lanewise/gemm.h"

namespace lanewise {

namespace {

using kernels::kQ;

std::string_view Because(PackA pack) {
  switch (pack) {
    case PackA::kNo:
      return "read in place";
    case PackA::kForAlpha:
      return "packed: alpha scales it on the way";
    case PackA::kForUnitStride:
      return "packed: the kernel's lanes run along K and need it contiguous";
    case PackA::kForCacheSets:
      return "packed: its rows lie a multiple of 2 KiB apart and would evict each other from L1";
    case PackA::kColumnsForCacheSets:
      return "packed: its columns lie a multiple of 2 KiB apart and would evict each other from L1";
    case PackA::kGroups:
      return "packed, MC rows at a time: they lie a multiple of 2 KiB apart and would evict each other from L2";
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

// Why there are no more tasks: there is nothing else to own, or too little to do. Nothing where the threads are.
std::string NoMore(const GemmPlan& plan, std::ptrdiff_t units) {
  if (plan.tasks == units) return "; there are no more of them";
  if (plan.tasks == internal::ThreadsWithWork(internal::MultiplyAdds(plan.m, plan.n, plan.k), plan.thread_break_even)) {
    return Format("; each has {:.0f} multiply-adds at least", plan.thread_break_even / 2);
  }
  return "";
}

std::string Because(const GemmPlan& plan) {
  switch (plan.split) {
    case GemmSplit::kSmall:
      return Format("1 (below the break-even of {:.0f} multiply-adds)", plan.thread_break_even);
    case GemmSplit::kOneThread:
      return "1 (all that the context has)";
    case GemmSplit::kColumns:
      return Format("{} (each owns whole panels of B{})", plan.tasks, NoMore(plan, plan.panels));
    case GemmSplit::kRows:
      return Format("{} (each owns blocks of rows of C{})", plan.tasks, NoMore(plan, plan.row_blocks));
    case GemmSplit::kChunksOfK:
      return Format("{} (each owns whole chunks of K={}, which are added up in order{})", plan.tasks, kQ,
                    NoMore(plan, internal::ChunksOf(plan.k)));
    case GemmSplit::kIndivisible:
      return "1 (a single tile, and a single chunk of K)";
  }
  return "";
}

// What the contract's order of sums costs, in words, where it costs much: against the fastest sums in any order, for a
// layer of K up to 784 with packed weights on Zen 5 (`./run bench --benchmark_filter=contract_`, README).
std::string PriceOfOrder(const GemmPlan& plan) {
  if (ClassOf(plan) != NumericClass::kFma || plan.k == 0) return "";
  if (plan.interleaved) return "four chains for each of few sums: sums in any order were up to 15 % faster";
  if (plan.chains == 16 && plan.m < 8) return "16 chains for each of few sums: more were up to 10 % faster";
  return "";
}

}  // namespace

std::string Explain(const GemmPlan& plan) {
  std::string text;
  const auto line = [&text](std::string_view label, const std::string& value) {
    text += Format("{:<9}{}\n", label, value);
  };
  line("product", Format("gemm_{}  M={} N={} K={}", Name(plan.type), plan.m, plan.n, plan.k));
  if (plan.m == 0 || plan.n == 0) {
    line("kernel", "none: C is empty");
    return text;
  }
  const std::string_view width = plan.chains == 1 ? "N > 16" : plan.chains == 4 ? "N = 2..16" : "N = 1";
  const std::string_view lanes = plan.interleaved ? ", four of them per column in the lanes" : "";
  const bool exact = ClassOf(plan) == NumericClass::kExact;
  const std::string tile = plan.outer || plan.b_in_registers ? "a row at a time"
                           : plan.lanes_over_rows            ? "a vector of rows at a time"
                                                             : Format("tile {}x{}", plan.mr, plan.nr);
  line("kernel",
       Format("{}, {}, {}", Name(plan.tier), tile,
              exact ? Format("sums in any order ({})", width)
                    : Format("{} chain{} per output{} ({})", plan.chains, plan.chains == 1 ? "" : "s", lanes, width)));
  if (plan.k == 0) {
    line("blocks", "none: K = 0, so that C is what its sums start from, bias and beta * C");
  } else if (plan.outer) {
    line("blocks", "none: row after row, because K = 1");
  } else if (plan.b_in_registers) {
    line("blocks", "none: row after row, because all of B fits in registers");
  } else if (plan.lanes_over_rows) {
    line("blocks",
         "none: the columns of A are contiguous, so lanes run over rows of C, a vector of them after the other");
  } else if (plan.direct) {
    line("blocks", Format("none: tile after tile, the longest of {} rows, from where A and B lie", plan.block_rows));
  } else if (plan.few_rows) {
    line("blocks", Format("none: few rows, so {}panels side by side, or where no more are left chunks of K={}",
                          plan.widest_tiles ? "many " : "", kQ));
  } else {
    const std::string_view all = plan.kc >= plan.k ? "all of K" : "chunks of the contract";
    const std::ptrdiff_t nc = plan.block_panels * plan.nr;
    const std::ptrdiff_t mc = std::min(plan.m, std::ptrdiff_t{plan.group_blocks} * plan.block_rows);
    line("blocks",
         plan.group_blocks > 1
             ? Format("KC={} ({}), MC={} (a quarter of {} KiB of L2), NC={} (L3)", plan.kc, all, mc, plan.l2 / 1024, nc)
             : Format("KC={} ({}), NC={} (a quarter of {} KiB of L2)", plan.kc, all, nc, plan.l2 / 1024));
  }
  line("A", Format("{}{}", Because(plan.pack_a),
                   plan.prefetch_a ? "; it lies beyond L2, so the next rows are prefetched" : ""));
  line("B", Format("{} (panels of {}{})", Because(plan.pack_b), plan.nr,
                   plan.prefetch_b ? "; they lie beyond L2, so the next ones are prefetched" : ""));
  line("threads", Because(plan));
  line("bits", Format("class {}: the same on every tier{}, for any threads and blocks", Name(ClassOf(plan)),
                      exact ? "" : " of the class"));
  if (const std::string price = PriceOfOrder(plan); !price.empty()) line("price", price);
  return text;
}

}  // namespace lanewise
