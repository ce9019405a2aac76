// SPDX-License-Identifier: Apache-2.0
//
// CPUs to test dispatch with: CPUID leaves, XCR0 and HWCAP as the real ones (or a hypervisor) report them. A FakeCpu
// fails the test when it is asked for what a real CPU would trap on or answer with nonsense.

#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "cpu_source.h"
#include "doctest/doctest.h"

namespace lanewise::test {

class FakeCpu final : public CpuSource {
 public:
  Architecture kind = Architecture::kX86_64;
  std::map<std::pair<std::uint32_t, std::uint32_t>, CpuidRegisters> leaves;  // (leaf, subleaf)
  std::uint64_t xcr0 = 0;
  std::uint64_t hwcap = 0;
  std::map<std::string, std::string> files;

  Architecture architecture() const override { return kind; }

  CpuidRegisters Cpuid(std::uint32_t leaf, std::uint32_t subleaf) const override {
    REQUIRE(kind == Architecture::kX86_64);
    const std::uint32_t base = leaf & 0x80000000;
    if (leaf != base) REQUIRE(leaf <= Leaf(base, 0).eax);  // real CPUs answer with another leaf's data
    return Leaf(leaf, subleaf);
  }

  std::uint64_t Xcr0() const override {
    REQUIRE(kind == Architecture::kX86_64);
    REQUIRE((Leaf(1, 0).ecx >> 27 & 1) != 0);  // OSXSAVE; else XGETBV traps
    return xcr0;
  }

  std::uint64_t Hwcap() const override {
    REQUIRE(kind == Architecture::kAarch64);
    return hwcap;
  }

  std::string ReadFile(const std::string& path) const override {
    const auto found = files.find(path);
    return found == files.end() ? "" : found->second;
  }

  void SetBrand(std::string brand) {
    brand.resize(48);
    for (std::uint32_t i = 0; i < 3; ++i) {
      CpuidRegisters r;
      std::memcpy(&r, brand.data() + 16 * i, sizeof r);
      leaves[{0x80000002 + i, 0}] = r;
    }
  }

  enum CacheType : std::uint32_t { kData = 1, kInstructions = 2, kUnified = 3 };
  // With 64-byte lines and one partition, as leaf 4 and leaf 0x8000001D have it.
  void SetCache(std::uint32_t leaf, std::uint32_t subleaf, CacheType type, std::uint32_t level, std::uint32_t ways,
                std::uint32_t sets) {
    leaves[{leaf, subleaf}] = {.eax = type | level << 5, .ebx = (ways - 1) << 22 | 63, .ecx = sets - 1, .edx = 0};
  }

  void SetFileCache(int index, const char* level, const char* type, const char* size) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    files[folder + "level"] = std::string(level) + "\n";
    files[folder + "type"] = std::string(type) + "\n";
    files[folder + "size"] = std::string(size) + "\n";
  }

 private:
  CpuidRegisters Leaf(std::uint32_t leaf, std::uint32_t subleaf) const {
    const auto found = leaves.find({leaf, subleaf});
    return found == leaves.end() ? CpuidRegisters{} : found->second;
  }
};

inline FakeCpu X86(std::uint32_t max_leaf, std::uint32_t leaf1_ecx, std::uint32_t leaf7_ebx, std::uint64_t xcr0) {
  FakeCpu cpu;
  cpu.leaves[{0, 0}] = {.eax = max_leaf, .ebx = 0, .ecx = 0, .edx = 0};
  cpu.leaves[{1, 0}] = {.eax = 0, .ebx = 0, .ecx = leaf1_ecx, .edx = 0x178BFBFF};
  cpu.leaves[{7, 0}] = {.eax = 0, .ebx = leaf7_ebx, .ecx = 0, .edx = 0};  // present or not: see max_leaf
  cpu.leaves[{0x80000000, 0}] = {.eax = 0x80000008, .ebx = 0, .ecx = 0, .edx = 0};
  cpu.xcr0 = xcr0;
  return cpu;
}

// Its highest leaf is 6, so leaf 7, all ones here, must not be read.
inline FakeCpu Core2() { return X86(6, 0x0000E3BD, 0xFFFFFFFF, 0); }

inline FakeCpu Nehalem() {
  FakeCpu cpu = X86(11, 0x009CE3BD, 0, 0);
  cpu.SetBrand("Intel(R) Core(TM) i7 CPU         920  @ 2.67GHz");
  cpu.SetCache(4, 0, FakeCpu::kData, 1, 8, 64);
  cpu.SetCache(4, 1, FakeCpu::kInstructions, 1, 4, 128);
  cpu.SetCache(4, 2, FakeCpu::kUnified, 2, 8, 512);
  cpu.SetCache(4, 3, FakeCpu::kUnified, 3, 16, 8192);
  return cpu;
}

inline FakeCpu Haswell() {
  FakeCpu cpu = X86(13, 0x7FDAFBBF, 0x000027AB, 0x7);
  cpu.SetBrand("       Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz");
  return cpu;
}

// AVX bits without XSAVE: what `qemu-x86_64 -cpu Haswell,-xsave` reports, and kernels booted with noxsave.
inline FakeCpu HaswellWithoutXsave() { return X86(13, 0x73DAFBBF, 0x000027AB, 0); }

inline FakeCpu SkylakeSp() { return X86(22, 0x7FFEFBFF, 0xD39FFFFB, 0x2FF); }

// An OS, or a hypervisor, that saves no ZMM registers.
inline FakeCpu CascadeLakeWithoutZmm() { return X86(22, 0x7FFEFBFF, 0xD19FFFFB, 0x7); }

// Saves the mask registers and the upper halves, but not ZMM16 to ZMM31.
inline FakeCpu SkylakeSpPartOfZmm() { return X86(22, 0x7FFEFBFF, 0xD39FFFFB, 0x67); }

inline FakeCpu SkylakeSpHidingBmi2() { return X86(22, 0x7FFEFBFF, 0xD39FFEFB, 0x2FF); }

inline FakeCpu SkylakeSpHidingAvx512Dq() { return X86(22, 0x7FFEFBFF, 0xD39DFFFB, 0x2FF); }

inline FakeCpu Zen4() {
  FakeCpu cpu = X86(16, 0x7EFA320B, 0xF1BF97A9, 0x2E7);
  cpu.leaves[{0x80000000, 0}].eax = 0x80000028;
  cpu.SetCache(0x8000001D, 0, FakeCpu::kData, 1, 8, 64);
  cpu.SetCache(0x8000001D, 1, FakeCpu::kInstructions, 1, 8, 64);
  cpu.SetCache(0x8000001D, 2, FakeCpu::kUnified, 2, 8, 2048);
  cpu.SetCache(0x8000001D, 3, FakeCpu::kUnified, 3, 16, 32768);
  return cpu;
}

inline FakeCpu Aarch64(std::uint64_t hwcap) {
  FakeCpu cpu;
  cpu.kind = CpuSource::Architecture::kAarch64;
  cpu.hwcap = hwcap;
  return cpu;
}

}  // namespace lanewise::test
