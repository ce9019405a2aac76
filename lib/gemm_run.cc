// SPDX-License-Identifier: Apache-2.0
//
// The loops over blocks, panels and row blocks around the micro-kernel. They know nothing of instruction sets; which
// kernel, tile and packing is the plan's business (gemm_plan.cc).

#include "gemm_run.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "apply_activation.h"
#include "format.h"
#include "gemm_job.h"
#include "pack.h"
#include "typed_rows.h"
#include "wrapping.h"

namespace lanewise {

namespace {

using internal::ChunksOf;
using internal::Columns;
using internal::FirstTile;
using internal::GroupElements;
using internal::Job;
using internal::Panels;
using internal::Part;
using internal::PointAt;
using internal::PrefetchNothing;
using internal::PreparePanels;
using internal::Range;
using internal::RowBlock;
using internal::RowsOf;

// ---- Blocks -----------------------------------------------------------------------------------------------------

// C's rows [rows) of some panels, for one block of K: a row of tiles.
template <typename T>
void RowOfTiles(const Job<T>& job, Range rows, Range range, const Panels<T>& panels, kernels::TileArgs<T>& tile) {
  const std::ptrdiff_t nr = job.plan.nr;
  const kernels::TileFunction<T> tile_of_panel = job.tiles.tile[rows.size() - 1];
  const kernels::TileFunction<T> slim = job.tiles.slim[rows.size() - 1];
  const T* b = panels.data;
  for (std::ptrdiff_t p = range.begin; p < range.end; ++p) {
    PointAt(job, panels, b, p * nr, nr, rows.begin, tile);
    (tile.n <= job.tiles.slim_nr ? slim : tile_of_panel)(tile);
    b += panels.panel_stride;
    if (job.plan.prefetch_b) {
      if (tile.next_step != 0) tile.next += panels.panel_stride * static_cast<std::ptrdiff_t>(sizeof(T));
    } else if (job.plan.prefetch_a) {
      PrefetchNothing(tile);  // the first tile has asked for all of the rows
    }
  }
}

// Likewise of a group of row blocks from k on, panel by panel: its part of A, which may be copied to `copy`, stays in
// L2.
template <typename T>
void GroupOfTiles(const Job<T>& job, Range row_blocks, Range range, std::ptrdiff_t k, const Panels<T>& panels, T* copy,
                  kernels::TileArgs<T>& tile) {
  const GemmPlan& plan = job.plan;
  const Range group = RowsOf(plan, row_blocks);
  const MatrixView<const T> part = job.a.Rows(group.begin, group.size()).Columns(k, tile.k);
  const T* a = part.data;
  if (plan.pack_a == PackA::kGroups) {
    tile.a_row_stride = internal::PackedRowStride<T>(tile.k);
    tile.a_k_stride = 1;
    internal::PackA(part, job.options.alpha, tile.a_row_stride, copy);
    a = copy;
  }
  PrefetchNothing(tile);
  const T* b = panels.data;
  for (std::ptrdiff_t p = range.begin; p < range.end; ++p) {
    for (std::ptrdiff_t i = row_blocks.begin; i < row_blocks.end; ++i) {
      const Range rows = RowBlock(plan, i);
      tile.a = a + (rows.begin - group.begin) * tile.a_row_stride;
      PointAt(job, panels, b, p * plan.nr, plan.nr, rows.begin, tile);
      (tile.n <= job.tiles.slim_nr ? job.tiles.slim : job.tiles.tile)[rows.size() - 1](tile);
    }
    b += panels.panel_stride;
  }
}

// Points a tile of the given rows, which are followed by others, at those, which it prefetches while it computes: a
// tile reads more streams than prefetchers follow. 50000 x 25 x 400 on Zen 5, all from DRAM: 100 -> 174 GFLOP/s.
template <typename T>
void PointAtNextRows(const Job<T>& job, Range rows, kernels::TileArgs<T>& tile) {
  const std::ptrdiff_t count = std::min(rows.size(), job.plan.m - rows.end);
  tile.next = reinterpret_cast<const char*>(tile.a + rows.size() * job.a.row_stride);
  tile.next_step = count * job.a.row_stride * static_cast<std::ptrdiff_t>(sizeof(T)) / tile.k;
}

// Points the tiles of row block `row.begin` of `row.end` at their share of the panels after `block`, which they
// prefetch while they compute: else the first row block would wait for weights that lie beyond L2. Measured for 64 x
// 1024 x 1024 and 64 x 4096 x 1024 on Zen 5: 30 to 45 % of the time.
template <typename T>
void PointAtNext(const Job<T>& job, Range block, std::ptrdiff_t end, std::ptrdiff_t next_k, Range row,
                 kernels::TileArgs<T>& tile) {
  const GemmPlan& plan = job.plan;
  const bool same_panels = next_k < plan.k;
  PrefetchNothing(tile);
  if (!plan.prefetch_b || (!same_panels && block.end == end)) return;
  const T* next =
      job.panels + (same_panels ? block.begin * job.panel_stride + next_k * plan.nr : block.end * job.panel_stride);
  tile.next = reinterpret_cast<const char*>(next + tile.k * plan.nr * row.begin / row.end);
  tile.next_step = (plan.nr * static_cast<std::ptrdiff_t>(sizeof(T)) + row.end - 1) / row.end;
}

// The part of C in the given row blocks and panels.
template <typename T>
void ComputeBlocks(const Job<T>& job, Range row_blocks, Range range, T* scratch) {
  const GemmPlan& plan = job.plan;
  T* const panel_scratch = scratch + GroupElements<T>(plan);
  kernels::TileArgs<T> tile = FirstTile(job);
  for (std::ptrdiff_t p = range.begin; p < range.end; p += plan.block_panels) {
    const Range block{p, std::min(p + plan.block_panels, range.end)};
    // K = 0 still has one chunk, of no step: C starts there.
    for (std::ptrdiff_t k = 0; k == 0 || k < plan.k; k += plan.kc) {
      tile.k = std::min<std::ptrdiff_t>(plan.kc, plan.k - k);
      tile.first = k == 0;
      const bool activate = job.activate_blocks && k + tile.k == plan.k;
      const Panels<T> panels = PreparePanels(job, block, k, tile.k, panel_scratch);
      for (std::ptrdiff_t i = row_blocks.begin; i < row_blocks.end; i += plan.group_blocks) {
        const Range group{i, std::min(i + plan.group_blocks, row_blocks.end)};
        const Range rows = RowsOf(plan, group);
        if (plan.group_blocks > 1) {
          GroupOfTiles(job, group, block, k, panels, scratch, tile);
        } else {
          tile.a = job.a.data + rows.begin * job.a.row_stride + k * job.a.col_stride;
          PointAtNext(job, block, range.end, k + tile.k, {i - row_blocks.begin, row_blocks.size()}, tile);
          if (plan.prefetch_a && i + 1 < row_blocks.end && tile.k > 0) PointAtNextRows(job, rows, tile);
          RowOfTiles(job, rows, block, panels, tile);
        }
        if (activate) {
          const Range columns = Columns(job, block);
          internal::ActivateRows<T>(job.table, job.options.activation,
                                    job.c.Rows(rows.begin, rows.size()).Columns(columns.begin, columns.size()));
        }
      }
    }
  }
}

template <typename T>
struct WideTile {
  std::ptrdiff_t panels;
  kernels::TileFunction<T> run;
};

// All rows, which are few, of the given panels: groups of panels side by side, each over all of K before the next.
template <typename T>
void ComputeFewRows(const Job<T>& job, Range range, T* scratch) {
  const GemmPlan& plan = job.plan;
  const auto m = static_cast<std::size_t>(plan.m - 1);
  const bool is_long = plan.k >= 2 * kernels::kQ && job.tiles.long_k[m] != nullptr;
  const kernels::TileFunction<T> narrow = is_long ? job.tiles.long_k[m] : job.tiles.tile[m];
  const WideTile<T> tiles[] = {{plan.widest_tiles ? job.tiles.widest_panels : 1, job.tiles.widest},
                               {job.tiles.wide_panels[m], job.tiles.wide[m]},
                               {1, narrow}};
  // A last panel that is read in place may be narrower than the others; packed ones are padded.
  const std::ptrdiff_t whole_end = plan.pack_b == PackB::kInPlace ? std::min(range.end, plan.n / plan.nr) : range.end;
  kernels::TileArgs<T> tile = FirstTile(job);
  tile.k = plan.k;
  tile.first = true;
  for (std::ptrdiff_t p = range.begin; p < range.end;) {
    const auto fits = [left = whole_end - p](const WideTile<T>& wide) {
      return wide.panels > 1 && wide.panels <= left;
    };
    const auto [count, run] = *std::find_if(std::begin(tiles), std::end(tiles) - 1, fits);
    const Panels<T> panels = PreparePanels(job, {p, p + count}, 0, plan.k, scratch);
    tile.a = job.a.data;
    tile.b_panel_stride = panels.panel_stride;
    PointAt(job, panels, panels.data, p * plan.nr, count * plan.nr, 0, tile);
    if (plan.prefetch_b && count > 1 && p + 2 * count <= range.end) {
      tile.next = reinterpret_cast<const char*>(panels.data + count * job.panel_stride);
      tile.next_step = plan.nr * static_cast<std::ptrdiff_t>(sizeof(T));
    } else {
      PrefetchNothing(tile);
    }
    run(tile);
    p += count;
  }
  if (job.activate_blocks) {
    const Range columns = Columns(job, range);
    internal::ActivateRows<T>(job.table, job.options.activation, job.c.Columns(columns.begin, columns.size()));
  }
}

// ---- Chunks of K -------------------------------------------------------------------------------------------------

// Elements of Job::chunk_sums.
std::size_t ChunkSums(const GemmPlan& plan) {
  return plan.split == GemmSplit::kChunksOfK ? static_cast<std::size_t>((ChunksOf(plan.k) - 1) * plan.m * plan.n) : 0;
}

template <typename T>
MatrixView<T> SumsOfChunk(const Job<T>& job, std::ptrdiff_t chunk) {
  const GemmPlan& plan = job.plan;
  return chunk == 0 ? job.c : MatrixView<T>(job.chunk_sums + (chunk - 1) * plan.m * plan.n, plan.m, plan.n);
}

// The sums of some chunks, each a product of its own: the first one's with bias and beta * C.
template <typename T>
void ComputeChunks(const Job<T>& job, Range chunks, T* scratch) {
  for (std::ptrdiff_t chunk = chunks.begin; chunk < chunks.end; ++chunk) {
    const std::ptrdiff_t begin = chunk * kernels::kQ;
    GemmPlan plan = job.plan;
    plan.k = std::min<std::ptrdiff_t>(kernels::kQ, plan.k - begin);
    plan.kc = plan.k;
    const GemmOptions<T> sum_alone{.alpha = job.options.alpha};
    const bool packed = job.panels != nullptr;
    const Job<T> part{.plan = plan,
                      .table = job.table,
                      .tiles = job.tiles,
                      .a = job.a.Columns(begin, plan.k),
                      .b = packed ? job.b : job.b.Rows(begin, plan.k),
                      .panels = packed ? job.panels + begin * plan.nr : nullptr,
                      .panel_stride = job.panel_stride,
                      .c = SumsOfChunk(job, chunk),
                      .options = chunk == 0 ? job.options : sum_alone};
    if (plan.few_rows) {
      ComputeFewRows(part, {0, plan.panels}, scratch);
    } else {
      ComputeBlocks(part, {0, plan.row_blocks}, {0, plan.panels}, scratch);
    }
  }
}

template <typename T>
void AddUpChunks(const Job<T>& job) {
  for (std::ptrdiff_t chunk = 1; chunk < ChunksOf(job.plan.k); ++chunk) {
    const MatrixView<T> sums = SumsOfChunk(job, chunk);
    for (std::ptrdiff_t i = 0; i < sums.rows; ++i) {
      T* c = job.c.data + i * job.c.row_stride;
      const T* sum = sums.data + i * sums.row_stride;
      for (std::ptrdiff_t j = 0; j < sums.cols; ++j) c[j] = kernels::Plus(c[j], sum[j]);
    }
  }
}

// ---- Tasks -------------------------------------------------------------------------------------------------------

template <typename T>
void RunTask(const Job<T>& job, int task) {
  const GemmPlan& plan = job.plan;
  const Range panels = plan.split == GemmSplit::kColumns ? Part(plan.panels, task, plan.tasks) : Range{0, plan.panels};
  T* scratch = job.task_scratch + static_cast<std::size_t>(task) * plan.task_scratch;
  if (plan.split == GemmSplit::kChunksOfK) {
    ComputeChunks(job, Part(ChunksOf(plan.k), task, plan.tasks), scratch);
  } else if (plan.few_rows) {
    ComputeFewRows(job, panels, scratch);
  } else {
    const Range row_blocks =
        plan.split == GemmSplit::kRows ? Part(plan.row_blocks, task, plan.tasks) : Range{0, plan.row_blocks};
    ComputeBlocks(job, row_blocks, panels, scratch);
  }
}

// Copies A to rows (or columns) that are contiguous and apart, scaled by alpha, once for all blocks.
template <typename T>
void CopyA(Executor& executor, Job<T>& job, T* packed) {
  const bool by_columns = job.plan.pack_a == PackA::kColumnsForCacheSets;
  const MatrixView<const T> lines = by_columns ? job.a.Transposed() : job.a;
  const std::ptrdiff_t stride = internal::PackedRowStride<T>(lines.cols);
  RunTasks(executor, job.plan.tasks, [&job, &lines, packed, stride](int task) {
    const Range part = Part(lines.rows, task, job.plan.tasks);
    internal::PackA(lines.Rows(part.begin, part.size()), job.options.alpha, stride, packed + part.begin * stride);
  });
  const MatrixView<const T> copy(packed, lines.rows, lines.cols, stride);
  job.a = by_columns ? copy.Transposed() : copy;
}

// Packs all panels of B, once for all tasks.
template <typename T>
void PackAllPanels(Executor& executor, Job<T>& job, T* packed) {
  job.panel_stride = internal::PanelStride(job.tiles, job.plan.k);
  RunTasks(executor, job.plan.tasks, [&job, packed](int task) {
    const Range panels = Part(job.plan.panels, task, job.plan.tasks);
    const Range columns = Columns(job, panels);
    internal::PackB(job.tiles, job.b.Columns(columns.begin, columns.size()), job.panel_stride,
                    packed + panels.begin * job.panel_stride);
  });
  job.panels = packed;
}

template <typename T>
void Execute(Executor& executor, Job<T>& job, T* scratch) {
  const GemmPlan& plan = job.plan;
  if (plan.a_scratch != 0) CopyA(executor, job, scratch);
  if (plan.b_scratch != 0) PackAllPanels(executor, job, scratch + plan.a_scratch);
  job.task_scratch = scratch + plan.a_scratch + plan.b_scratch;
  job.chunk_sums = job.task_scratch + static_cast<std::size_t>(plan.tasks) * plan.task_scratch;
  if (plan.tasks == 1) {
    RunTask(job, 0);
  } else {
    RunTasks(executor, plan.tasks, [&job](int task) { RunTask(job, task); });
  }
  if (plan.split == GemmSplit::kChunksOfK) AddUpChunks(job);
  if (job.options.activation != Activation::kIdentity && !job.activate_blocks) {
    RunTasks(executor, plan.tasks, [&job](int task) {
      const Range rows = Part(job.plan.m, task, job.plan.tasks);
      internal::ActivateRows<T>(job.table, job.options.activation, job.c.Rows(rows.begin, rows.size()));
    });
  }
}

std::size_t ScratchBytes(const GemmPlan& plan) {
  const std::size_t elements =
      plan.a_scratch + plan.b_scratch + static_cast<std::size_t>(plan.tasks) * plan.task_scratch + ChunkSums(plan);
  return elements * internal::SizeOf(plan.type);
}

Status NoScratch(std::size_t bytes) {
  return Status(StatusCode::kOutOfMemory, Format("no memory for {} bytes of scratch space", bytes));
}

}  // namespace

Status Reserve(Context& context, const GemmPlan& plan) {
  const std::size_t bytes = ScratchBytes(plan);
  return context.ScratchMemory(Scratch::kPacking, bytes) == nullptr && bytes != 0 ? NoScratch(bytes) : Status();
}

namespace internal {

template <typename T>
Status RunBlocks(Context& context, const GemmPlan& plan, const MatrixView<const T>& a, const MatrixView<const T>& b,
                 const PackedMatrix<T>* packed, const MatrixView<T>& c, const GemmOptions<T>& options) {
  const std::size_t bytes = ScratchBytes(plan);
  T* scratch = static_cast<T*>(context.ScratchMemory(Scratch::kPacking, bytes));
  if (scratch == nullptr && bytes != 0) return NoScratch(bytes);
  const kernels::KernelTable& table = context.kernels().table();
  // A function of whole rows needs whole rows in one block.
  const bool whole_rows = plan.split != GemmSplit::kColumns && (plan.few_rows || plan.block_panels == plan.panels);
  const bool activates_blocks = options.activation != Activation::kIdentity && plan.split != GemmSplit::kChunksOfK &&
                                (internal::IsElementwise(options.activation) || whole_rows);
  Job<T> job{
      .plan = plan,
      .table = table,
      .tiles = internal::GemmRow<T>(table).ForColumns(plan.n, plan.interleaved),
      // No columns if alpha = 0. A single row or column may have any stride, even one that would overflow.
      .a = MatrixView<const T>(a.data, a.rows, plan.k, a.rows == 1 ? 0 : a.row_stride, plan.k <= 1 ? 1 : a.col_stride),
      .b = b,
      .panels = packed != nullptr ? packed->data() : nullptr,
      .panel_stride = packed != nullptr ? packed->panel_stride() : 0,
      .c = c,
      .options = options,
      .activate_blocks = activates_blocks};
  Execute(context.executor(), job, scratch);
  return Status();
}

#define LANEWISE_INSTANTIATE(T)                                                                                \
  template Status RunBlocks(Context&, const GemmPlan&, const MatrixView<const T>&, const MatrixView<const T>&, \
                            const PackedMatrix<T>*, const MatrixView<T>&, const GemmOptions<T>&);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
LANEWISE_INSTANTIATE(std::int32_t)
LANEWISE_INSTANTIATE(std::int64_t)
#undef LANEWISE_INSTANTIATE

}  // namespace internal

}  // namespace lanewise
