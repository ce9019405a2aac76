// SPDX-License-Identifier: Apache-2.0
//
// Carries out a plan: the loops over blocks, panels and row blocks around the micro-kernel. Knows nothing of
// instruction sets; which kernel, tile and packing is the plan's business (gemm_plan.cc).

#include "lanewise/gemm.h"

#include <algorithm>

#include "apply_activation.h"
#include "fmt/format.h"
#include "pack.h"
#include "typed_rows.h"
#include "view_check.h"

namespace lanewise {

namespace {

using kernels::kQ;

// Half-open range.
struct Range {
  std::ptrdiff_t begin;
  std::ptrdiff_t end;
  std::ptrdiff_t size() const { return end - begin; }
};

// Part `index` of `count` nearly equal parts of [0, total).
Range Part(std::ptrdiff_t total, std::ptrdiff_t index, std::ptrdiff_t count) {
  return {total * index / count, total * (index + 1) / count};
}

// One execution; shared by its tasks, constant while they run.
template <typename T>
struct Job {
  GemmPlan plan;
  const kernels::KernelTable* table;
  const kernels::GemmTiles<T>* tiles;
  MatrixView<const T> a;
  MatrixView<const T> b;  // if it is not packed
  const T* panels;        // packed B, or null: tasks pack their blocks
  std::ptrdiff_t panel_stride;
  MatrixView<T> c;
  GemmOptions<T> options;
  T* shared_scratch;
  T* task_scratch;
  bool activate_blocks;  // the epilogue runs on each finished block of rows

  std::ptrdiff_t PanelCount() const { return (plan.n + plan.nr - 1) / plan.nr; }
};

// One block of columns and one chunk of K of B, packed.
template <typename T>
struct BlockOfB {
  Range columns;
  const T* panels;  // at the chunk's first k
  std::ptrdiff_t panel_stride;
};

// Asks for the part of C that a tile will add to. After a whole chunk of other tiles it lies in L3 or beyond; it comes
// while the tile is computed. Measured at 1024 and 2048 cubed on Zen 5: 5 to 12 % of the time.
template <typename T>
void PrefetchC(const kernels::TileArgs<T>& tile, std::ptrdiff_t rows) {
  constexpr std::ptrdiff_t kLine = internal::kAlignment / sizeof(T);
  for (std::ptrdiff_t i = 0; i < rows; ++i) {
    const T* row = tile.c + i * tile.c_row_stride;
    for (std::ptrdiff_t j = 0; j < tile.n; j += kLine) __builtin_prefetch(row + j, /*rw=*/1);
  }
}

// C's rows [rows) of a block of columns, for one chunk: a row of tiles.
template <typename T>
void RowOfTiles(const Job<T>& job, Range rows, Range chunk, const BlockOfB<T>& block, T* a_scratch) {
  const GemmPlan& plan = job.plan;
  const bool first = chunk.begin == 0;
  kernels::TileArgs<T> tile;
  const MatrixView<const T> a = job.a.Rows(rows.begin, rows.size()).Columns(chunk.begin, chunk.size());
  if (plan.pack_a == PackA::kNo) {
    tile.a = a.data;
    tile.a_row_stride = a.row_stride;
    tile.a_k_stride = a.col_stride;
  } else if (job.tiles->unit_k_stride || a.col_stride == 1) {
    internal::PackAByRow(a, job.options.alpha, internal::kPackedRowStride<T>, a_scratch);
    tile.a = a_scratch;
    tile.a_row_stride = internal::kPackedRowStride<T>;
    tile.a_k_stride = 1;
  } else {
    internal::PackAByK(a, job.options.alpha, a_scratch);
    tile.a = a_scratch;
    tile.a_row_stride = 1;
    tile.a_k_stride = rows.size();
  }
  tile.c_row_stride = job.c.row_stride;
  tile.beta = job.options.beta;
  tile.k = static_cast<std::int32_t>(chunk.size());
  tile.first = first;
  const auto run = job.tiles->tile[rows.size() - 1];
  for (std::ptrdiff_t j = block.columns.begin; j < block.columns.end; j += plan.nr) {
    tile.b = block.panels + (j - block.columns.begin) / plan.nr * block.panel_stride;
    tile.c = job.c.data + rows.begin * job.c.row_stride + j;
    tile.bias = job.options.bias == nullptr ? nullptr : job.options.bias + j;
    tile.n = static_cast<std::int32_t>(std::min<std::ptrdiff_t>(plan.nr, block.columns.end - j));
    if (!first) PrefetchC(tile, rows.size());
    run(tile);
  }
}

// The part of C in the given row blocks and panels.
template <typename T>
void ComputePart(const Job<T>& job, Range row_blocks, std::ptrdiff_t row_block_count, Range panels, T* scratch) {
  const GemmPlan& plan = job.plan;
  T* a_scratch = scratch;
  T* b_scratch = scratch;
  if (plan.pack_a != PackA::kNo) {
    b_scratch += internal::kPackedRowStride<T> * plan.mr;
  }
  const std::ptrdiff_t n_end = std::min(panels.end * plan.nr, plan.n);
  for (std::ptrdiff_t j = panels.begin * plan.nr; j < n_end; j += plan.nc) {
    const Range columns{j, std::min(j + plan.nc, n_end)};
    // K = 0 still has one chunk, of no step: C starts there.
    for (std::ptrdiff_t k = 0; k == 0 || k < plan.k; k += plan.kc) {
      const Range chunk{k, std::min(k + plan.kc, plan.k)};
      const bool last = chunk.end == plan.k;
      BlockOfB<T> block{columns, nullptr, 0};
      if (job.panels != nullptr) {
        block.panels = job.panels + columns.begin / plan.nr * job.panel_stride + k * plan.nr;
        block.panel_stride = job.panel_stride;
      } else if (chunk.size() > 0) {
        block.panels = b_scratch;
        block.panel_stride = internal::PanelStride<T>(chunk.size(), plan.nr);
        internal::PackB(job.b.Rows(k, chunk.size()).Columns(j, columns.size()), plan.nr, block.panel_stride, b_scratch);
      }
      for (std::ptrdiff_t i = row_blocks.begin; i < row_blocks.end; ++i) {
        const Range rows = Part(plan.m, i, row_block_count);
        RowOfTiles(job, rows, chunk, block, a_scratch);
        if (last && job.activate_blocks) {
          internal::ActivateRows<T>(*job.table, job.options.activation,
                                    job.c.Rows(rows.begin, rows.size()).Columns(columns.begin, columns.size()));
        }
      }
    }
  }
}

template <typename T>
void RunTask(const Job<T>& job, int task) {
  const GemmPlan& plan = job.plan;
  const std::ptrdiff_t row_blocks = (plan.m + plan.mr - 1) / plan.mr;
  const Range all_rows{0, row_blocks};
  const Range all_panels{0, job.PanelCount()};
  T* scratch = job.task_scratch + static_cast<std::size_t>(task) * plan.task_scratch;
  ComputePart(job, plan.split == GemmSplit::kRows ? Part(row_blocks, task, plan.tasks) : all_rows, row_blocks,
              plan.split == GemmSplit::kColumns ? Part(job.PanelCount(), task, plan.tasks) : all_panels, scratch);
}

template <typename T>
void Execute(Executor& executor, Job<T>& job) {
  const GemmPlan& plan = job.plan;
  if (plan.shared_scratch != 0) {
    job.panel_stride = internal::PanelStride<T>(plan.k, plan.nr);
    RunTasks(executor, plan.tasks, [&job](int task) {
      const Range panels = Part(job.PanelCount(), task, job.plan.tasks);
      const Range columns{panels.begin * job.plan.nr, std::min(panels.end * job.plan.nr, job.plan.n)};
      internal::PackB(job.b.Columns(columns.begin, columns.size()), job.plan.nr, job.panel_stride,
                      job.shared_scratch + panels.begin * job.panel_stride);
    });
    job.panels = job.shared_scratch;
  }
  if (plan.tasks == 1) {
    RunTask(job, 0);
  } else {
    RunTasks(executor, plan.tasks, [&job](int task) { RunTask(job, task); });
  }
  if (job.options.activation != Activation::kIdentity && !job.activate_blocks) {
    RunTasks(executor, plan.tasks, [&job](int task) {
      const Range rows = Part(job.plan.m, task, job.plan.tasks);
      internal::ActivateRows<T>(*job.table, job.options.activation, job.c.Rows(rows.begin, rows.size()));
    });
  }
}

template <typename T>
std::size_t ScratchElements(const GemmPlan& plan) {
  return plan.shared_scratch + static_cast<std::size_t>(plan.tasks) * plan.task_scratch;
}

Status NoScratch(std::size_t bytes) {
  return Status(StatusCode::kOutOfMemory, fmt::format("no memory for {} bytes of scratch space", bytes));
}

// `b` is the plain matrix or null, `packed` the packed one or null.
template <typename T>
Status CheckAndRun(Context& context, MatrixView<const T> a, const MatrixView<const T>* b, const PackedMatrix<T>* packed,
                   MatrixView<T> c, const GemmOptions<T>& options) {
  const std::ptrdiff_t b_rows = b != nullptr ? b->rows : packed->rows();
  const std::ptrdiff_t b_cols = b != nullptr ? b->cols : packed->cols();
  if (a.cols != b_rows || c.rows != a.rows || c.cols != b_cols) {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format("shapes do not match: A is {} x {}, B is {} x {}, C is {} x {}; need M x K, K x N, M x N",
                              a.rows, a.cols, b_rows, b_cols, c.rows, c.cols));
  }
  const Result<internal::ByteRange> c_range = internal::CheckOutput<T>("C", c);
  if (!c_range.ok()) return c_range.status();
  const Result<internal::ByteRange> a_range = internal::CheckInput<T>("A", a);
  if (!a_range.ok()) return a_range.status();
  Result<internal::ByteRange> b_range =
      b != nullptr ? internal::CheckInput<T>("B", *b)
                   : internal::RangeOf(packed->data(), static_cast<std::ptrdiff_t>(packed->bytes() / sizeof(T)));
  if (!b_range.ok()) return b_range.status();
  if (c_range->Overlaps(*a_range) || c_range->Overlaps(*b_range) ||
      (options.bias != nullptr && c_range->Overlaps(internal::RangeOf(options.bias, c.cols)))) {
    return Status(StatusCode::kInvalidArgument,
                  "C overlaps A, B or the bias; the result needs memory of its own (a view of other elements between "
                  "them counts as an overlap)");
  }
  if (c.rows == 0 || c.cols == 0) return Status();

  if (options.alpha == T{0}) a.cols = 0;  // the products contribute nothing and are not formed
  GemmShape shape;
  shape.type = std::is_same_v<T, float> ? ElementType::kF32 : ElementType::kF64;
  shape.m = c.rows;
  shape.n = c.cols;
  shape.k = a.cols;
  shape.a_row_stride = a.row_stride;
  shape.a_k_stride = a.col_stride;
  shape.b_packed = packed != nullptr;
  shape.scaled = options.alpha != T{0} && options.alpha != T{1};

  Job<T> job;
  job.plan = PlanGemm(shape, context.kernels(), context.machine(), context.executor().Threads());
  job.table = &context.kernels().table();
  job.tiles = &LANEWISE_ROW_OF(T, *job.table, gemm).ForChains(job.plan.chains);
  if (packed != nullptr && packed->nr() != job.plan.nr) {
    return Status(StatusCode::kLayoutMismatch,
                  fmt::format("B was packed for {} in panels of {}, the context's kernel ({}) reads panels of {}; pack "
                              "it with the context's kernels, or Repack it",
                              Name(packed->tier()), packed->nr(), Name(job.plan.tier), job.plan.nr));
  }
  const std::size_t bytes = ScratchElements<T>(job.plan) * sizeof(T);
  T* scratch = static_cast<T*>(context.ScratchMemory(Scratch::kPacking, bytes));
  if (scratch == nullptr && bytes != 0) return NoScratch(bytes);
  job.a = a;
  if (b != nullptr) job.b = *b;
  job.panels = packed != nullptr ? packed->data() : nullptr;
  job.panel_stride = packed != nullptr ? packed->panel_stride() : 0;
  job.c = c;
  job.options = options;
  job.shared_scratch = scratch;
  job.task_scratch = scratch + job.plan.shared_scratch;
  // A function of whole rows needs whole rows in one block.
  const bool whole_rows = job.plan.split != GemmSplit::kColumns && job.plan.nc >= job.plan.n;
  job.activate_blocks = internal::IsElementwise(options.activation) || whole_rows;
  Execute(context.executor(), job);
  return Status();
}

}  // namespace

template <typename T>
Status Gemm(Context& context, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c,
            const GemmOptions<T>& options) {
  return CheckAndRun<T>(context, a, &b, nullptr, c, options);
}

template <typename T>
Status Gemm(Context& context, MatrixView<const T> a, const PackedMatrix<T>& b, MatrixView<T> c,
            const GemmOptions<T>& options) {
  return CheckAndRun<T>(context, a, nullptr, &b, c, options);
}

Status Reserve(Context& context, const GemmPlan& plan) {
  const std::size_t bytes = plan.type == ElementType::kF32 ? ScratchElements<float>(plan) * sizeof(float)
                                                           : ScratchElements<double>(plan) * sizeof(double);
  return context.ScratchMemory(Scratch::kPacking, bytes) == nullptr && bytes != 0 ? NoScratch(bytes) : Status();
}

#define LANEWISE_INSTANTIATE(T)                                                                                   \
  template Status Gemm(Context&, MatrixView<const T>, MatrixView<const T>, MatrixView<T>, const GemmOptions<T>&); \
  template Status Gemm(Context&, MatrixView<const T>, const PackedMatrix<T>&, MatrixView<T>, const GemmOptions<T>&);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
#undef LANEWISE_INSTANTIATE

}  // namespace lanewise
