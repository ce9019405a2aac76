// SPDX-License-Identifier: Apache-2.0
//
// The probe: how many multiply-adds per second this core does at best with a tier's vectors, and its clock. What
// kernels are measured against, in the same run, on the same thread and by the same clock.

#pragma once

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

}  // namespace lanewise::bench
