// SPDX-License-Identifier: Apache-2.0
//
// The CPU at hand as a CpuSource: the only file that executes CPUID and XGETBV, asks the auxiliary vector or reads /sys
// and /proc. No meaning is given to anything here.

#include "cpu_source.h"

#include <cstdio>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace lanewise {
namespace {

class ThisMachine final : public CpuSource {
 public:
#if defined(__x86_64__)
  Architecture architecture() const override { return Architecture::kX86_64; }

  CpuidRegisters Cpuid(std::uint32_t leaf, std::uint32_t subleaf) const override {
    CpuidRegisters r;
    __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
    return r;
  }

  std::uint64_t Xcr0() const override {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return std::uint64_t{high} << 32 | low;
  }

  std::uint64_t Hwcap() const override { return 0; }
#else
  CpuidRegisters Cpuid(std::uint32_t /*leaf*/, std::uint32_t /*subleaf*/) const override { return {}; }
  std::uint64_t Xcr0() const override { return 0; }
#if defined(__aarch64__)
  Architecture architecture() const override { return Architecture::kAarch64; }
  std::uint64_t Hwcap() const override { return getauxval(AT_HWCAP); }
#else
  Architecture architecture() const override { return Architecture::kOther; }
  std::uint64_t Hwcap() const override { return 0; }
#endif
#endif

  std::string ReadFile(const std::string& path) const override {
    std::FILE* file = std::fopen(path.c_str(), "re");
    if (file == nullptr) return "";
    char text[4096];  // one CPU's part of /proc/cpuinfo is about 1.5 KB
    const std::size_t size = std::fread(text, 1, sizeof text, file);
    std::fclose(file);
    return std::string(text, size);
  }
};

}  // namespace

const CpuFacts& ThisCpu() {
  static const CpuFacts kFacts = Decode(ThisMachine());
  return kFacts;
}

}  // namespace lanewise
