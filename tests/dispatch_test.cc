// SPDX-License-Identifier: Apache-2.0
//
// Dispatch: what CPUs are taken for, how requests are read, what is chosen and which errors there are. Most of it runs
// on made-up CPUs with all tiers, so that it is the same on every machine.

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "doctest/doctest.h"
#include "fake_cpu.h"
#include "lanewise/environment.h"
#include "lanewise/isa.h"
#include "select.h"
#include "tiers.h"

namespace lanewise::test {
namespace {

bool Contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// A table for every tier, also those of other architectures: their rows stand in as portable's, and are not called.
Tables AllTables() {
  Tables tables = CompiledTables();
  for (auto& table : tables) {
    if (table == nullptr) table = tables[static_cast<std::size_t>(Tier::kPortable)];
  }
  return tables;
}

Result<Selection> SelectFor(std::string_view request, const CpuFacts& cpu, const Tables& tables = AllTables()) {
  const Result<Request> parsed = ParseRequest(request);
  if (!parsed.ok()) return parsed.status();
  return Select(*parsed, cpu, tables);
}

std::size_t RowOf(std::string_view kernel) {
  const Result<std::size_t> row = FindRow(kernel);
  REQUIRE(row.ok());
  return *row;
}

TEST_CASE("each CPU gets the best tier that it can run") {
  const struct {
    const char* name;
    FakeCpu cpu;
    Tier best;
    Tier next;            // a tier that it cannot run
    const char* missing;  // what that tier needs and the CPU lacks
  } kCases[] = {
      {"Core 2", Core2(), Tier::kPortable, Tier::kSse4, "sse4_1 sse4_2 popcnt"},
      {"Nehalem", Nehalem(), Tier::kSse4, Tier::kAvx2, "avx avx2 bmi1 bmi2 fma os-ymm"},
      {"Haswell", Haswell(), Tier::kAvx2, Tier::kAvx512, "avx512f avx512vl avx512dq avx512bw os-zmm"},
      {"Haswell without xsave", HaswellWithoutXsave(), Tier::kSse4, Tier::kAvx2, "os-ymm"},
      {"Skylake-SP", SkylakeSp(), Tier::kAvx512, Tier::kNeon, "asimd"},
      {"Cascade Lake without zmm", CascadeLakeWithoutZmm(), Tier::kAvx2, Tier::kAvx512, "os-zmm"},
      {"part of zmm", SkylakeSpPartOfZmm(), Tier::kAvx2, Tier::kAvx512, "os-zmm"},
      {"bmi2 hidden", SkylakeSpHidingBmi2(), Tier::kSse4, Tier::kAvx512, "bmi2"},
      {"avx512dq hidden", SkylakeSpHidingAvx512Dq(), Tier::kAvx2, Tier::kAvx512, "avx512dq"},
      {"Zen 4", Zen4(), Tier::kAvx512, Tier::kNeon, "asimd"},
      {"aarch64", Aarch64(0b11), Tier::kNeon, Tier::kSse4, "sse2 sse3 ssse3 sse4_1 sse4_2 popcnt"},
      {"aarch64 without ASIMD", Aarch64(0b1), Tier::kPortable, Tier::kNeon, "asimd"},
  };
  for (const auto& c : kCases) {
    INFO(std::string(c.name));
    const CpuFacts cpu = Decode(c.cpu);
    CHECK(ToString(Missing(c.next, cpu)) == c.missing);
    CHECK(Missing(c.best, cpu).empty());
    const Result<Selection> selection = SelectFor("", cpu);
    REQUIRE(selection.ok());
    for (const Tier tier : selection->tiers) CHECK(tier == c.best);

    const Result<Selection> refused = SelectFor(Name(c.next), cpu);
    REQUIRE(!refused.ok());
    CHECK(refused.status().code() == StatusCode::kNotSupported);
    CHECK(Contains(refused.status().message(), c.missing));
    CHECK(Contains(refused.status().message(), Name(c.next)));
  }
}

TEST_CASE("brand and architecture") {
  CHECK(Decode(Nehalem()).brand == "Intel(R) Core(TM) i7 CPU         920  @ 2.67GHz");
  CHECK(Decode(Haswell()).brand == "Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz");
  CHECK(Decode(Haswell()).architecture == "x86-64");
  FakeCpu no_brand = Haswell();
  no_brand.leaves[{0x80000000, 0}].eax = 0x80000001;
  CHECK(Decode(no_brand).brand.empty());

  FakeCpu arm = Aarch64(0b11);
  CHECK(Decode(arm).brand.empty());
  CHECK(Decode(arm).architecture == "aarch64");
  arm.files["/proc/cpuinfo"] = "processor\t: 0\nmodel name\t: ARMv8 Processor rev 1\nFeatures\t: fp asimd\n";
  CHECK(Decode(arm).brand == "ARMv8 Processor rev 1");
}

TEST_CASE("caches come from CPUID, else from sysfs, else from defaults, and say so") {
  const auto check = [](const FakeCpu& cpu, std::size_t l1d, std::size_t l2, std::size_t l3, const char* source) {
    const CacheSizes caches = Decode(cpu).caches;
    CHECK(caches.l1d == l1d);
    CHECK(caches.l2 == l2);
    CHECK(caches.l3 == l3);
    CHECK(caches.source == source);
  };
  check(Nehalem(), 32 << 10, 256 << 10, 8 << 20, "cpuid");
  check(Zen4(), 32 << 10, 1 << 20, 32 << 20, "cpuid");

  FakeCpu haswell = Haswell();
  check(haswell, 32 << 10, 256 << 10, 0, "default");
  haswell.SetFileCache(0, "1", "Data", "48K");
  haswell.SetFileCache(1, "1", "Instruction", "64K");
  haswell.SetFileCache(2, "2", "Unified", "2M");
  haswell.SetFileCache(3, "3", "Unified", "36608K");
  check(haswell, 48 << 10, 2 << 20, 36608 << 10, "sysfs");
  haswell.SetFileCache(2, "2", "Unified", "many");
  check(haswell, 32 << 10, 256 << 10, 0, "default");

  FakeCpu endless = Haswell();  // a hypervisor that never ends its list, with data caches of level 5
  for (std::uint32_t i = 0; i < 100; ++i) endless.SetCache(4, i, FakeCpu::kData, 5, 8, 64);
  check(endless, 32 << 10, 256 << 10, 0, "default");

  FakeCpu arm = Aarch64(0b11);
  arm.SetFileCache(0, "1", "Data", "65536");
  arm.SetFileCache(2, "2", "Unified", "1024K");
  check(arm, 64 << 10, 1 << 20, 0, "sysfs");
}

TEST_CASE("requests") {
  constexpr auto kOk = StatusCode::kOk;
  constexpr auto kInvalid = StatusCode::kInvalidArgument;
  constexpr auto kUnknown = StatusCode::kUnknownName;
  constexpr auto kNotSupported = StatusCode::kNotSupported;
  constexpr Tier kNone = Tier::kPortable;  // where an error is expected
  const struct {
    const char* request;
    StatusCode code;
    Tier f32, f64;        // what gemm_f32 and gemm_f64 get on a Skylake-SP
    const char* message;  // a part of the error
  } kCases[] = {
      {"", kOk, Tier::kAvx512, Tier::kAvx512, ""},
      {"  ", kOk, Tier::kAvx512, Tier::kAvx512, ""},
      {"avx2", kOk, Tier::kAvx2, Tier::kAvx2, ""},
      {" avx2\t", kOk, Tier::kAvx2, Tier::kAvx2, ""},
      {"avx512", kOk, Tier::kAvx512, Tier::kAvx512, ""},
      {"portable", kOk, Tier::kPortable, Tier::kPortable, ""},
      {"<=avx2", kOk, Tier::kAvx2, Tier::kAvx2, ""},
      {"<=avx512", kOk, Tier::kAvx512, Tier::kAvx512, ""},
      {"<=portable", kOk, Tier::kPortable, Tier::kPortable, ""},
      {"<=neon", kOk, Tier::kPortable, Tier::kPortable, ""},
      {"-avx512", kOk, Tier::kAvx2, Tier::kAvx2, ""},
      {"-avx512,-avx2", kOk, Tier::kSse4, Tier::kSse4, ""},
      {"-avx2", kOk, Tier::kAvx512, Tier::kAvx512, ""},
      {"-neon", kOk, Tier::kAvx512, Tier::kAvx512, ""},
      {"-avx512,-avx512", kOk, Tier::kAvx2, Tier::kAvx2, ""},
      {"<=avx2,-avx2", kOk, Tier::kSse4, Tier::kSse4, ""},
      {"-avx2 , <=avx2", kOk, Tier::kSse4, Tier::kSse4, ""},
      {"avx2,-avx512", kOk, Tier::kAvx2, Tier::kAvx2, ""},
      {"gemm_f32=avx2", kOk, Tier::kAvx2, Tier::kAvx512, ""},
      {"gemm_f32=avx2,gemm_f64=sse4", kOk, Tier::kAvx2, Tier::kSse4, ""},
      {"sse4,gemm_f64=avx512", kOk, Tier::kSse4, Tier::kAvx512, ""},
      {"gemm_f64=avx512,<=avx2", kOk, Tier::kAvx2, Tier::kAvx512, ""},
      {"-avx512,gemm_f32=avx512", kOk, Tier::kAvx512, Tier::kAvx2, ""},
      {"gemm_f32=portable,-portable", kOk, Tier::kPortable, Tier::kAvx512, ""},

      {"avx5", kUnknown, kNone, kNone, "unknown tier 'avx5'; valid: portable sse4 avx2 avx512 neon (did you mean"},
      {"avx51", kUnknown, kNone, kNone, "(did you mean 'avx512'?)"},
      {"AVX2", kUnknown, kNone, kNone, "(did you mean 'avx2'?)"},
      {"<=sse", kUnknown, kNone, kNone,
       "unknown tier 'sse'; valid: portable sse4 avx2 avx512 neon (did you mean 'sse4'?)"},
      {"-neno", kUnknown, kNone, kNone, "(did you mean 'neon'?)"},
      {"gemm_f32=avx3", kUnknown, kNone, kNone, "unknown tier 'avx3'"},
      {"gem_f32=avx2", kUnknown, kNone, kNone, "(did you mean 'gemm_f32'?)"},
      {"gemm_f46=avx2", kUnknown, kNone, kNone, "unknown kernel 'gemm_f46'; valid: gemm_f32 gemm_f64 gemm_i32"},
      {"avx2,avx5", kUnknown, kNone, kNone, "unknown tier 'avx5'"},

      {"gemm_f32", kInvalid, kNone, kNone, "'gemm_f32' is a kernel, not a tier; write gemm_f32=TIER"},
      {"avx2,sse4", kInvalid, kNone, kNone, "'sse4' is one tier too many"},
      {"avx2,avx2", kInvalid, kNone, kNone, "'avx2' is one tier too many"},
      {"avx2,<=avx512", kInvalid, kNone, kNone, "'<=avx512' is one tier too many"},
      {"<=avx2,<=sse4", kInvalid, kNone, kNone, "'<=sse4' is one tier too many"},
      {"avx2,-avx2", kInvalid, kNone, kNone, "asks for avx2 and rules it out"},
      {"-avx2,avx2", kInvalid, kNone, kNone, "asks for avx2 and rules it out"},
      {"<=portable,-portable", kInvalid, kNone, kNone, "leaves no tier"},
      {"-portable,-sse4,-avx2,-avx512,-neon", kInvalid, kNone, kNone, "leaves no tier"},
      {"gemm_f32=avx2,gemm_f32=sse4", kInvalid, kNone, kNone, "kernel 'gemm_f32' is given twice"},
      {"avx2,", kInvalid, kNone, kNone, "empty item"},
      {",", kInvalid, kNone, kNone, "empty item"},
      {"-avx2,,-sse4", kInvalid, kNone, kNone, "empty item"},
      {"<=", kInvalid, kNone, kNone, "\"<=\" is not understood; a request is a comma-separated list of TIER, <=TIER"},
      {"-", kInvalid, kNone, kNone, "is not understood"},
      {"<= avx2", kInvalid, kNone, kNone, "is not understood"},
      {">=avx2", kInvalid, kNone, kNone, "is not understood"},
      {"--avx2", kInvalid, kNone, kNone, "is not understood"},
      {"=avx2", kInvalid, kNone, kNone, "is not understood"},
      {"gemm_f32=", kInvalid, kNone, kNone, "is not understood"},
      {"gemm_f32=<=avx2", kInvalid, kNone, kNone, "is not understood"},
      {"gemm_f32=avx2=sse4", kInvalid, kNone, kNone, "is not understood"},
      {"avx2 sse4", kInvalid, kNone, kNone, "is not understood"},
      {"avx2;sse4", kInvalid, kNone, kNone, "is not understood"},
      {"\x1b[31mavx2", kInvalid, kNone, kNone, "\"\\x1b[31mavx2\" is not understood"},
      {"av\xff", kInvalid, kNone, kNone, "\"av\\xff\" is not understood"},

      {"neon", kNotSupported, kNone, kNone, "tier 'neon'; missing: asimd"},
      {"gemm_f64=neon", kNotSupported, kNone, kNone, "kernel 'gemm_f64': "},
      {"-portable,<=neon", kNotSupported, kNone, kNone, "missing for 'neon': asimd"},
  };
  const CpuFacts cpu = Decode(SkylakeSp());
  const std::size_t f32 = RowOf("gemm_f32");
  const std::size_t f64 = RowOf("gemm_f64");
  for (const auto& c : kCases) {
    INFO("request '", std::string(c.request), "'");
    const Result<Selection> selection = SelectFor(c.request, cpu);
    CHECK(selection.status().code() == c.code);
    CHECK_MESSAGE(Contains(selection.status().message(), c.message), selection.status().message());
    if (!selection.ok()) continue;
    CHECK(selection->tiers[f32] == c.f32);
    CHECK(selection->tiers[f64] == c.f64);
  }
}

TEST_CASE("every tier and kernel name is understood, alone and with one letter wrong") {
  for (const Row& row : Rows()) {
    const std::string name(row.name);
    CHECK(SelectFor(name + "=portable", CpuFacts{}).ok());
    const Result<Selection> wrong = SelectFor(name + "x=portable", CpuFacts{});
    CHECK(Contains(wrong.status().message(), "(did you mean '" + name + "'?)"));
  }
  for (int i = 0; i < kTierCount; ++i) {
    const std::string name = Name(static_cast<Tier>(i));
    CHECK(ParseRequest(name).ok());
    CHECK(Contains(ParseRequest(name + "x").status().message(), "(did you mean '" + name + "'?)"));
  }
}

TEST_CASE("what is not compiled is refused as such, before the CPU is looked at") {
  Tables tables = AllTables();
  tables[static_cast<std::size_t>(Tier::kAvx512)] = nullptr;
  tables[static_cast<std::size_t>(Tier::kNeon)] = nullptr;
  for (const FakeCpu& fake : {Nehalem(), SkylakeSp()}) {
    const CpuFacts cpu = Decode(fake);
    for (const char* request : {"avx512", "neon", "gemm_f32=avx512", "-portable,<=neon"}) {
      INFO(std::string(request));
      const Result<Selection> selection = SelectFor(request, cpu, tables);
      CHECK(selection.status().code() == StatusCode::kNotCompiled);
      CHECK(Contains(selection.status().message(), "compiled: portable sse4 avx2"));
    }
  }
  const Result<Selection> best = SelectFor("", Decode(SkylakeSp()), tables);
  REQUIRE(best.ok());
  CHECK(best->rest == Tier::kAvx2);
}

TEST_CASE("what a request leaves but the CPU cannot run is refused with the missing bits") {
  const Result<Selection> selection = SelectFor("-portable,-sse4", Decode(Nehalem()));
  CHECK(selection.status().code() == StatusCode::kNotSupported);
  CHECK(Contains(selection.status().message(), "missing for 'avx2': avx avx2 bmi1 bmi2 fma os-ymm"));
}

TEST_CASE(
    "nothing chosen ever lacks a bit, is not compiled or is not what was asked for, and nothing better was left") {
  constexpr const char* kRequests[] = {"",
                                       "sse4",
                                       "avx2",
                                       "avx512",
                                       "<=avx2",
                                       "<=avx512",
                                       "<=neon",
                                       "-avx512",
                                       "-portable",
                                       "-sse4,-avx2",
                                       "gemm_f32=avx2",
                                       "-avx512,gemm_f64=avx512",
                                       "neon",
                                       "portable,gemm_f32=sse4"};
  std::mt19937 random(1);
  int chosen = 0;
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    // Bits are mostly present, else hardly any tier but portable could run.
    CpuFacts cpu;
    for (int f = 0; f < static_cast<int>(CpuFeature::kCount); ++f) {
      if (random() % 16 != 0) cpu.features.Add(static_cast<CpuFeature>(f));
    }
    Tables tables = AllTables();
    for (std::size_t t = 1; t < tables.size(); ++t) {
      if (random() % 8 == 0) tables[t] = nullptr;
    }
    const auto can_run = [&](Tier tier) {
      return tables[static_cast<std::size_t>(tier)] != nullptr && Missing(tier, cpu).empty();
    };
    const char* text = kRequests[random() % std::size(kRequests)];
    INFO("request '", std::string(text), "' with ", ToString(cpu.features));
    const Result<Request> request = ParseRequest(text);
    REQUIRE(request.ok());
    const Result<Selection> selection = Select(*request, cpu, tables);
    bool every_row_has_one = true;
    for (std::size_t row = 0; row < Rows().size(); ++row) {
      bool has_one = false;
      for (int t = 0; t < kTierCount; ++t) {
        const auto tier = static_cast<Tier>(t);
        if (!can_run(tier) || !request->Allows(tier, row)) continue;
        has_one = true;
        if (selection.ok()) REQUIRE(tier <= selection->tiers[row]);
      }
      every_row_has_one &= has_one;
      if (selection.ok()) {
        REQUIRE(can_run(selection->tiers[row]));
        REQUIRE(request->Allows(selection->tiers[row], row));
      }
    }
    REQUIRE(selection.ok() == every_row_has_one);
    ++(selection.ok() ? chosen : refused);
  }
  CHECK(chosen > 1000);
  CHECK(refused > 1000);
}

TEST_CASE("a selection's table is composed of the chosen tiers' rows") {
  const Tables tables = AllTables();
  const auto table = [&](Tier tier) { return tables[static_cast<std::size_t>(tier)]; };
  const Result<Selection> selection = SelectFor("avx2,gemm_f64=sse4", Decode(Haswell()), tables);
  REQUIRE(selection.ok());
#define LANEWISE_ROW(name, ...) \
  CHECK(selection->table.name == table(std::string(#name) == "gemm_f64" ? Tier::kSse4 : Tier::kAvx2)->name);
#include "kernel_rows.inc"
#undef LANEWISE_ROW
}

TEST_CASE("a listing gives each tier's standing and the first reason that applies") {
  Tables tables = AllTables();
  tables[static_cast<std::size_t>(Tier::kNeon)] = nullptr;
  const CpuFacts cpu = Decode(Haswell());
  const auto reasons = [&](const char* request, const char* kernel) {
    std::vector<std::string> result;
    const Listing listing = ListKernels(request, cpu, tables);
    for (const TierStanding& standing : listing.kernels[RowOf(kernel)].tiers) {
      result.push_back(standing.reason);
    }
    return result;
  };
  using Reasons = std::vector<std::string>;
  const std::string missing = "missing: avx512f avx512vl avx512dq avx512bw os-zmm";
  CHECK(reasons("", "gemm_f32") == Reasons{"slower than avx2", "slower than avx2", "chosen", missing, "not compiled"});
  const std::string not_allowed = "not allowed by the request '-avx2,gemm_f64=avx2'";
  CHECK(reasons("-avx2,gemm_f64=avx2", "gemm_f32") ==
        Reasons{"slower than sse4", "chosen", not_allowed, missing, "not compiled"});
  CHECK(reasons("-avx2,gemm_f64=avx2", "gemm_f64") ==
        Reasons{not_allowed, not_allowed, "chosen", missing, "not compiled"});
  // A refused request chooses nothing, for no kernel.
  CHECK(reasons("gemm_f64=avx512", "gemm_f32") ==
        Reasons{"the request is refused", "the request is refused", "the request is refused", missing, "not compiled"});
  const std::string invalid = "the request is not valid";
  CHECK(reasons("avx5", "gemm_f32") == Reasons{invalid, invalid, invalid, missing, "not compiled"});

  const Listing listing = ListKernels("<=sse4", cpu, tables);
  CHECK(listing.error.ok());
  REQUIRE(listing.kernels.size() == Rows().size());
  const KernelListing& gemm = listing.kernels[RowOf("gemm_f64")];
  CHECK(gemm.kernel == "gemm_f64");
  CHECK(gemm.type == "f64");
  CHECK(gemm.kind == "gemm");
  CHECK(gemm.has_choice);
  CHECK(gemm.chosen == Tier::kSse4);
  const TierStanding& avx2 = gemm.tiers[static_cast<std::size_t>(Tier::kAvx2)];
  CHECK(avx2.compiled);
  CHECK(avx2.supported);
  CHECK(!avx2.allowed);
  CHECK(Contains(avx2.tile, "x"));
  CHECK(avx2.numeric_class == NumericClass::kFma);
  const KernelListing& integers = listing.kernels[RowOf("gemm_i64")];
  CHECK(integers.type == "i64");
  for (const TierStanding& standing : integers.tiers) CHECK(standing.numeric_class == NumericClass::kExact);
  CHECK(gemm.tiers[static_cast<std::size_t>(Tier::kNeon)].tile.empty());

  CHECK(ListKernels("avx512", cpu, tables).error.code() == StatusCode::kNotSupported);
  CHECK(ListKernels("neon", cpu, tables).error.code() == StatusCode::kNotCompiled);
  CHECK(ListKernels("avx5", cpu, tables).error.code() == StatusCode::kUnknownName);
  const Listing refused = ListKernels("avx512", cpu, tables);
  for (const KernelListing& kernel : refused.kernels) CHECK(!kernel.has_choice);
}

TEST_CASE("on this machine every tier can be held, also several at once") {
  CHECK(IsCompiled(Tier::kPortable));
  ForEachTier([](Tier tier, const kernels::KernelTable& table) {
    const Kernels kernels = KernelsOf(tier);
    CHECK(kernels.TierName() == Name(tier));
    CHECK(kernels.table().gemm_f32 == table.gemm_f32);
    for (const Row& row : Rows()) {
      const Result<Tier> of_row = kernels.TierOf(row.name);
      REQUIRE(of_row.ok());
      CHECK(*of_row == tier);
    }
    CHECK(kernels.TierOf("gemm").status().code() == StatusCode::kUnknownName);

    const Result<Kernels> mixed = SelectKernels("portable,gemm_f32=" + std::string(Name(tier)));
    REQUIRE(mixed.ok());
    CHECK(*mixed->TierOf("gemm_f32") == tier);
    CHECK(*mixed->TierOf("gemm_f64") == Tier::kPortable);
    CHECK(mixed->TierName() == (tier == Tier::kPortable ? "portable" : "mixed"));
  });
  CHECK(SelectKernels().ok());
  CHECK(ListKernels("", ThisCpu()).error.ok());
}

// Sets a variable for the length of a scope; null unsets it.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const char* value) : name_(name) {
    const char* old = std::getenv(name);
    had_ = old != nullptr;
    if (had_) old_ = old;
    Set(value);
  }
  ~ScopedVariable() { Set(had_ ? old_.c_str() : nullptr); }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  void Set(const char* value) const {
    if (value == nullptr) {
      unsetenv(name_);
    } else {
      setenv(name_, value, 1);
    }
  }
  const char* name_;
  bool had_ = false;
  std::string old_;
};

TEST_CASE("environment") {
  const ScopedVariable no_isa("LANEWISE_ISA", nullptr);
  const ScopedVariable no_threads("LANEWISE_THREADS", nullptr);
  const ScopedVariable no_omp("OMP_NUM_THREADS", nullptr);
  const ScopedVariable no_require("LANEWISE_TEST_REQUIRE", nullptr);
  CHECK(RequestFromEnvironment().empty());
  CHECK(SettingsInEnvironment().empty());
  REQUIRE(ThreadsFromEnvironment().ok());
  CHECK(ThreadsFromEnvironment()->threads == 0);
  CHECK(ThreadsFromEnvironment()->origin.empty());

  const ScopedVariable isa("LANEWISE_ISA", "<=avx2");
  CHECK(RequestFromEnvironment() == "<=avx2");
  {
    const ScopedVariable omp("OMP_NUM_THREADS", "3,2");
    CHECK(ThreadsFromEnvironment()->threads == 3);
    CHECK(ThreadsFromEnvironment()->origin == "OMP_NUM_THREADS");
    const ScopedVariable threads("LANEWISE_THREADS", "2");
    CHECK(ThreadsFromEnvironment()->threads == 2);
    CHECK(ThreadsFromEnvironment()->origin == "LANEWISE_THREADS");
    CHECK(SettingsInEnvironment() ==
          std::vector<std::string>{"LANEWISE_ISA=<=avx2", "LANEWISE_THREADS=2", "OMP_NUM_THREADS=3,2"});
  }
  for (const char* bad : {"0", "-1", "1025", "2x", "2,2", " 2", "99999999999999999999", "many"}) {
    INFO(std::string(bad));
    const ScopedVariable threads("LANEWISE_THREADS", bad);
    CHECK(ThreadsFromEnvironment().status().code() == StatusCode::kInvalidArgument);
    CHECK(Contains(ThreadsFromEnvironment().status().message(), "LANEWISE_THREADS: '" + std::string(bad) + "'"));
  }
  {
    const ScopedVariable threads("LANEWISE_THREADS", "auto");
    CHECK(ThreadsFromEnvironment()->threads == 0);
    const ScopedVariable most("LANEWISE_THREADS", "1024");
    CHECK(ThreadsFromEnvironment()->threads == 1024);
  }

  const std::vector<std::string> before = UnknownInEnvironment();
  const ScopedVariable wrong("LANEWISE_THREAD", "2");
  const ScopedVariable require("LANEWISE_TEST_REQUIRE", "avx2");
  const std::vector<std::string> after = UnknownInEnvironment();
  CHECK(after.size() == before.size() + 1);
  CHECK(std::count(after.begin(), after.end(),
                   "unknown environment variable 'LANEWISE_THREAD'; valid: LANEWISE_ISA LANEWISE_THREADS "
                   "LANEWISE_TEST_REQUIRE LANEWISE_TEST_TIERS (did you mean 'LANEWISE_THREADS'?)") == 1);
}

}  // namespace
}  // namespace lanewise::test
