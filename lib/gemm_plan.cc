// SPDX-License-Identifier: Apache-2.0
//
// How a product is computed. gemm_explain.cc says why, gemm_run.cc carries plans out.

#include <algorithm>

#include "lanewise/gemm.h"
#include "gemm_run.h"
#include "pack.h"
#include "typed_rows.h"

namespace lanewise {

namespace {

using internal::ChunksOf;
using internal::MultiplyAdds;
using internal::ThreadsWithWork;
using kernels::kQ;

// B is read in place where a copy would not pay: up to so many row blocks, since each reads all of B once and a copy
// costs about as much as one more; up to so many steps of K, since a panel then takes a small part of L1 wherever it
// lies; and if all of B takes no more than a quarter of L2. Measured on Zen 5: 5 to 10 % faster at 64 to 256 cubed.
constexpr std::ptrdiff_t kInPlaceRowBlocks = 2;
constexpr std::ptrdiff_t kInPlaceK = 64;

// Rows of C from which lanes run over them, where they can and columns would leave lanes idle: a vector of the widest.
// 128x10x32 on Zen 5: 1.47 times as fast on avx512, 1.62 on avx2, 1.35 on sse4; with 16 columns 0.87, 1.07, 1.10.
constexpr std::ptrdiff_t kRowsForLanes = 16;

// Weights, or an A, of so many quarters of L2 lie in memory. A single block of rows prefetches them: nothing is read
// twice, and from L3 the hardware does as well. Zen 3, f32, 2 to 6 rows, from memory: 1.9 to 3.1 times as fast; from L3
// 0.6 (2 rows) to 1.1. One row, 1.0, reads more panels side by side instead.
constexpr std::ptrdiff_t kBeyondCaches = 64;

// A block of B beside groups of row blocks, in quarters of L2: it lies in L3. Zen 3, 32 MiB of L3 for several virtual
// machines, 512 KiB of L2: 8 differs by less than the noise, 32 and 64 take 1.1 to 1.25 times as long. 2048 cubed by
// such blocks and groups: doubles 1.8 times as fast, floats 1.4; 50000 x 128 x 784 1.3. A's part in half of L2 instead
// of a quarter, or a KC of 256 or 512: 0.9 to 1.04. For an A of less than kBeyondCaches: 0.8 to 1.0. Not measured
// elsewhere.
constexpr std::ptrdiff_t kGroupedBlock = 16;

// Cache sizes are untrusted: more is not believed, so that products of it do not overflow.
constexpr std::size_t kMostL2 = std::size_t{1} << 40;

// Longest part of K that a tile takes at once, so that C is written once, or seldom: 512 and 1024 differ by less than
// the noise on Zen 5, and 256 costs some percent.
constexpr std::ptrdiff_t kMaxKc = 4 * kQ;

// ceil(a / b) for a >= 0, b > 0. Divisions of 64 bits take up to 90 cycles on CPUs before Ice Lake, those of 32 bits
// 26: for a small product that counts.
std::ptrdiff_t CeilDiv(std::ptrdiff_t a, std::ptrdiff_t b) {
  if (a <= b) return a == 0 ? 0 : 1;
  if ((a | b) >> 31 != 0) return (a + b - 1) / b;
  return static_cast<std::ptrdiff_t>((static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b) - 1) /
                                     static_cast<std::uint32_t>(b));
}

// Lines of cache that lie `stride` elements apart, a multiple of 2 KiB, fall into two sets of each way of L1 at most
// (ways have 4 KiB: L1 is looked up by the bits within a page). If they are more than the ways they evict each other.
bool EvictEachOther(std::ptrdiff_t stride, std::ptrdiff_t lines, std::ptrdiff_t ways, ElementType type) {
  return lines > ways && stride != 0 && stride % (2048 / static_cast<std::ptrdiff_t>(internal::SizeOf(type))) == 0;
}

std::ptrdiff_t RowStride(std::ptrdiff_t stride, std::ptrdiff_t dense) {
  return stride == kDenseStride ? dense : stride;
}

bool HasContiguousColumns(const GemmShape& shape) { return shape.a_row_stride == 1 && shape.a_k_stride != 1; }

PackA ChoosePackA(const GemmShape& shape, std::ptrdiff_t group_blocks, std::ptrdiff_t block_rows, std::ptrdiff_t nr,
                  bool unit_k_stride, std::ptrdiff_t ways) {
  if (shape.scaled) return PackA::kForAlpha;
  if (unit_k_stride && shape.a_k_stride != 1 && shape.k > 1) return PackA::kForUnitStride;
  // A copy pays once each row is used for enough panels. (A stride of 0 is one row repeated. Where there are several
  // rows and steps, the bytes of a stride are a number.)
  if (HasContiguousColumns(shape)) {
    // Zen 3, 8 ways, 1024 x 1024 x 32 and 128: 1.1 and 1.3 times as fast with the copy.
    constexpr std::ptrdiff_t kEnough = 32;
    const bool pays = shape.n >= kEnough * nr && EvictEachOther(shape.a_k_stride, shape.k, ways, shape.type);
    return pays ? PackA::kColumnsForCacheSets : PackA::kNo;
  }
  // Zen 5, 14 rows and 12 ways, time with the copy over that without: 16 panels 1.01 to 1.02, 32 panels 0.98 to 0.99,
  // 64 and more 0.93 to 0.97. With the 8 ways of older CPUs it has not been measured.
  const std::ptrdiff_t enough = 2 * block_rows <= 3 * ways ? 32 : 4;
  const auto evict_each_other = [&](std::ptrdiff_t rows) {
    return shape.a_k_stride == 1 && shape.k > 1 &&
           EvictEachOther(RowStride(shape.a_row_stride, shape.k), rows, ways, shape.type);
  };
  // A group is copied a part at a time, and L2 has no more ways than L1, or little more. Where rows lie otherwise the
  // copy costs 3 to 7 % (Zen 3: 50000 x 128 x 784, 2000 and 3000 cubed).
  if (group_blocks > 1) return evict_each_other(group_blocks * block_rows) ? PackA::kGroups : PackA::kNo;
  const bool pays = shape.n >= enough * nr && evict_each_other(block_rows);
  return pays ? PackA::kForCacheSets : PackA::kNo;
}

// Whether a product that can be computed by interleaved panels is. Packed weights are. For other B it takes steps of K
// that make up for adding up the lanes of each row, fewer where half of `nr` lanes of columns would be idle, and rows
// that make up for the copy. Time in place over that with the copy, Zen 3, avx2: 128 x {2, 10, 16} x 784 2.4, 1.4, 1.2,
// x 128 2.1, 1.2, 1.0, x 32 1.2, 0.9, 0.7; {16, 32} x 10 x 128 0.95, 1.1. Not measured on other tiers.
bool Interleaves(const GemmShape& shape, std::ptrdiff_t nr) {
  if (shape.b_packed) return true;
  const std::ptrdiff_t groups = shape.k / 4;
  const bool pays =
      groups >= (2 * shape.n <= nr ? 12 : 32) && static_cast<double>(shape.m - 8) * static_cast<double>(groups) > 512;
  return pays && (shape.a_k_stride == 1 || shape.scaled);
}

// Whether B is read in place and fits in registers, for kernels that hold it there.
template <typename T>
bool HoldsB(const GemmShape& shape, const kernels::GemmTiles<T>& tiles) {
  return !shape.b_packed && kernels::Chains(shape.n) == 4 && shape.n <= tiles.nr && shape.k > 1 &&
         shape.k <= kernels::kMaxHeldSteps && tiles.held[shape.k - 1] != nullptr && shape.b_column_stride == 1 &&
         shape.a_k_stride == 1;
}

// Whether the rows of A follow each other in memory, without wide gaps, so that those of the next tile are one stream.
bool CrossesMemoryInOrder(const GemmShape& shape) {
  return shape.a_k_stride == 1 &&
         (shape.a_row_stride == kDenseStride || (shape.a_row_stride >= shape.k && shape.a_row_stride / 2 <= shape.k));
}

PackB ChoosePackB(const GemmShape& shape, bool holds_b, bool interleaved, std::ptrdiff_t row_blocks,
                  std::ptrdiff_t ways, std::size_t l2) {
  if (shape.b_packed) return PackB::kBeforehand;
  if (holds_b) return PackB::kInPlace;
  if (interleaved) return PackB::kEachCall;
  if (shape.n == 1) {
    const bool contiguous = shape.b_k_stride == 1 || shape.b_k_stride == kDenseStride || shape.k <= 1;
    return contiguous ? PackB::kInPlace : PackB::kEachCall;
  }
  const auto is_large = [&] {
    return shape.k > kInPlaceK &&
           CeilDiv(static_cast<std::ptrdiff_t>(l2 / 4 / internal::SizeOf(shape.type)), shape.k) < shape.n;
  };
  const bool pays = row_blocks > kInPlaceRowBlocks &&
                    (is_large() || EvictEachOther(RowStride(shape.b_k_stride, shape.n), shape.k, ways, shape.type));
  return shape.b_column_stride == 1 && !pays ? PackB::kInPlace : PackB::kEachCall;
}

// How a product is cut for threads.
struct Cut {
  GemmSplit split;
  int tasks;
};

// n units cut into as nearly equal parts as can be, at most `threads` of them.
struct Parts {
  int count;
  double longest;  // share of all units
};
Parts CutInto(std::ptrdiff_t n, int threads) {
  const auto count = static_cast<int>(std::clamp<std::ptrdiff_t>(n, 1, threads));
  return {count, n == 0 ? 1 : static_cast<double>(CeilDiv(n, count)) / static_cast<double>(n)};
}

Cut ChooseCut(const GemmShape& shape, std::ptrdiff_t panels, std::ptrdiff_t row_blocks, const Machine& machine,
              int threads) {
  if (threads <= 1) return {GemmSplit::kOneThread, 1};
  const double work = MultiplyAdds(shape.m, shape.n, shape.k);
  if (work == 0 || work < machine.thread_break_even) return {GemmSplit::kSmall, 1};
  threads = std::min(threads, ThreadsWithWork(work, machine.thread_break_even));
  const Parts rows = CutInto(row_blocks, threads);
  const Parts columns = CutInto(panels, threads);
  // The sums of the chunks of K must stay in L2, and their addition costs something.
  const std::ptrdiff_t chunks = ChunksOf(shape.k);
  const Parts of_k = CutInto(chunks, threads);
  const double sums = MultiplyAdds(shape.m, shape.n, chunks) * static_cast<double>(internal::SizeOf(shape.type));
  if (1.5 * of_k.longest < std::min(rows.longest, columns.longest) && sums < static_cast<double>(machine.l2)) {
    return {GemmSplit::kChunksOfK, of_k.count};
  }
  // Columns first: a thread then packs and keeps its own part of B. Rows where that leaves a thread less than two
  // panels, or one of them much more than the others.
  const bool few_panels = panels < 2 * threads || columns.longest > 1.1 * rows.longest;
  if (rows.longest <= columns.longest && few_panels && rows.count > 1) return {GemmSplit::kRows, rows.count};
  if (columns.count > 1) return {GemmSplit::kColumns, columns.count};
  return {GemmSplit::kIndivisible, 1};
}

// The plan is put together at the end: GCC would fill one with zeros first, which takes a third of the time.
template <typename T>
GemmPlan PlanFor(const GemmShape& shape, const Kernels& kernels, const Machine& machine, int threads) {
  const std::ptrdiff_t m = shape.m;
  const std::ptrdiff_t n = shape.n;
  const std::ptrdiff_t k = shape.k;
  const kernels::GemmKernel<T>& kernel = internal::GemmRow<T>(kernels.table());
  const bool holds_b = HoldsB(shape, kernel.chains4);
  const bool interleaved = kernel.HasInterleaved(n) && !holds_b && Interleaves(shape, kernel.chains4.nr);
  const kernels::GemmTiles<T>& tiles = kernel.ForColumns(n, interleaved);
  const std::ptrdiff_t nr = tiles.nr;
  const std::ptrdiff_t panels = CeilDiv(n, nr);
  const std::ptrdiff_t row_blocks = CeilDiv(m, tiles.mr);
  const bool few_rows = m <= tiles.few_rows;
  const auto block_rows = row_blocks == 0 ? 0 : static_cast<std::int32_t>(CeilDiv(m, row_blocks));
  const auto ways = static_cast<std::ptrdiff_t>(machine.l1d / 4096);
  const PackB pack_b = ChoosePackB(shape, holds_b, interleaved, row_blocks, ways, machine.l2);
  const auto [split, tasks] = ChooseCut(shape, panels, row_blocks, machine, threads);

  // Blocks of B of equal width in a quarter of L2, beside the next ones, which are prefetched, and rows of A. They
  // hold all of K up to kMaxKc, so that C is written once. Where such blocks would make an A that lies in memory pass
  // by more than twice, a group of its row blocks takes the place in L2, and B's blocks are larger. (Twice: 50000 x 64
  // x 1024 in groups takes 1.1 times as long.)
  const auto room = static_cast<std::ptrdiff_t>(std::min(machine.l2, kMostL2) / (4 * sizeof(T)));
  const std::ptrdiff_t kc =
      few_rows || k <= kMaxKc ? std::max<std::ptrdiff_t>(k, 1) : CeilDiv(ChunksOf(k), CeilDiv(k, kMaxKc)) * kQ;
  const bool one_block = few_rows || (kc == k && panels * nr * k <= room);
  const std::ptrdiff_t group_blocks = !few_rows && m * k > kBeyondCaches * room && panels * nr * kc > 2 * room
                                          ? std::clamp<std::ptrdiff_t>(room / (kc * block_rows), 1, INT16_MAX)
                                          : 1;
  const bool grouped = group_blocks > 1;
  const std::ptrdiff_t block_room = grouped ? kGroupedBlock * room : room;
  const std::ptrdiff_t most_panels = one_block ? panels : std::max<std::ptrdiff_t>(block_room / (kc * nr), 1);
  const std::ptrdiff_t own_panels = split == GemmSplit::kColumns ? CeilDiv(panels, tasks) : panels;
  const std::ptrdiff_t block_panels =
      own_panels <= most_panels ? own_panels : CeilDiv(own_panels, CeilDiv(own_panels, most_panels));

  const PackA pack_a = ChoosePackA(shape, group_blocks, block_rows, nr, tiles.unit_k_stride, ways);
  const bool alone = tasks == 1 && pack_a == PackA::kNo;
  const bool whole_panels = n == panels * nr;
  const bool b_lies_right =
      pack_b == PackB::kBeforehand || (pack_b == PackB::kInPlace && (whole_panels || tiles.ReadsPartOfPanel(n % nr)));
  const bool outer = k == 1 && alone && tiles.outer != nullptr && n <= INT32_MAX &&
                     (pack_b == PackB::kInPlace || (pack_b == PackB::kBeforehand && panels == 1));
  const bool long_tiles = few_rows && k >= 2 * kQ;
  const bool lanes_over_rows = tiles.lanes_over_rows != nullptr && alone && k > 1 && pack_b == PackB::kInPlace &&
                               HasContiguousColumns(shape) && m >= kRowsForLanes && !whole_panels;
  const bool b_in_registers = holds_b && alone;
  const bool several_blocks = row_blocks > 1;
  const std::ptrdiff_t weights = pack_b == PackB::kBeforehand ? k * panels * nr : 0;
  const bool beyond_caches = weights > kBeyondCaches * room;
  const bool beyond_l2 = weights > 2 * room;
  const bool widest_tiles = m == 1 && beyond_caches && tiles.widest != nullptr;
  const bool prefetch_b = tiles.prefetches && m > 1 && !grouped && split != GemmSplit::kChunksOfK &&
                          (several_blocks ? beyond_l2 : beyond_caches);
  const bool prefetch_a = tiles.prefetches && several_blocks && !prefetch_b && !grouped && kc >= k &&
                          split != GemmSplit::kChunksOfK && CrossesMemoryInOrder(shape) &&
                          m * k > static_cast<std::ptrdiff_t>(machine.l2 / sizeof(T));
  const bool direct = outer || lanes_over_rows || b_in_registers ||
                      (alone && b_lies_right && k > 0 && one_block && !long_tiles && !widest_tiles && !prefetch_a);

  std::size_t a_scratch = 0;
  if (pack_a == PackA::kColumnsForCacheSets) {
    a_scratch = static_cast<std::size_t>(k * internal::PackedRowStride<T>(m));
  } else if (pack_a != PackA::kNo && pack_a != PackA::kGroups) {
    a_scratch = static_cast<std::size_t>(m * internal::PackedRowStride<T>(k));
  }
  std::size_t b_scratch = 0;
  std::size_t task_scratch = 0;
  if (pack_b == PackB::kEachCall && split == GemmSplit::kRows) {
    b_scratch = static_cast<std::size_t>(panels * internal::PanelStride(tiles, k));
  } else if (!direct && pack_b != PackB::kBeforehand) {
    // A block, of few rows the panels of a tile; in place the last panel if it is partial.
    const std::ptrdiff_t wide = few_rows && m > 0 ? tiles.wide_panels[m - 1] : block_panels;
    const std::ptrdiff_t packed = pack_b == PackB::kEachCall ? std::min(panels, wide) : whole_panels ? 0 : 1;
    task_scratch = static_cast<std::size_t>(packed * internal::PanelStride(tiles, kc));
  }
  if (pack_a == PackA::kGroups)
    task_scratch += static_cast<std::size_t>(group_blocks * block_rows * internal::PackedRowStride<T>(kc));
  return {.m = m,
          .n = n,
          .k = k,
          .panels = panels,
          .block_panels = block_panels,
          .row_blocks = row_blocks,
          .kc = kc,
          .nr = tiles.nr,
          .mr = static_cast<std::int16_t>(tiles.mr),
          .group_blocks = static_cast<std::int16_t>(direct ? 1 : group_blocks),
          .block_rows = block_rows,
          .tasks = tasks,
          .chains = static_cast<std::int16_t>(kernels::Chains(n)),
          .type = shape.type,
          .tier = kernel.tier,
          .few_rows = few_rows,
          .direct = direct,
          .outer = outer,
          .lanes_over_rows = lanes_over_rows,
          .b_in_registers = b_in_registers,
          .interleaved = interleaved,
          .widest_tiles = widest_tiles && !direct,
          .prefetch_a = prefetch_a && !direct,
          .prefetch_b = prefetch_b && !direct,
          .pack_a = pack_a,
          .pack_b = pack_b,
          .split = split,
          .thread_break_even = machine.thread_break_even,
          .l2 = machine.l2,
          .a_scratch = a_scratch,
          .b_scratch = b_scratch,
          .task_scratch = task_scratch};
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

}  // namespace lanewise
