// SPDX-License-Identifier: Apache-2.0
//
// What the CPU and the operating system offer: the facts that dispatch and planning rest on. Our own gate: a tier is
// supported if the CPU has exactly the instruction sets its kernels were compiled for and the OS saves the registers
// they use.

#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "lanewise/tier.h"

namespace lanewise {

// Instruction-set bits that some tier needs, as the CPU reports them, and the register state that the OS saves.
enum class CpuFeature : std::uint8_t {
  kSse2,
  kSse3,
  kSsse3,
  kSse41,
  kSse42,
  kPopcnt,
  kAvx,
  kAvx2,
  kBmi,
  kBmi2,
  kFma,
  kAvx512f,
  kAvx512vl,
  kAvx512dq,
  kAvx512bw,
  kOsYmm,  // XCR0 bits 1 and 2: the OS saves XMM and YMM registers
  kOsZmm,  // XCR0 bits 5 to 7: the OS saves mask and ZMM registers
  kAsimd,  // aarch64 HWCAP
  kCount,
};

// The name people know from /proc/cpuinfo ("avx512vl"), or "os-ymm", "os-zmm" for the OS's part.
std::string_view Name(CpuFeature feature);

// A set of features.
class CpuFeatures {
 public:
  constexpr CpuFeatures() = default;
  constexpr CpuFeatures(std::initializer_list<CpuFeature> features) {
    for (CpuFeature f : features) bits_ |= 1u << static_cast<int>(f);
  }
  constexpr bool Has(CpuFeature f) const { return (bits_ >> static_cast<int>(f) & 1u) != 0; }
  constexpr void Add(CpuFeature f) { bits_ |= 1u << static_cast<int>(f); }
  constexpr bool empty() const { return bits_ == 0; }
  // The features of this set that `other` lacks.
  constexpr CpuFeatures Without(CpuFeatures other) const { return CpuFeatures(bits_ & ~other.bits_); }
  friend constexpr bool operator==(CpuFeatures, CpuFeatures) = default;

 private:
  constexpr explicit CpuFeatures(std::uint32_t bits) : bits_(bits) {}
  std::uint32_t bits_ = 0;
};

// Data cache sizes in bytes (0: unknown) and where the figures come from ("cpuid", "sysfs", "default"). Clamped to
// sane ranges when planning uses them: hypervisors report absurd ones.
struct CacheSizes {
  std::size_t l1d = 0;
  std::size_t l2 = 0;
  std::size_t l3 = 0;
  std::string source;
};

struct CpuFacts {
  CpuFeatures features;
  std::string brand;         // "" if the CPU does not say
  std::string architecture;  // "x86-64", "aarch64"
  CacheSizes caches;
};

// The features that a tier's kernels need.
CpuFeatures Required(Tier tier);

// Required(tier) that `cpu` lacks; empty if the CPU and the OS can run the tier.
CpuFeatures Missing(Tier tier, const CpuFacts& cpu);

// "fma avx2 os-ymm"
std::string ToString(CpuFeatures features);

// Facts about the machine at hand, detected once per process.
const CpuFacts& ThisCpu();

}  // namespace lanewise
