// SPDX-License-Identifier: Apache-2.0
//
// Which kernels run, and why: what this CPU and OS offer, what is compiled in, what was asked for, what is chosen.
//
// Selection is a pure function of the three; its result, Kernels, is a value that the caller holds. There is no
// process-wide "current ISA": one program can hold the kernels of all tiers at once.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lanewise/cpu.h"
#include "lanewise/status.h"
#include "lanewise/tier.h"

namespace lanewise {

namespace kernels {
struct KernelTable;
}
struct Selection;  // internal, as KernelTable is

// The kernels of one selection: for each operation the one that runs. Immutable, cheap to copy, safe to share between
// threads. Made by SelectKernels alone, so that holding one means that this CPU can run it.
class Kernels {
 public:
  // The tier chosen for a kernel; `kernel` is a name that ListKernels gives, such as "gemm_f32".
  Result<Tier> TierOf(std::string_view kernel) const;

  // The name of the one tier all kernels come from, or "mixed".
  std::string_view TierName() const;

  // The raw table; internal to the library (its type is not installed).
  const kernels::KernelTable& table() const { return *table_; }

 private:
  friend Kernels MakeKernels(Selection selection);
  explicit Kernels(std::shared_ptr<const Selection> selection);
  std::shared_ptr<const Selection> selection_;
  const kernels::KernelTable* table_;  // selection_'s
};

// Chooses a kernel for each operation. `request` is a comma-separated list of:
//
//   avx2              exactly this tier, for every kernel
//   <=avx2            at most this tier (the tiers are ordered portable < sse4 < avx2 < avx512; portable < neon)
//   -avx512           without this tier (any number of them)
//   gemm_f32=avx2     for this kernel exactly this tier, whatever the rest of the request says
//
// An empty request takes the best tier that is compiled and supported. LANEWISE_ISA is not looked at: pass on what
// RequestFromEnvironment() (lanewise/environment.h) says if it shall count. At most one of the first two forms may be
// given. Spaces around items are allowed; names are lower case. Errors, all of them before anything is chosen:
//   kInvalidArgument  the request does not follow the grammar, contradicts itself, or leaves no tier
//   kUnknownName      no such tier or kernel; names the valid ones and the nearest
//   kNotCompiled      the tier, or every tier that the request leaves, is not in this library; names those that are
//   kNotSupported     this CPU or OS cannot run it, or any that the request leaves; names the missing bits
Result<Kernels> SelectKernels(std::string_view request, const CpuFacts& cpu);

// The same for the CPU at hand.
Result<Kernels> SelectKernels(std::string_view request = {});

// Whether a library of this build has kernels for the tier.
bool IsCompiled(Tier tier);

// One tier's standing for one kernel, in words for people.
struct TierStanding {
  Tier tier = Tier::kPortable;
  bool compiled = false;
  bool supported = false;  // by CPU and OS
  bool allowed = false;    // by the request
  NumericClass numeric_class = NumericClass::kMulAdd;
  std::string reason;  // "chosen", "slower than avx512", "not allowed by the request '<=avx2'", "missing: fma avx2"
  std::string tile;    // "14x32" for a GEMM kernel, "" for others or where it is not compiled
};

// One operation and what would run for it.
struct KernelListing {
  std::string kernel;  // "gemm_f32"
  std::string type;    // "f32", "f64", "i32", "i64"
  // "gemm", "unary", "gradient", "row", "row gradient", "sum", "column sum", "optimizer" or "convert".
  std::string kind;
  bool has_choice = false;
  Tier chosen = Tier::kPortable;  // if has_choice
  std::vector<TierStanding> tiers;

  const TierStanding& Of(Tier tier) const { return tiers[static_cast<std::size_t>(tier)]; }
};

// Every kernel, in the order of the table, with each tier's standing under the request. Works for requests that
// SelectKernels refuses: nothing is then chosen and `error` says why.
struct Listing {
  Status error;
  std::vector<KernelListing> kernels;
};
Listing ListKernels(std::string_view request, const CpuFacts& cpu);

}  // namespace lanewise
