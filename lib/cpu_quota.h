// SPDX-License-Identifier: Apache-2.0
//
// The CPU time that Linux control groups grant this process.

#pragma once

#include <string>

namespace lanewise {

// The smallest quota among the process's cgroup and its ancestors, in CPUs (1.5: three halves of a CPU's time);
// infinity where there is none or the files cannot be read. Understands cgroup v2 and v1 at their usual mount points.
// `root` stands before every path that is read ("" but in tests).
double CgroupCpuQuota(const std::string& root);

}  // namespace lanewise
