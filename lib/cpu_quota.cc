// SPDX-License-Identifier: Apache-2.0
//
// How many threads suit this process: the affinity mask, and what control groups grant.

#include "cpu_quota.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "format.h"
#include "lanewise/executor.h"

namespace lanewise {
namespace {

constexpr double kNone = std::numeric_limits<double>::infinity();

// One directory's quota. v2: cpu.max holds "QUOTA PERIOD" or "max PERIOD"; v1: two files, a negative quota is none.
double QuotaOf(const std::string& directory) {
  double quota = 0;
  double period = 0;
  if (!(std::ifstream(directory + "/cpu.max") >> quota >> period)) {
    std::ifstream(directory + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(directory + "/cpu.cfs_period_us") >> period;
  }
  return quota > 0 && period > 0 ? quota / period : kNone;
}

// The smallest quota of mount + path and of its parents up to the mount point. Inside a container the path may be the
// host's and not exist here; the mount point is then the container's own group.
double SmallestQuota(const std::string& mount, std::string path) {
  double smallest = kNone;
  for (;;) {
    smallest = std::min(smallest, QuotaOf(mount + path));
    if (path.empty()) return smallest;
    path.resize(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
  }
}

// The numbers of the CPUs in the affinity mask; that of the first alone where the system does not tell.
std::vector<int> AffinityCpus() {
  // The kernel refuses masks smaller than its own; 2^20 CPUs are more than it can be built for.
  for (std::size_t cpus = 1024; cpus <= 1u << 20; cpus *= 4) {
    std::vector<cpu_set_t> mask((cpus + CPU_SETSIZE - 1) / CPU_SETSIZE);
    const std::size_t bytes = mask.size() * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, mask.data()) == 0) {
      std::vector<int> numbers;
      for (std::size_t cpu = 0; cpu < 8 * bytes; ++cpu) {
        if (CPU_ISSET_S(cpu, bytes, mask.data())) numbers.push_back(static_cast<int>(cpu));
      }
      if (!numbers.empty()) return numbers;
      break;
    }
    if (errno != EINVAL) break;
  }
  return {0};
}

}  // namespace

double CgroupCpuQuota(const std::string& root) {
  double smallest = kNone;
  std::ifstream groups(root + "/proc/self/cgroup");
  // Lines are "ID:CONTROLLERS:PATH", with ID 0 and no controllers for v2.
  for (std::string line; std::getline(groups, line);) {
    const std::size_t controllers_at = line.find(':') + 1;
    const std::size_t path_at = line.find(':', controllers_at) + 1;
    if (controllers_at == 0 || path_at == 0) continue;
    const std::string controllers = line.substr(controllers_at, path_at - controllers_at - 1);
    const std::string path = line.substr(path_at);
    if (controllers.empty()) {
      smallest = std::min(smallest, SmallestQuota(root + "/sys/fs/cgroup", path));
    } else if (Format(",{},", controllers).find(",cpu,") != std::string::npos) {
      smallest = std::min({smallest, SmallestQuota(root + "/sys/fs/cgroup/cpu", path),
                           SmallestQuota(Format("{}/sys/fs/cgroup/{}", root, controllers), path)});
    }
  }
  return smallest;
}

CpuLimits ThisCpuLimits() {
  return {.online = static_cast<int>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L)),
          .allowed = AffinityCpus(),
          .quota = CgroupCpuQuota("")};
}

ThreadCount DefaultThreads(const CpuLimits& limits) {
  const int cpus = std::max(static_cast<int>(limits.allowed.size()), 1);
  const double quota = limits.quota;
  if (quota >= cpus) return {cpus, Format("{} CPU{} in the affinity mask", cpus, cpus == 1 ? "" : "s")};
  return {std::max(static_cast<int>(quota), 1), Format("cgroup quota of {:.2f} CPUs", quota)};
}

ThreadCount DefaultThreads() { return DefaultThreads(ThisCpuLimits()); }

}  // namespace lanewise
