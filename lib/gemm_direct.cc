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

// B in registers: row after row, and the activation while they are in L1.
template <typename T>
void RunHeld(const kernels::KernelTable& table, const kernels::GemmTiles<T>& tiles, const GemmPlan& plan,
             const MatrixView<T>& c, Activation activation, kernels::TileArgs<T>& tile) {
  const auto held = tiles.held[plan.k - 1];
  if (activation == Activation::kIdentity) return held(tile, plan.m);
  const std::ptrdiff_t most = std::max<std::ptrdiff_t>(kActivationElements / plan.n, 1);
  for (std::ptrdiff_t row = 0; row < plan.m; row += most) {
    const std::ptrdiff_t rows = std::min(most, plan.m - row);
    held(tile, rows);
    ActivateRows<T>(table, activation, c.Rows(row, rows));
    tile.a += rows * tile.a_row_stride;
    tile.c += rows * tile.c_row_stride;
  }
}

// Row blocks of plan.block_rows rows; the others have one fewer.
std::ptrdiff_t LongerBlocks(const GemmPlan& plan) { return plan.m - (plan.block_rows - 1) * plan.row_blocks; }

// The tiles for a panel with `left` columns from its first one on.
template <typename T>
struct TilesOfPanel {
  const kernels::TileFunction<T>* one;
  const kernels::BlocksFunction<T>* several;
};
template <bool kPacked, typename T>
[[gnu::always_inline]] inline TilesOfPanel<T> ForPanel(const kernels::GemmTiles<T>& tiles, std::ptrdiff_t left) {
  if (left <= tiles.slim_nr) {
    if (!kPacked && left != tiles.slim_nr) return {tiles.slim_narrow, tiles.slim_narrow_blocks};
    return {tiles.slim, tiles.slim_blocks};
  }
  if (!kPacked && left < tiles.nr) return {tiles.narrow, tiles.narrow_blocks};
  return {tiles.tile, tiles.tile_blocks};
}

// One block of few rows: a tile of several panels takes the place of as many where they are all there; a packed one may
// be padded. `tile` points at the first panel.
template <bool kPacked, typename T>
void RunFewRows(const kernels::GemmTiles<T>& tiles, const GemmPlan& plan, kernels::TileArgs<T>& tile) {
  const std::ptrdiff_t nr = plan.nr;
  const std::ptrdiff_t row = plan.m - 1;
  const std::ptrdiff_t wide = tiles.wide_panels[row];
  const std::ptrdiff_t wide_from = wide == 1 ? PTRDIFF_MAX : kPacked ? (wide - 1) * nr + 1 : wide * nr;
  for (std::ptrdiff_t left = plan.n; left > 0;) {
    const bool is_wide = left >= wide_from;
    const std::ptrdiff_t count = is_wide ? wide : 1;
    tile.n = static_cast<std::int32_t>(std::min(count * nr, left));
    (is_wide ? tiles.wide[row] : ForPanel<kPacked>(tiles, left).one[row])(tile);
    tile.b += count * tile.b_panel_stride;
    tile.c += count * nr;
    if (tile.bias != nullptr) tile.bias += count * nr;
    left -= count * nr;
  }
}

// `longer` row blocks of plan.block_rows rows and then `shorter` of one row less, panel after panel. `tile` points at
// the first one, and will elsewhere. By blocks: as BlocksFunction takes them.
template <bool kPacked, typename T>
[[gnu::always_inline]] inline void RunRows(const kernels::GemmTiles<T>& tiles, const GemmPlan& plan, bool by_blocks,
                                           std::ptrdiff_t longer, std::ptrdiff_t shorter, kernels::TileArgs<T>& tile) {
  const std::ptrdiff_t nr = plan.nr;
  const std::ptrdiff_t rows = plan.block_rows;
  const T* const a = tile.a;
  T* c = tile.c;
  for (std::ptrdiff_t left = plan.n; left > 0; left -= nr) {
    const TilesOfPanel<T> run = ForPanel<kPacked>(tiles, left);
    tile.n = static_cast<std::int32_t>(std::min(nr, left));
    if (by_blocks) {
      if (longer != 0) run.several[rows - 1](tile, longer);
      if (shorter != 0) run.several[rows - 2](tile, shorter);
    } else {
      for (std::ptrdiff_t i = 0; i < longer + shorter; ++i) {
        const std::ptrdiff_t count = i < longer ? rows : rows - 1;
        run.one[count - 1](tile);
        tile.a += count * tile.a_row_stride;
        tile.c += count * tile.c_row_stride;
      }
    }
    tile.a = a;
    tile.b += tile.b_panel_stride;
    c += nr;
    tile.c = c;
    if (tile.bias != nullptr) tile.bias += nr;
  }
}

// Some row blocks after the other, with all panels and the activation before the next ones: what they read and write
// stays in L1.
template <bool kPacked, typename T>
void RunRowsByL1(const kernels::KernelTable& table, const kernels::GemmTiles<T>& tiles, const GemmPlan& plan,
                 const MatrixView<T>& c, Activation activation, bool by_blocks, std::ptrdiff_t blocks,
                 kernels::TileArgs<T>& tile) {
  const std::ptrdiff_t longer = LongerBlocks(plan);
  const kernels::TileArgs<T> first = tile;
  std::ptrdiff_t row = 0;
  for (std::ptrdiff_t begin = 0; begin < plan.row_blocks; begin += blocks) {
    const std::ptrdiff_t end = std::min(begin + blocks, plan.row_blocks);
    const std::ptrdiff_t long_ones = std::clamp(longer - begin, std::ptrdiff_t{0}, end - begin);
    const std::ptrdiff_t rows = (end - begin) * (plan.block_rows - 1) + long_ones;
    tile.a = first.a + row * tile.a_row_stride;
    tile.b = first.b;
    tile.c = first.c + row * tile.c_row_stride;
    tile.bias = first.bias;
    RunRows<kPacked>(tiles, plan, by_blocks, long_ones, end - begin - long_ones, tile);
    if (activation != Activation::kIdentity) ActivateRows<T>(table, activation, c.Rows(row, rows));
    row += rows;
  }
}

template <typename T, class B>
[[gnu::always_inline]] inline void RunDirect(const kernels::KernelTable& table, const GemmPlan& plan,
                                             const MatrixView<const T>& a, const B& b, const MatrixView<T>& c,
                                             const GemmOptions<T>& options) {
  constexpr bool kPacked = !std::is_same_v<B, MatrixView<const T>>;
  const kernels::GemmTiles<T>& tiles = GemmRow<T>(table).ForColumns(plan.n, plan.interleaved);
  const PanelsOfB<T> panels(b, plan.nr);
  kernels::TileArgs<T> tile;
  // A single row or step may have any stride, even one that would overflow.
  tile.a = a.data;
  tile.a_row_stride = plan.m == 1 ? 0 : a.row_stride;
  tile.a_k_stride = plan.k == 1 ? 1 : a.col_stride;
  tile.b = panels.data;
  tile.b_k_stride = plan.k == 1 ? 0 : panels.k_stride;
  tile.b_panel_stride = panels.panel_stride;
  tile.c = c.data;
  tile.c_row_stride = plan.m == 1 ? 0 : c.row_stride;
  tile.bias = options.bias;
  tile.k = plan.k;
  tile.beta = options.beta;
  tile.first = true;
  PrefetchNothing(tile);
  const bool activates = options.activation != Activation::kIdentity;
  if (plan.b_in_registers || plan.outer || plan.lanes_over_rows) {
    tile.n = static_cast<std::int32_t>(plan.n);
    if (plan.b_in_registers) {
      return RunHeld(table, tiles, plan, c, options.activation, tile);
    } else if (plan.outer) {
      RunOuter(tiles, plan, a, c, tile);
    } else {
      tiles.lanes_over_rows(tile, plan.m);
    }
  } else if (plan.few_rows) {
    RunFewRows<kPacked>(tiles, plan, tile);
  } else {
    const bool by_blocks = tiles.tile_blocks[0] != nullptr && plan.k <= kernels::kQ && options.beta == T{0} &&
                           (a.col_stride == 1 || a.row_stride == 1);
    std::ptrdiff_t blocks = plan.row_blocks;
    if (plan.n > plan.nr && plan.m * plan.k > kRowElements<T>) {
      blocks = std::max<std::ptrdiff_t>(kRowElements<T> / (plan.block_rows * plan.k), 1);
    }
    if (activates && plan.m * plan.n > kActivationElements) {
      blocks = std::min(blocks, std::max<std::ptrdiff_t>(kActivationElements / (plan.block_rows * plan.n), 1));
    }
    if (blocks < plan.row_blocks) {
      return RunRowsByL1<kPacked>(table, tiles, plan, c, options.activation, by_blocks, blocks, tile);
    }
    const std::ptrdiff_t longer = LongerBlocks(plan);
    RunRows<kPacked>(tiles, plan, by_blocks, longer, plan.row_blocks - longer, tile);
  }
  if (activates) ActivateRows<T>(table, options.activation, c);
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
