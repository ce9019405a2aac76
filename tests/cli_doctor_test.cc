// SPDX-License-Identifier: Apache-2.0
//
// lanewise doctor: each finding, on machines that are made up for it, and the program on this one.

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "doctor.h"
#include "fake_cpu.h"
#include "lanewise/isa.h"
#include "lanewise/verify.h"
#include "run_program.h"
#include "temporary_folder.h"

namespace lanewise::test {
namespace {

using cli::CheckModel;
using cli::CheckSystem;
using cli::Finding;
using cli::ReadCpuSettings;
using cli::Severity;
using cli::SystemFacts;
using nlohmann::json;

// A machine of 4 CPUs that can run all that is compiled, with nothing to find.
SystemFacts Healthy() {
  SystemFacts facts;
  facts.build = ThisBuild();
  facts.build.optimised = true;
  facts.build.sanitizers = "";
  for (int t = 0; t < kTierCount; ++t) {
    const auto tier = static_cast<Tier>(t);
    if (!IsCompiled(tier)) continue;
    for (int f = 0; f < static_cast<int>(CpuFeature::kCount); ++f) {
      const auto feature = static_cast<CpuFeature>(f);
      if (Required(tier).Has(feature)) facts.cpu.features.Add(feature);
    }
  }
  facts.limits = {.online = 4, .allowed = {0, 1, 2, 3}, .quota = std::numeric_limits<double>::infinity()};
  facts.settings = {.governors = {"performance"}, .turbo_off = false, .cores = 4};
  return facts;
}

// The one finding of the check.
const Finding& Only(const std::vector<Finding>& findings, const std::string& check) {
  REQUIRE(std::ranges::count(findings, check, &Finding::check) == 1);
  const Finding& finding = *std::ranges::find(findings, check, &Finding::check);
  CHECK(!finding.why.empty());
  CHECK(!finding.advice.empty());
  return finding;
}

// The findings' only one is of this check, severity and text.
void CheckFinds(const SystemFacts& facts, const std::string& check, Severity severity, const std::string& text) {
  INFO(check);
  const std::vector<Finding> findings = CheckSystem(facts);
  CHECK(findings.size() == 1);
  const Finding& finding = Only(findings, check);
  CHECK(finding.severity == severity);
  CHECK_MESSAGE(Contains(finding.found, text), finding.found);
}

TEST_CASE("a healthy machine has no findings") { CHECK(CheckSystem(Healthy()).empty()); }

TEST_CASE("builds that are slow") {
  SystemFacts facts = Healthy();
  facts.build.optimised = false;
  facts.build.build_type = "Debug";
  CheckFinds(facts, "unoptimised-build", Severity::kWarning, "Debug");
  facts = Healthy();
  facts.build.sanitizers = "address";
  CheckFinds(facts, "sanitizer-build", Severity::kWarning, "address");
}

TEST_CASE("tiers that the operating system or a virtual machine takes away") {
  SystemFacts facts = Healthy();
  if (IsCompiled(Tier::kAvx512)) {
    facts.cpu = Decode(CascadeLakeWithoutZmm());
    CheckFinds(facts, "os-state", Severity::kWarning,
               "the CPU has avx512, but the operating system does not save its registers (os-zmm)");
    facts.cpu = Decode(HaswellWithoutXsave());
    CheckFinds(facts, "os-state", Severity::kWarning, "the CPU has avx2, but");
    facts.cpu = Decode(SkylakeSpHidingAvx512Dq());
    CheckFinds(facts, "hidden-features", Severity::kWarning,
               "the CPU reports avx512f without all that belongs to it: avx512dq missing");
    // CPUs that never had a tier are as they should be.
    for (const FakeCpu& cpu : {Nehalem(), Haswell(), Zen4()}) {
      facts.cpu = Decode(cpu);
      CHECK(CheckSystem(facts).empty());
    }
  }
  facts = Healthy();
  facts.cpu.features = {};
  CheckFinds(facts, "portable-only", Severity::kWarning, "portable");
  // A library for another architecture, as it were.
  facts = Healthy();
  facts.cpu.features = Required(IsCompiled(Tier::kNeon) ? Tier::kSse4 : Tier::kNeon);
  Only(CheckSystem(facts), "tier-not-compiled");
}

TEST_CASE("requests that choose slower kernels, and those that are refused") {
  SystemFacts facts = Healthy();
  facts.request = "portable";
  CheckFinds(facts, "slower-tier", Severity::kWarning, "LANEWISE_ISA=portable: ");
  facts.request = "exp_f32=portable";
  CheckFinds(facts, "slower-tier", Severity::kWarning, ": 1 of ");
  facts.request = "-neon,-portable";
  if (IsCompiled(Tier::kAvx2)) CHECK(CheckSystem(facts).empty());
  facts.request = "avx5";
  CheckFinds(facts, "isa-refused", Severity::kError, "LANEWISE_ISA: unknown tier 'avx5'");
}

TEST_CASE("threads, affinity and quota") {
  SystemFacts facts = Healthy();
  facts.threads = ThreadSetting{.threads = 5, .origin = "OMP_NUM_THREADS"};
  CheckFinds(facts, "too-many-threads", Severity::kWarning, "OMP_NUM_THREADS asks for 5 threads; there is time for 4");
  facts.threads = ThreadSetting{.threads = 4, .origin = "LANEWISE_THREADS"};
  CHECK(CheckSystem(facts).empty());
  facts.threads = ThreadSetting{.threads = 1, .origin = "LANEWISE_THREADS"};
  CheckFinds(facts, "few-threads", Severity::kNote, "LANEWISE_THREADS asks for 1 of 4");
  facts.threads = Status(StatusCode::kInvalidArgument, "LANEWISE_THREADS: 'x' is not a number of threads");
  CheckFinds(facts, "threads-refused", Severity::kError, "LANEWISE_THREADS: 'x'");

  facts = Healthy();
  facts.limits.online = 8;
  CheckFinds(facts, "affinity", Severity::kNote, "4 of 8 CPUs");
  facts = Healthy();
  facts.limits.quota = 2.5;
  CheckFinds(facts, "cpu-quota", Severity::kNote, "2.50 CPUs");
  facts.limits.quota = 0.5;
  CheckFinds(facts, "cpu-quota", Severity::kWarning, "0.50 CPUs");
  facts.limits.quota = 2.5;
  facts.threads = ThreadSetting{.threads = 3, .origin = "LANEWISE_THREADS"};
  CHECK(Contains(Only(CheckSystem(facts), "too-many-threads").found, "time for 2"));
}

TEST_CASE("unknown variables, clock and shared cores") {
  SystemFacts facts = Healthy();
  facts.unknown_variables = {"unknown environment variable 'LANEWISE_ISO'"};
  CheckFinds(facts, "unknown-variable", Severity::kWarning, "LANEWISE_ISO");
  facts = Healthy();
  facts.settings.governors = {"performance", "powersave"};
  CheckFinds(facts, "governor", Severity::kNote, "performance, powersave");
  facts = Healthy();
  facts.settings.turbo_off = true;
  CheckFinds(facts, "turbo-off", Severity::kNote, "turbo");
  facts = Healthy();
  facts.settings.cores = 2;
  CheckFinds(facts, "shared-cores", Severity::kNote, "the 4 CPUs are hardware threads of 2 cores");
  facts.settings = {};  // a system that says nothing
  CHECK(CheckSystem(facts).empty());
}

TEST_CASE("the settings of CPUs are read from /sys, of those that the process may use") {
  const TemporaryFolder root;
  const auto read = [&] { return ReadCpuSettings(root.path(), {0, 1, 2}); };
  const auto write = [&](const std::string& name, const std::string& text) {
    const std::string path = "sys/devices/system/cpu/" + name;
    std::filesystem::create_directories(std::filesystem::path(root / path).parent_path());
    root.Write(path, text + "\n");
  };
  CHECK(read().governors.empty());
  CHECK(read().cores == 0);
  for (const char* cpu : {"cpu0", "cpu1", "cpu2"}) write(std::string(cpu) + "/cpufreq/scaling_governor", "powersave");
  write("cpu3/cpufreq/scaling_governor", "ondemand");
  CHECK(read().governors == std::vector<std::string>{"powersave"});
  write("cpu0/topology/thread_siblings_list", "0,2");
  write("cpu2/topology/thread_siblings_list", "0,2");
  write("cpu1/topology/thread_siblings_list", "1,3");
  CHECK(read().cores == 2);
  CHECK(!read().turbo_off);
  write("intel_pstate/no_turbo", "1");
  CHECK(read().turbo_off);
  write("intel_pstate/no_turbo", "0");
  CHECK(!read().turbo_off);
  write("cpufreq/boost", "0");
  CHECK(read().turbo_off);
}

// A model of 16 inputs, 8 hidden units and 4 outputs.
template <typename T>
Model<T> MakeModel() {
  Result<Mlp<T>> network = Mlp<T>::Create({{16, 8, Activation::kLeakyRelu}, {8, 4, Activation::kIdentity}});
  REQUIRE(network.ok());
  network->Initialise(1);
  return {.network = *std::move(network)};
}

TEST_CASE_TEMPLATE("models", T, float, double) {
  Context best(SelectKernels().value());
  Model<T> model = MakeModel<T>();
  const auto findings = [&model](Context& context) {
    const Result<std::vector<Finding>> found = CheckModel(context, model);
    REQUIRE(found.ok());
    return *found;
  };
  REQUIRE(findings(best).size() == 1);
  CHECK(Only(findings(best), "no-golden-cases").severity == Severity::kNote);
  REQUIRE(AddGoldenCases(best, model).ok());
  CHECK(findings(best).empty());

  Context portable(SelectKernels("portable").value());
  const std::vector<Finding> of_portable = findings(portable);
  CHECK(of_portable.size() == 1);
  CHECK(Only(of_portable, "portable-layers").found == "layers 0, 1 of the model run portable kernels");
  if (best.kernels().TierName() != "portable") {
    Context activation(SelectKernels(sizeof(T) == 4 ? "leaky_relu_f32=portable" : "leaky_relu_f64=portable").value());
    CHECK(Only(findings(activation), "portable-layers").found == "layer 0 of the model runs portable kernels");
  }

  model.golden->outputs[0] += T{1};
  CHECK(Only(findings(best), "golden-cases").severity == Severity::kError);
  CHECK(Contains(Only(findings(best), "golden-cases").found, "1 of 16 outputs"));
  model.network.weights(1).data[3] = std::numeric_limits<T>::denorm_min();
  CHECK(Contains(Only(findings(best), "golden-cases").found, "the weights are not those"));
  const std::string found = Only(findings(best), "subnormal-weights").found;
  CHECK(found == "1 weights of layer 1 are subnormal numbers (denormals)");
}

TEST_CASE("the program prints findings and their weight as an exit code") {
  const ProgramRun here = Lanewise("doctor --json");
  CHECK((here.exit_code == 0 || here.exit_code == 1));
  CHECK(here.err.empty() == (here.exit_code == 0));
  const json report = ParseJson(here.out);  // named: a loop over a temporary's member outlives the temporary
  for (const json& finding : report["findings"]) {
    for (const char* key : {"severity", "check", "found", "why", "advice"}) CHECK(finding[key].is_string());
    if (here.exit_code == 0) CHECK(finding["severity"] == "note");
  }
  CHECK(Lanewise("doctor").exit_code == here.exit_code);

  ProgramRun run = Shell("LANEWISE_ISA=avx5 LANEWISE_ISO=1 \"$lanewise\" doctor");
  CHECK(run.exit_code == 1);
  CHECK(run.out.starts_with("error  "));  // the worst comes first
  CHECK(Contains(run.out, "'LANEWISE_ISO'"));
  CHECK(Contains(run.err, " to mend\n"));
  CHECK(Contains(Shell("LANEWISE_THREADS=1024 \"$lanewise\" doctor --json").out, "too-many-threads"));
}

TEST_CASE("the program examines a model") {
  const TemporaryFolder folder;
  const std::string model = folder / "model";
  REQUIRE(Lanewise("train --samples 50 --layers 784,8,10 --epochs 1 --out " + model).exit_code == 0);
  const int code_here = Lanewise("doctor").exit_code;
  CHECK(Lanewise("doctor " + model).exit_code == code_here);
  const std::string bytes = ReadBytes(model);
  const auto with_last_weight = [&](std::uint32_t bits) {
    std::string changed = bytes;
    std::memcpy(changed.data() + changed.size() - sizeof bits, &bits, sizeof bits);
    return folder.Write("changed", changed);
  };
  ProgramRun run = Lanewise("doctor --json " + with_last_weight(1));
  CHECK(run.exit_code == 1);
  CHECK(Contains(run.out, "golden-cases"));
  CHECK(Contains(run.out, "subnormal-weights"));
  constexpr std::uint32_t kNan = 0x7fc00000;
  run = Lanewise("doctor --json " + with_last_weight(kNan));
  CHECK(run.exit_code == 4);
  CHECK(Contains(run.err, "not finite"));
  const json first = ParseJson(run.out)["findings"][0];
  CHECK(first["check"] == "model-refused");
  CHECK(first["severity"] == "error");
  CHECK(Lanewise("doctor " + (folder / "none")).exit_code == 4);
}

}  // namespace
}  // namespace lanewise::test
