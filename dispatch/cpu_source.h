// SPDX-License-Identifier: Apache-2.0
//
// Where the facts about a CPU come from. Decoding them is a function of this interface alone, so that a test can be any
// CPU. Internal.

#pragma once

#include <cstdint>
#include <string>

#include "lanewise/cpu.h"

namespace lanewise {

struct CpuidRegisters {
  std::uint32_t eax = 0;
  std::uint32_t ebx = 0;
  std::uint32_t ecx = 0;
  std::uint32_t edx = 0;
};

// Raw facts, unchecked. The functions of the other architecture are never called.
class CpuSource {
 public:
  enum class Architecture : std::uint8_t { kX86_64, kAarch64, kOther };

  virtual ~CpuSource() = default;
  virtual Architecture architecture() const = 0;
  // x86-64. `leaf` is at most the highest one that leaf 0 or 0x80000000 reports.
  virtual CpuidRegisters Cpuid(std::uint32_t leaf, std::uint32_t subleaf) const = 0;
  // x86-64. The extended control register 0; called only if CPUID reports OSXSAVE, else reading it traps.
  virtual std::uint64_t Xcr0() const = 0;
  // aarch64. The kernel's AT_HWCAP.
  virtual std::uint64_t Hwcap() const = 0;
  // The start of a text file of /sys or /proc, "" if it cannot be read.
  virtual std::string ReadFile(const std::string& path) const = 0;
};

// What the source's CPU and OS offer.
CpuFacts Decode(const CpuSource& source);

}  // namespace lanewise
