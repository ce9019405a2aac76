// SPDX-License-Identifier: Apache-2.0
//
// Matrix multiplication: C = act(alpha * A * B + beta * C + bias), for float and double, and for
// std::int32_t and std::int64_t.
//
// Each floating-point element is computed in one order of operations that depends on N and K alone: not on the number
// of rows, the tile, the blocks, threads, packing, strides or (within a numeric class) the tier. The products are added
// up in chunks of Q = 256 of K; in a chunk product k goes to chain k mod c, of c = 16 chains for N = 1, 4 for
// N = 2..16, 1 above; the first chain begins with bias + beta * C. The chains are added over a tree of neighbours, the
// chunks in ascending order. With u = 2^-24 for float, 2^-53 for double, to first order in u and barring overflow and
// underflow, the sum that the activation is given has
//   |error| <= n u (sum over k of |a_ik b_kj| + |bias_j| + |beta c_ij|),
//   n = ceil(min(K, Q) / c) + log2(c) + ceil(K / Q) - 1,
// and one more each in the class mul-add, for alpha other than 0 and 1, and for beta other than 0. docs/numerics.md
// (installed as share/doc/lanewise/numerics.md) states every operation, and has errors that were measured.
//
// A transposed operand is a view with its strides swapped. With beta = 0, C is written and not read; with alpha = 0, A
// and B are not read. The result is the same bits with packed and unpacked B.
//
// Integers are exact modulo 2^32 or 2^64 (two's complement, as unsigned arithmetic wraps around), alpha, beta and bias
// included: the same on every tier, in whatever order. Their activation is kIdentity or kRelu.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "lanewise/activation.h"
#include "lanewise/context.h"
#include "lanewise/matrix_view.h"
#include "lanewise/packed_matrix.h"
#include "lanewise/status.h"

namespace lanewise {

template <typename T>
struct GemmOptions {
  T alpha = 1;
  T beta = 0;
  const T* bias = nullptr;  // N values, added to each row; none if null
  Activation activation = Activation::kIdentity;
};

// C (M x N) = act(alpha * A (M x K) * B (K x N) + beta * C + bias). T is float, double, std::int32_t or std::int64_t.
// Dimensions of 0 are allowed; with K = 0 the products contribute nothing.
// Errors (C is untouched): kInvalidArgument for shapes that do not match, negative sizes, sizes or strides by which a
// matrix would span 2^55 bytes or more, a null pointer to elements, a C whose columns are not contiguous or whose rows
// overlap, C overlapping A, B or the bias, or an activation that integers do not have; kOutOfMemory.
template <typename T>
Status Gemm(Context& context, const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
            const GemmOptions<T>& options = {});

// The same with B packed beforehand; it is read in place. Further error: kLayoutMismatch if B was packed for a kernel
// with another layout than the one `context` uses (PackedMatrix::Repack mends it).
template <typename T>
Status Gemm(Context& context, const MatrixView<const T>& a, const PackedMatrix<T>& b, const MatrixView<T>& c,
            const GemmOptions<T>& options = {});

// ---- Plans -----------------------------------------------------------------------------------------------------

enum class ElementType : std::uint8_t { kF32, kF64, kI32, kI64 };
inline constexpr ElementType kElementTypes[] = {ElementType::kF32, ElementType::kF64, ElementType::kI32,
                                                ElementType::kI64};

// "f32", "f64", "i32" or "i64".
constexpr const char* Name(ElementType type) {
  constexpr const char* kNames[] = {"f32", "f64", "i32", "i64"};
  return kNames[static_cast<int>(type)];
}

// That of T.
template <typename T>
inline constexpr ElementType kElementType = std::is_integral_v<T>
                                                ? (sizeof(T) == 8 ? ElementType::kI64 : ElementType::kI32)
                                                : (sizeof(T) == 8 ? ElementType::kF64 : ElementType::kF32);

// The row stride of a dense, row-major matrix, whatever its number of columns. (No view has it: 0 is a stride like any
// other, that of one row repeated.)
inline constexpr std::ptrdiff_t kDenseStride = PTRDIFF_MIN;

// What a plan depends on besides the machine. Strides are in elements. Sizes are as Gemm accepts them: none negative,
// no matrix of 2^55 bytes or more; PlanGemm does not check it.
struct GemmShape {
  ElementType type = ElementType::kF32;
  std::ptrdiff_t m = 0, n = 0, k = 0;
  std::ptrdiff_t a_row_stride = kDenseStride, a_k_stride = 1;
  std::ptrdiff_t b_k_stride = kDenseStride, b_column_stride = 1;
  bool b_packed = false;
  bool scaled = false;  // alpha is neither 0 nor 1

  friend bool operator==(const GemmShape&, const GemmShape&) = default;
};

enum class PackA : std::uint8_t {
  kNo,                   // read in place
  kForAlpha,             // alpha scales A on the way
  kForUnitStride,        // the lanes of the kernels for few columns run along K and need it contiguous
  kForCacheSets,         // the rows of a tile lie a multiple of 2 KiB apart and would evict each other from L1
  kColumnsForCacheSets,  // likewise the columns, which are contiguous; in the copy they are too
  kGroups,               // likewise the rows of a group of row blocks, from L2; group after group
};

enum class PackB : std::uint8_t {
  kBeforehand,  // by PackedMatrix
  kInPlace,     // read where it lies: its columns are contiguous and a copy would not pay
  kEachCall,    // copied into panels
};

enum class GemmSplit : std::uint8_t {
  kSmall,       // below the break-even of threads: one thread
  kOneThread,   // the executor has one thread (a number below 1 counts as 1)
  kColumns,     // threads own whole panels of B
  kRows,        // threads own rows of C
  kChunksOfK,   // threads own whole chunks of K, whose sums are added up in order at the end
  kIndivisible  // a single tile, and a single chunk of K
};

// How a product is computed, and why. Plain data.
struct GemmPlan {
  std::ptrdiff_t m = 0, n = 0, k = 0;
  std::ptrdiff_t panels = 0;  // of B, each of nr columns (the last may have fewer)
  // Of a block of B: kc x (block_panels * nr) elements stay in L2, beside groups in L3.
  std::ptrdiff_t block_panels = 0;
  std::ptrdiff_t row_blocks = 0;  // M is cut into so many nearly equal parts of at most mr rows
  std::ptrdiff_t kc = 0;          // steps of K of a block of B: a multiple of the contract's chunk, or all
  std::int32_t nr = 0;
  std::int16_t mr = 0;
  std::int16_t group_blocks = 1;  // row blocks of which kc columns of A stay in L2 while B's panels pass by
  std::int32_t block_rows = 0;    // rows of the longer row blocks; the others have one fewer
  std::int32_t tasks = 1;         // parts that run at once
  std::int16_t chains = 0;        // of multiply-adds, of each output
  ElementType type = ElementType::kF32;
  Tier tier = Tier::kPortable;
  bool few_rows = false;         // tiles of several panels or several chunks of K, for one block of few rows
  bool direct = false;           // tile after tile from where A and B lie: no copy, no memory, no thread, no block
  bool outer = false;            // K = 1: likewise, row after row without tiles
  bool lanes_over_rows = false;  // likewise, for N = 2..16 and an A whose columns are contiguous
  bool b_in_registers = false;   // likewise, row after row, for N = 2..16 and a small B
  bool interleaved = false;   // N = 2..16: lanes run over chains too, over panels with four k of a column side by side
  bool widest_tiles = false;  // B lies beyond all caches, one row: as many panels side by side as registers allow
  bool prefetch_a = false;    // A lies beyond L2: tiles ask for the rows of the next ones
  bool prefetch_b = false;    // B lies beyond L2: tiles ask for panels ahead of their use
  PackA pack_a = PackA::kNo;
  PackB pack_b = PackB::kBeforehand;
  GemmSplit split = GemmSplit::kSmall;
  double thread_break_even = 0;  // multiply-adds, of the machine
  std::size_t l2 = 0;            // bytes, of the machine
  std::size_t a_scratch = 0;     // elements for a copy of A, and
  std::size_t b_scratch = 0;     // for all panels of B, where tasks share them
  std::size_t task_scratch = 0;  // elements for each task to pack panels and groups of rows into
};
static_assert(sizeof(GemmPlan) <= 128);

// Which tiers compute the same bits as this plan.
constexpr NumericClass ClassOf(const GemmPlan& plan) {
  return plan.type == ElementType::kF32 || plan.type == ElementType::kF64 ? ClassOf(plan.tier) : NumericClass::kExact;
}

// A pure function of its arguments. `threads` is what the executor offers; a plan uses as many of them as it has work
// for, and no fewer for being offered more.
GemmPlan PlanGemm(const GemmShape& shape, const Kernels& kernels, const Machine& machine, int threads);

// Gemm by a plan made beforehand, which spares a small product the planning. Further error: kInvalidArgument if the
// plan was made for another shape, type, tier, packing of B or scaling than those given (strides may differ where
// neither operand is read in another way for it).
template <typename T>
Status Gemm(Context& context, const GemmPlan& plan, const MatrixView<const T>& a, const MatrixView<const T>& b,
            const MatrixView<T>& c, const GemmOptions<T>& options = {});
template <typename T>
Status Gemm(Context& context, const GemmPlan& plan, const MatrixView<const T>& a, const PackedMatrix<T>& b,
            const MatrixView<T>& c, const GemmOptions<T>& options = {});

// The plan in words, a line for each decision, each ending in a newline.
std::string Explain(const GemmPlan& plan);

// Makes room in the Context for executions of the plan, so that they allocate nothing. kOutOfMemory.
Status Reserve(Context& context, const GemmPlan& plan);

}  // namespace lanewise
