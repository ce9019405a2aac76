// SPDX-License-Identifier: Apache-2.0
//
// Products of direct plans: tile after tile from where the operands lie, without memory, threads or blocks. What
// surrounds the tiles of a small product counts, so there is nothing else here; other plans go to gemm_run.cc.

#include <algorithm>
#include <type_traits>
#include <utility>

#include "apply_activation.h"
#include "gemm_run.h"
#include "typed_rows.h"

namespace lanewise::internal {

namespace {

// Elements of C, about, that an activation takes at once: enough for its call not to count, and still in L1.
constexpr std::ptrdiff_t kActivationElements = 1024;

// Elements of A that stay in L1 from one panel to the next: half of the smallest L1 there is. Zen 3, weight gradients
// of 32 samples: 784 x 128 is 1.15 times as fast, 784 x 512 and 512 x 512 1.3 times.
template <typename T>
constexpr std::ptrdiff_t kRowElements = 16 * 1024 / sizeof(T);

// K = 1: row after row.
template <typename T>
void RunOuter(const kernels::GemmTiles<T>& tiles, const GemmPlan& plan, const MatrixView<const T>& a,
              const MatrixView<T>& c, kernels::TileArgs<T>& tile) {
  std::ptrdiff_t rows = plan.m;
  if (plan.n == 1 && a.row_stride == 1 && c.row_stride == 1 && plan.m <= INT32_MAX && tile.bias == nullptr) {
    // A column is computed as a row, and the lanes have work.
    std::swap(tile.a, tile.b);
    tile.n = static_cast<std::int32_t>(plan.m);
    rows = 1;
  }
  tiles.outer(tile, rows);
}

// Tiles of one panel, or of several side by side, over row blocks [begin, end): `tile` points at the first one. The
// blocks before `longer` have block_rows rows, the others one fewer.
template <typename T>
[[gnu::always_inline]] inline void RunRowBlocks(const kernels::TileFunction<T>* run, std::ptrdiff_t block_rows,
                                                std::ptrdiff_t longer, std::ptrdiff_t begin, std::ptrdiff_t end,
                                                kernels::TileArgs<T>& tile) {
  for (std::ptrdiff_t i = begin; i < end; ++i) {
    const std::ptrdiff_t rows = block_rows - (i < longer ? 0 : 1);
    run[rows - 1](tile);
    tile.a += rows * tile.a_row_stride;
    tile.c += rows * tile.c_row_stride;
  }
}

template <typename T, class B>
[[gnu::always_inline]] inline void RunDirect(const kernels::KernelTable& table, const GemmPlan& plan,
                                             const MatrixView<const T>& a, const B& b, const MatrixView<T>& c,
                                             const GemmOptions<T>& options) {
  constexpr bool kPacked = !std::is_same_v<B, MatrixView<const T>>;
  const kernels::GemmTiles<T>& tiles = GemmRow<T>(table).ForColumns(plan.n, plan.interleaved);
  const std::ptrdiff_t nr = plan.nr;
  const PanelsOfB<T> panels(b, nr);
  kernels::TileArgs<T> tile;
  tile.a = a.data;
  tile.a_row_stride = a.row_stride;
  tile.a_k_stride = a.col_stride;
  tile.b = panels.data;
  tile.b_k_stride = panels.k_stride;
  tile.b_panel_stride = panels.panel_stride;
  tile.c_row_stride = c.row_stride;
  tile.bias = options.bias;
  tile.k = plan.k;
  tile.beta = options.beta;
  tile.first = true;
  PrefetchNothing(tile);
  const bool activates = options.activation != Activation::kIdentity;
  if (plan.outer || plan.lanes_over_rows) {
    tile.c = c.data;
    tile.n = static_cast<std::int32_t>(plan.n);
    if (plan.outer) {
      RunOuter(tiles, plan, a, c, tile);
    } else {
      tiles.lanes_over_rows(tile, plan.m);
    }
    if (activates) ActivateRows<T>(table, options.activation, c);
    return;
  }

  // A tile of several panels takes the place of as many where they are all there; a packed one may be padded.
  const std::ptrdiff_t wide = plan.few_rows ? tiles.wide_panels[plan.m - 1] : 1;
  const std::ptrdiff_t wide_from = wide == 1 ? PTRDIFF_MAX : kPacked ? (wide - 1) * nr + 1 : wide * nr;
  const std::ptrdiff_t longer = plan.m - (plan.block_rows - 1) * plan.row_blocks;
  std::ptrdiff_t blocks = plan.row_blocks;  // for all panels, before the next ones
  if (plan.n > nr && plan.m * plan.k > kRowElements<T>) {
    blocks = std::max<std::ptrdiff_t>(kRowElements<T> / (plan.block_rows * plan.k), 1);
  }
  if (activates && plan.m * plan.n > kActivationElements) {
    blocks = std::min(blocks, std::max<std::ptrdiff_t>(kActivationElements / (plan.block_rows * plan.n), 1));
  }
  std::ptrdiff_t row = 0;
  for (std::ptrdiff_t begin = 0; begin < plan.row_blocks; begin += blocks) {
    const std::ptrdiff_t end = std::min(begin + blocks, plan.row_blocks);
    tile.b = panels.data;
    for (std::ptrdiff_t j = 0; j < plan.n;) {
      const std::ptrdiff_t left = plan.n - j;
      const bool is_wide = left >= wide_from;
      const std::ptrdiff_t count = is_wide ? wide : 1;
      // In place the last panel is a vector or less, where not all of a tile.
      const kernels::TileFunction<T>* run = is_wide                             ? tiles.wide
                                            : left >= nr                        ? tiles.tile
                                            : !kPacked && left != tiles.slim_nr ? tiles.narrow
                                            : left <= tiles.slim_nr             ? tiles.slim
                                                                                : tiles.tile;
      tile.n = static_cast<std::int32_t>(std::min(count * nr, left));
      tile.a = a.data + row * a.row_stride;
      tile.c = c.data + row * c.row_stride + j;
      tile.bias = options.bias == nullptr ? nullptr : options.bias + j;
      RunRowBlocks(run, plan.block_rows, longer, begin, end, tile);
      tile.b += count * panels.panel_stride;
      j += count * nr;
    }
    const std::ptrdiff_t next_row = end * (plan.block_rows - 1) + std::min(end, longer);
    if (activates) ActivateRows<T>(table, options.activation, c.Rows(row, next_row - row));
    row = next_row;
  }
}

template <typename T>
Status RunBlocks(Context& context, const GemmPlan& plan, const MatrixView<const T>& a, const MatrixView<const T>& b,
                 const MatrixView<T>& c, const GemmOptions<T>& options) {
  return internal::RunBlocks<T>(context, plan, a, b, nullptr, c, options);
}
template <typename T>
Status RunBlocks(Context& context, const GemmPlan& plan, const MatrixView<const T>& a, const PackedMatrix<T>& b,
                 const MatrixView<T>& c, const GemmOptions<T>& options) {
  return internal::RunBlocks<T>(context, plan, a, MatrixView<const T>(), &b, c, options);
}

}  // namespace

template <typename T, class B>
Status RunGemm(Context& context, const GemmPlan& plan, const MatrixView<const T>& a, const B& b, const MatrixView<T>& c,
               const GemmOptions<T>& options) {
  if (!plan.direct) return RunBlocks(context, plan, a, b, c, options);
  RunDirect(context.kernels().table(), plan, a, b, c, options);
  return Status();
}

#define LANEWISE_INSTANTIATE(T)                                                                              \
  template Status RunGemm(Context&, const GemmPlan&, const MatrixView<const T>&, const MatrixView<const T>&, \
                          const MatrixView<T>&, const GemmOptions<T>&);                                      \
  template Status RunGemm(Context&, const GemmPlan&, const MatrixView<const T>&, const PackedMatrix<T>&,     \
                          const MatrixView<T>&, const GemmOptions<T>&);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
LANEWISE_INSTANTIATE(std::int32_t)
LANEWISE_INSTANTIATE(std::int64_t)
#undef LANEWISE_INSTANTIATE

}  // namespace lanewise::internal
