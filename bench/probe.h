// SPDX-License-Identifier: Apache-2.0
//
// The probe: how many multiply-adds per second this core does at best with a tier's vectors, how fast it reads, and its
// clock. What kernels are measured against, in the same run, on the same thread and by the same clock.

#pragma once

#include <cstddef>

#include "lanewise/gemm.h"
#include "lanewise/tier.h"

namespace lanewise::bench {

// CPU time of the calling thread in seconds: what other processes take of the core does not count.
double ThreadCpuSeconds();

// The calling thread's clock rate now, in cycles per ns.
double ClockGhz();

// The best of several bursts of about 0.2 ms each, in GFLOP/s; a multiply-add counts 2, fused or not. The tier must be
// one that this CPU can run.
double MeasurePeak(Tier tier, ElementType type);

// How fast the thread reads an array of that many bytes again and again, by the tier's vectors, in GB/s: the best of
// several bursts. The size decides which cache it comes from.
double MeasureReads(Tier tier, std::size_t bytes);

}  // namespace lanewise::bench
