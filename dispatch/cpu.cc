// SPDX-License-Identifier: Apache-2.0
//
// Decodes CPUID, XCR0 and HWCAP into facts, and says what each tier needs. Knows neither kernels nor requests, and asks
// the hardware only through CpuSource.

#include "lanewise/cpu.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "cpu_source.h"

namespace lanewise {
namespace {

constexpr bool Bit(std::uint64_t value, int bit) { return (value >> bit & 1) != 0; }

// All of the bits from `first` to `last`.
constexpr bool Bits(std::uint64_t value, int first, int last) {
  const std::uint64_t mask = ((std::uint64_t{1} << (last - first + 1)) - 1) << first;
  return (value & mask) == mask;
}

// Bit positions: Intel's Software Developer's Manual, volume 2A, CPUID; XCR0: volume 1, 13.3.
CpuFeatures X86Features(const CpuSource& source) {
  using enum CpuFeature;
  CpuFeatures features;
  const auto add = [&features](CpuFeature feature, bool present) {
    if (present) features.Add(feature);
  };
  const std::uint32_t max_leaf = source.Cpuid(0, 0).eax;
  if (max_leaf < 1) return features;
  const CpuidRegisters leaf1 = source.Cpuid(1, 0);
  add(kSse2, Bit(leaf1.edx, 26));
  add(kSse3, Bit(leaf1.ecx, 0));
  add(kSsse3, Bit(leaf1.ecx, 9));
  add(kFma, Bit(leaf1.ecx, 12));
  add(kSse41, Bit(leaf1.ecx, 19));
  add(kSse42, Bit(leaf1.ecx, 20));
  add(kPopcnt, Bit(leaf1.ecx, 23));
  add(kAvx, Bit(leaf1.ecx, 28));
  const bool os_xsave = Bit(leaf1.ecx, 27);
  const std::uint64_t xcr0 = os_xsave ? source.Xcr0() : 0;
  add(kOsYmm, Bits(xcr0, 1, 2));
  add(kOsZmm, Bits(xcr0, 5, 7));
  if (max_leaf < 7) return features;
  const CpuidRegisters leaf7 = source.Cpuid(7, 0);
  add(kBmi, Bit(leaf7.ebx, 3));
  add(kAvx2, Bit(leaf7.ebx, 5));
  add(kBmi2, Bit(leaf7.ebx, 8));
  add(kAvx512f, Bit(leaf7.ebx, 16));
  add(kAvx512dq, Bit(leaf7.ebx, 17));
  add(kAvx512bw, Bit(leaf7.ebx, 30));
  add(kAvx512vl, Bit(leaf7.ebx, 31));
  return features;
}

std::string Trim(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\n";
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1));
}

std::string X86Brand(const CpuSource& source) {
  constexpr std::uint32_t kFirst = 0x80000002, kLast = 0x80000004;
  if (source.Cpuid(0x80000000, 0).eax < kLast) return "";
  std::string brand;
  for (std::uint32_t leaf = kFirst; leaf <= kLast; ++leaf) {
    const CpuidRegisters r = source.Cpuid(leaf, 0);
    char text[sizeof r];
    std::memcpy(text, &r, sizeof r);
    brand.append(text, sizeof text);
  }
  return Trim(brand.c_str());  // zeros fill it up
}

// The value of the first "key : value" line of /proc/cpuinfo, "" if there is none.
std::string ProcCpuinfo(const CpuSource& source, std::string_view key) {
  const std::string file = source.ReadFile("/proc/cpuinfo");
  const std::string_view text = file;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && Trim(line.substr(0, colon)) == key) return Trim(line.substr(colon + 1));
    begin = end + 1;
  }
  return "";
}

// Data and unified caches only; the first of each level counts.
void AddCache(CacheSizes& caches, std::uint32_t level, std::size_t bytes) {
  std::size_t* size = level == 1 ? &caches.l1d : level == 2 ? &caches.l2 : level == 3 ? &caches.l3 : nullptr;
  if (size != nullptr && *size == 0) *size = bytes;
}

// Leaf 4 (Intel) and leaf 0x8000001D (AMD) have one format: a cache per subleaf, until its type is 0.
CacheSizes CachesFromLeaf(const CpuSource& source, std::uint32_t leaf) {
  CacheSizes caches;
  constexpr std::uint32_t kMaxCaches = 16;  // a hypervisor may never say "no more"
  for (std::uint32_t subleaf = 0; subleaf < kMaxCaches; ++subleaf) {
    const CpuidRegisters r = source.Cpuid(leaf, subleaf);
    const std::uint32_t type = r.eax & 31;
    if (type == 0) break;
    constexpr std::uint32_t kInstructions = 2;
    if (type == kInstructions) continue;
    const std::size_t ways = (r.ebx >> 22) + 1;
    const std::size_t partitions = (r.ebx >> 12 & 1023) + 1;
    const std::size_t line = (r.ebx & 4095) + 1;
    const std::size_t sets = std::size_t{r.ecx} + 1;
    AddCache(caches, r.eax >> 5 & 7, ways * partitions * line * sets);
  }
  return caches;
}

CacheSizes CachesFromCpuid(const CpuSource& source) {
  CacheSizes caches;
  if (source.Cpuid(0, 0).eax >= 4) caches = CachesFromLeaf(source, 4);
  constexpr std::uint32_t kAmd = 0x8000001D;
  if (caches.l1d == 0 && source.Cpuid(0x80000000, 0).eax >= kAmd) caches = CachesFromLeaf(source, kAmd);
  return caches;
}

// "32K", "36608K", "2M"; 0 if it is none of these.
std::size_t ParseSize(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return 0;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return unit == "K" ? value << 10 : unit == "M" ? value << 20 : unit.empty() ? value : 0;
}

CacheSizes CachesFromSysfs(const CpuSource& source) {
  CacheSizes caches;
  for (int index = 0; index < 10; ++index) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    const std::string type = Trim(source.ReadFile(folder + "type"));
    if (type != "Data" && type != "Unified") continue;
    const std::size_t level = ParseSize(Trim(source.ReadFile(folder + "level")));
    AddCache(caches, static_cast<std::uint32_t>(level), ParseSize(Trim(source.ReadFile(folder + "size"))));
  }
  return caches;
}

CacheSizes Caches(const CpuSource& source, bool has_cpuid) {
  CacheSizes caches;
  if (has_cpuid) caches = CachesFromCpuid(source);
  caches.source = "cpuid";
  if (caches.l1d != 0 && caches.l2 != 0) return caches;
  caches = CachesFromSysfs(source);
  caches.source = "sysfs";
  if (caches.l1d != 0 && caches.l2 != 0) return caches;
  // The smallest of the CPUs with AVX2 or NEON that people still use, without the L3 that some lack.
  return {.l1d = 32 << 10, .l2 = 256 << 10, .l3 = 0, .source = "default"};
}

}  // namespace

std::string_view Name(CpuFeature feature) {
  switch (feature) {
    case CpuFeature::kSse2:
      return "sse2";
    case CpuFeature::kSse3:
      return "sse3";
    case CpuFeature::kSsse3:
      return "ssse3";
    case CpuFeature::kSse41:
      return "sse4_1";
    case CpuFeature::kSse42:
      return "sse4_2";
    case CpuFeature::kPopcnt:
      return "popcnt";
    case CpuFeature::kAvx:
      return "avx";
    case CpuFeature::kAvx2:
      return "avx2";
    case CpuFeature::kBmi:
      return "bmi1";
    case CpuFeature::kBmi2:
      return "bmi2";
    case CpuFeature::kFma:
      return "fma";
    case CpuFeature::kAvx512f:
      return "avx512f";
    case CpuFeature::kAvx512vl:
      return "avx512vl";
    case CpuFeature::kAvx512dq:
      return "avx512dq";
    case CpuFeature::kAvx512bw:
      return "avx512bw";
    case CpuFeature::kOsYmm:
      return "os-ymm";
    case CpuFeature::kOsZmm:
      return "os-zmm";
    case CpuFeature::kAsimd:
      return "asimd";
    case CpuFeature::kCount:
      break;
  }
  return "?";
}

std::string ToString(CpuFeatures features) {
  std::string text;
  for (int i = 0; i < static_cast<int>(CpuFeature::kCount); ++i) {
    const auto feature = static_cast<CpuFeature>(i);
    if (!features.Has(feature)) continue;
    if (!text.empty()) text += ' ';
    text += Name(feature);
  }
  return text;
}

CpuFeatures Required(Tier tier) {
  using enum CpuFeature;
  constexpr CpuFeatures kRequired[] = {
#define LANEWISE_TIER(id, name, numeric_class, highway_target, highway_namespace, cpu_features) cpu_features,
#include "lanewise/tiers.inc"
#undef LANEWISE_TIER
  };
  return kRequired[static_cast<int>(tier)];
}

CpuFeatures Missing(Tier tier, const CpuFacts& cpu) { return Required(tier).Without(cpu.features); }

CpuFacts Decode(const CpuSource& source) {
  CpuFacts cpu;
  switch (source.architecture()) {
    case CpuSource::Architecture::kX86_64:
      cpu.architecture = "x86-64";
      cpu.features = X86Features(source);
      cpu.brand = X86Brand(source);
      cpu.caches = Caches(source, /*has_cpuid=*/true);
      break;
    case CpuSource::Architecture::kAarch64: {
      cpu.architecture = "aarch64";
      constexpr int kHwcapAsimdBit = 1;  // Linux: arch/arm64/include/uapi/asm/hwcap.h
      if (Bit(source.Hwcap(), kHwcapAsimdBit)) cpu.features.Add(CpuFeature::kAsimd);
      cpu.brand = ProcCpuinfo(source, "model name");
      cpu.caches = Caches(source, /*has_cpuid=*/false);
      break;
    }
    case CpuSource::Architecture::kOther:
      cpu.architecture = "other";
      cpu.caches = Caches(source, /*has_cpuid=*/false);
      break;
  }
  return cpu;
}

}  // namespace lanewise
