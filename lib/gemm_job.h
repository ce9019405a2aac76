// SPDX-License-Identifier: Apache-2.0
//
// What the loops of gemm_run.cc share: one execution of a plan, and where its tiles find their operands.

#pragma once

#include <algorithm>
#include <cstddef>

#include "kernel_table.h"
#include "lanewise/gemm.h"
#include "lanewise/matrix_view.h"
#include "pack.h"

namespace lanewise::internal {

// Half-open range.
struct Range {
  std::ptrdiff_t begin;
  std::ptrdiff_t end;
  std::ptrdiff_t size() const { return end - begin; }
};

// Part `index` of `count` nearly equal parts of [0, total).
inline Range Part(std::ptrdiff_t total, std::ptrdiff_t index, std::ptrdiff_t count) {
  return {total * index / count, total * (index + 1) / count};
}

// Rows of block i: the first blocks have block_rows of them, the others one row fewer.
inline Range RowBlock(const GemmPlan& plan, std::ptrdiff_t i) {
  const std::ptrdiff_t shorter = plan.block_rows - 1;
  const std::ptrdiff_t longer_blocks = plan.m - shorter * plan.row_blocks;
  const std::ptrdiff_t begin = i * shorter + std::min(i, longer_blocks);
  return {begin, begin + shorter + (i < longer_blocks ? 1 : 0)};
}

// The rows of some consecutive blocks.
inline Range RowsOf(const GemmPlan& plan, Range row_blocks) {
  return {RowBlock(plan, row_blocks.begin).begin, RowBlock(plan, row_blocks.end - 1).end};
}

// Elements of a task's copy of a group's part of A, at the start of its scratch space.
template <typename T>
std::ptrdiff_t GroupElements(const GemmPlan& plan) {
  if (plan.pack_a != PackA::kGroups) return 0;
  return std::ptrdiff_t{plan.group_blocks} * plan.block_rows * PackedRowStride<T>(plan.kc);
}

// One execution; shared by its tasks, constant while they run.
template <typename T>
struct Job {
  const GemmPlan& plan;
  const kernels::KernelTable& table;
  const kernels::GemmTiles<T>& tiles;
  MatrixView<const T> a;
  MatrixView<const T> b;            // if it is not packed
  const T* panels = nullptr;        // packed B, or null
  std::ptrdiff_t panel_stride = 0;  // of packed B
  MatrixView<T> c;
  const GemmOptions<T>& options;
  T* task_scratch = nullptr;
  T* chunk_sums = nullptr;       // where tasks own chunks of K: C of each but the first, dense
  bool activate_blocks = false;  // the epilogue runs on each finished block of rows
};

// The columns of some panels.
template <typename T>
Range Columns(const Job<T>& job, Range panels) {
  return {panels.begin * job.plan.nr, std::min(panels.end * job.plan.nr, job.plan.n)};
}

// Some consecutive panels of B, as tiles read them, from some k on.
template <typename T>
struct Panels {
  const T* data;
  std::ptrdiff_t k_stride;
  std::ptrdiff_t panel_stride;
  const T* partial;  // packed copy of the last panel where it is narrower than the others, which are read in place
};

// Rows [k, k + count) of the given panels of B: where they lie, or packed into scratch.
template <typename T>
Panels<T> PreparePanels(const Job<T>& job, Range panels, std::ptrdiff_t k, std::ptrdiff_t count, T* scratch) {
  const std::ptrdiff_t nr = job.plan.nr;
  if (job.panels != nullptr) {
    return {job.panels + panels.begin * job.panel_stride + k * nr, nr, job.panel_stride, nullptr};
  }
  if (count == 0) return {nullptr, nr, 0, nullptr};  // B may be null then
  const Range columns = Columns(job, panels);
  const MatrixView<const T> b = job.b.Rows(k, count).Columns(columns.begin, columns.size());
  if (job.plan.pack_b == PackB::kEachCall) {
    const std::ptrdiff_t panel_stride = PanelStride(job.tiles, count);
    PackB(job.tiles, b, panel_stride, scratch);
    return {scratch, nr, panel_stride, nullptr};
  }
  const std::ptrdiff_t whole = (panels.size() - 1) * nr;
  if (columns.size() - whole == nr) return {b.data, b.row_stride, nr, nullptr};
  PackPanel(job.tiles, b.Columns(whole, columns.size() - whole), scratch);
  return {b.data, b.row_stride, nr, scratch};
}

// What all tiles of a job have in common.
template <typename T>
kernels::TileArgs<T> FirstTile(const Job<T>& job) {
  kernels::TileArgs<T> tile = {};
  tile.a_row_stride = job.a.row_stride;
  tile.a_k_stride = job.a.col_stride;
  tile.c_row_stride = job.c.rows == 1 ? 0 : job.c.row_stride;  // a single row may have any
  tile.beta = job.options.beta;
  return tile;
}

// Points a tile of `row` and below at columns [j, j + width) of C and at their panel(s), which start at b.
template <typename T>
void PointAt(const Job<T>& job, const Panels<T>& panels, const T* b, std::ptrdiff_t j, std::ptrdiff_t width,
             std::ptrdiff_t row, kernels::TileArgs<T>& tile) {
  const std::ptrdiff_t n = std::min(width, job.plan.n - j);
  const bool is_partial = panels.partial != nullptr && n < job.plan.nr;
  tile.b = is_partial ? panels.partial : b;
  tile.b_k_stride = is_partial ? job.plan.nr : panels.k_stride;
  tile.n = static_cast<std::int32_t>(n);
  tile.c = job.c.data + row * job.c.row_stride + j;
  tile.bias = job.options.bias == nullptr ? nullptr : job.options.bias + j;
}

}  // namespace lanewise::internal
