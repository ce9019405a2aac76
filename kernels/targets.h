// SPDX-License-Identifier: Apache-2.0
//
// Configures Highway: which of its targets are compiled, and which are not and why. Every source file of kernels/
// includes this before any Highway header; outside kernels/ only the benchmarks do.
//
// The order at the top of a kernel source file is fixed by Highway's re-inclusion:
//
//   #include "targets.h"
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "the_file.cc"
//   #include "hwy/foreach_target.h"
//   #include "hwy/highway.h"
//   #include "the_kernels-inl.h"

#pragma once

// Compile every target that the compiler can attain, also those below the baseline: on aarch64 the portable
// tier exists only so.
#define HWY_COMPILE_ALL_ATTAINABLE

// What no tier uses is disabled. The names exist from Highway 1.0.3 on; newer versions add targets (SSE2, AVX3_ZEN4
// ...), hence the complement of the tiers' own.
//   SSE2, SSSE3: no CPU that lacks SSE4 is worth another copy of every kernel.
//   AVX3_DL and above: no kernel uses VBMI, GFNI, VAES ..., so their code would be that of AVX3.
//   SVE: vectors of unknown size can be neither members nor array elements, which register tiles are made of; NEON
//     serves the same CPUs with the same bits.
//   PPC, RISC-V, WASM: nobody has run them.
#define HWY_DISABLED_TARGETS (~(HWY_SCALAR | HWY_SSE4 | HWY_AVX2 | HWY_AVX3 | HWY_NEON))

// The portable tier is HWY_SCALAR with every compiler. Highway 1.0.3 takes it for GCC before 12.3 alone, which
// miscompiles HWY_EMU128, and HWY_EMU128 elsewhere.
#define HWY_BROKEN_EMU128 1

// No kernel uses AES, carry-less multiplication or half floats. Without these two lines Highway puts them into the
// attributes of SSE4 and AVX2, and a virtual machine that hides one of them would lose the tier.
#define HWY_DISABLE_PCLMUL_AES
#define HWY_DISABLE_F16C

// Highway's assertions call hwy::Abort, which lives in libhwy; the archive needs nothing at link time.
#define HWY_IS_DEBUG_BUILD 0
