// SPDX-License-Identifier: Apache-2.0
//
// Keeps a comparison on its CPUs.

#pragma once

#include <sched.h>

namespace lanewise::peers {

// Keeps this thread, and those it starts, on the last `threads` of the CPUs it may use (the first handle most
// interrupts). False if there are fewer.
inline bool Pin(int threads) {
  cpu_set_t allowed;
  cpu_set_t chosen;
  CPU_ZERO(&chosen);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return false;
  int found = 0;
  for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && found < threads; --cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    CPU_SET(cpu, &chosen);
    ++found;
  }
  return found == threads && sched_setaffinity(0, sizeof(chosen), &chosen) == 0;
}

}  // namespace lanewise::peers
