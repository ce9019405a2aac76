// SPDX-License-Identifier: Apache-2.0

#include "doctor.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "lanewise/gemm.h"
#include "lanewise/isa.h"
#include "lanewise/verify.h"

namespace lanewise::cli {
namespace {

using Findings = std::vector<Finding>;

void CheckBuild(const BuildInfo& build, Findings& findings) {
  if (!build.optimised) {
    findings.push_back({Severity::kWarning, "unoptimised-build",
                        fmt::format("the library was built without optimisation (build type {})", build.build_type),
                        "kernels whose parts are not inlined take many times as long",
                        "build with -DCMAKE_BUILD_TYPE=Release, or with -O2"});
  }
  if (!build.sanitizers.empty()) {
    findings.push_back({Severity::kWarning, "sanitizer-build",
                        fmt::format("the library was built with sanitizers: {}", build.sanitizers),
                        "they check every access to memory, which costs a multiple of the time",
                        "use this build for tests alone; build without -fsanitize for the rest"});
  }
}

// The feature by which people know a tier, and which no tier below needs.
std::optional<CpuFeature> Signature(Tier tier) {
  if (tier == Tier::kAvx2) return CpuFeature::kAvx2;
  if (tier == Tier::kAvx512) return CpuFeature::kAvx512f;
  return std::nullopt;
}

void CheckTier(Tier tier, const CpuFacts& cpu, Findings& findings) {
  using enum CpuFeature;
  const CpuFeatures missing = Missing(tier, cpu);
  if (missing.empty()) {
    if (IsCompiled(tier)) return;
    findings.push_back({Severity::kWarning, "tier-not-compiled",
                        fmt::format("this CPU can run {}, for which the library has no kernels", Name(tier)),
                        "slower kernels run instead", "build the library for this architecture, with all its targets"});
    return;
  }
  const std::optional<CpuFeature> signature = Signature(tier);
  if (!IsCompiled(tier) || !signature || !cpu.features.Has(*signature)) return;
  const std::string why = fmt::format("the kernels of {} cannot run, and slower ones do", Name(tier));
  if (missing.Without({kOsYmm, kOsZmm}).empty()) {
    findings.push_back({Severity::kWarning, "os-state",
                        fmt::format("the CPU has {}, but the operating system does not save its registers ({})",
                                    Name(tier), ToString(missing)),
                        why,
                        "enable XSAVE and the AVX state in the kernel (no noxsave, no clearcpuid) or in the virtual "
                        "machine"});
  } else {
    findings.push_back({Severity::kWarning, "hidden-features",
                        fmt::format("the CPU reports {} without all that belongs to it: {} missing", Name(*signature),
                                    ToString(missing)),
                        why, "a virtual machine often hides features: give it the host's CPU model (qemu: -cpu host)"});
  }
}

// The kernels that LANEWISE_ISA keeps from the tier that would be chosen without it.
void CheckRequest(const SystemFacts& facts, Findings& findings) {
  const Listing best = ListKernels("", facts.cpu);
  const bool all_portable =
      std::ranges::all_of(best.kernels, [](const KernelListing& k) { return k.chosen == Tier::kPortable; });
  if (best.error.ok() && all_portable) {
    findings.push_back({Severity::kWarning, "portable-only", "no tier with vectors runs here: all kernels are portable",
                        "portable kernels compute one number at a time",
                        "use a CPU (or a virtual machine that shows one) with SSE4.2, AVX2 or ASIMD"});
  }
  if (facts.request.empty()) return;
  const Listing requested = ListKernels(facts.request, facts.cpu);
  if (!requested.error.ok()) {
    findings.push_back({Severity::kError, "isa-refused", fmt::format("LANEWISE_ISA: {}", requested.error.message()),
                        "every command and program that selects kernels by it fails",
                        "unset LANEWISE_ISA, or set it to what `lanewise info` lists as running here"});
    return;
  }
  std::vector<std::string> kernels;
  std::set<std::string> tiers;
  std::set<std::string> best_tiers;
  bool other_bits = false;
  for (std::size_t k = 0; k < best.kernels.size(); ++k) {
    const KernelListing& chosen = requested.kernels[k];
    const KernelListing& fastest = best.kernels[k];
    if (chosen.chosen == fastest.chosen) continue;
    kernels.push_back(chosen.kernel);
    tiers.insert(Name(chosen.chosen));
    best_tiers.insert(Name(fastest.chosen));
    other_bits = other_bits || chosen.Of(chosen.chosen).numeric_class != fastest.Of(fastest.chosen).numeric_class;
  }
  if (kernels.empty()) return;
  findings.push_back(
      {Severity::kWarning, "slower-tier",
       fmt::format("LANEWISE_ISA={}: {} of {} kernels run on {} instead of {}", facts.request, kernels.size(),
                   best.kernels.size(), fmt::join(tiers, ", "), fmt::join(best_tiers, ", ")),
       other_bits ? "they are slower, and of another numeric class, which rounds differently" : "they are slower",
       "unset LANEWISE_ISA"});
}

void CheckThreads(const SystemFacts& facts, Findings& findings) {
  const int cpus = static_cast<int>(facts.limits.allowed.size());
  const double quota = facts.limits.quota;
  if (cpus < facts.limits.online) {
    findings.push_back({Severity::kNote, "affinity",
                        fmt::format("the affinity mask allows {} of {} CPUs", cpus, facts.limits.online),
                        "no more threads are started by default",
                        "if that is not meant: look for taskset, a cpuset or a batch system's setting"});
  }
  if (quota < cpus) {
    findings.push_back({quota < 1 ? Severity::kWarning : Severity::kNote, "cpu-quota",
                        fmt::format("a control group grants the time of {:.2f} CPUs; {} could be used", quota, cpus),
                        quota < 1 ? "even a single thread is stopped for a part of every period"
                                  : "no more threads are started by default than the quota has whole CPUs",
                        "if that is not meant: raise the container's CPU limit (docker --cpus, systemd CPUQuota=)"});
  }
  if (!facts.threads.ok()) {
    findings.push_back({Severity::kError, "threads-refused", facts.threads.status().message(),
                        "every command that starts threads fails", "unset the variable, or set it to a number"});
    return;
  }
  const int useful = DefaultThreads(facts.limits).threads;
  const ThreadSetting& setting = *facts.threads;
  if (setting.threads > useful) {
    findings.push_back(
        {Severity::kWarning, "too-many-threads",
         fmt::format("{} asks for {} threads; there is time for {}", setting.origin, setting.threads, useful),
         "threads wait for one another in every product, and so for those that have no CPU",
         fmt::format("unset {}, or set it to at most {}", setting.origin, useful)});
  } else if (setting.threads > 0 && setting.threads < useful) {
    findings.push_back({Severity::kNote, "few-threads",
                        fmt::format("{} asks for {} of {} possible threads", setting.origin, setting.threads, useful),
                        "large products could be faster",
                        fmt::format("if that is not meant: unset {}", setting.origin)});
  }
}

void CheckCpuSettings(const SystemFacts& facts, Findings& findings) {
  const CpuSettings& settings = facts.settings;
  const auto other = std::ranges::find_if(settings.governors, [](const auto& name) { return name != "performance"; });
  if (other != settings.governors.end()) {
    findings.push_back({Severity::kNote, "governor",
                        fmt::format("CPU frequency governor: {}", fmt::join(settings.governors, ", ")),
                        "the clock rises only after a while of work, so that short runs and timings vary",
                        "for measurements: cpupower frequency-set -g performance"});
  }
  if (settings.turbo_off) {
    findings.push_back({Severity::kNote, "turbo-off", "the CPU's turbo is switched off",
                        "the clock stays at its base; timings vary less, all work takes longer",
                        "for speed: switch boost on (/sys/devices/system/cpu), or in the firmware"});
  }
  const int cpus = static_cast<int>(facts.limits.allowed.size());
  if (settings.cores > 0 && settings.cores < cpus) {
    findings.push_back({Severity::kNote, "shared-cores",
                        fmt::format("the {} CPUs are hardware threads of {} core{}", cpus, settings.cores,
                                    settings.cores == 1 ? "" : "s"),
                        "two threads of a core share its arithmetic units, which one product alone keeps busy",
                        fmt::format("compare --threads {} with the default of {}", settings.cores, cpus)});
  }
}

std::string FirstWord(const std::string& path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

// "0", "2", ... of layers, for a message.
std::string Layers(const std::vector<std::size_t>& layers) {
  return fmt::format("layer{} {}", layers.size() == 1 ? "" : "s", fmt::join(layers, ", "));
}

template <typename T>
std::ptrdiff_t Subnormals(std::span<const T> values) {
  return std::ranges::count_if(values, [](T x) { return std::fpclassify(x) == FP_SUBNORMAL; });
}

template <typename T>
void CheckWeights(const Model<T>& model, Findings& findings) {
  // Where one number in so many is subnormal, one vector in a thousand has it.
  constexpr double kMany = 1e-4;
  std::vector<std::size_t> layers;
  std::ptrdiff_t count = 0;
  for (std::size_t l = 0; l < model.network.layers().size(); ++l) {
    const MatrixView<const T> weights = model.network.weights(l);
    const std::span<const T> values(weights.data, static_cast<std::size_t>(weights.rows * weights.cols));
    const std::ptrdiff_t subnormals = Subnormals(values) + Subnormals(model.network.bias(l));
    if (static_cast<double>(subnormals) <= kMany * static_cast<double>(values.size())) continue;
    layers.push_back(l);
    count += subnormals;
  }
  if (layers.empty()) return;
  findings.push_back({Severity::kWarning, "subnormal-weights",
                      fmt::format("{} weights of {} are subnormal numbers (denormals)", count, Layers(layers)),
                      "some CPUs take more than a hundred cycles to multiply with one",
                      fmt::format("set weights below {:.2g} to 0 and save the model again",
                                  static_cast<double>(std::numeric_limits<T>::min()))});
}

template <typename T>
void CheckLayerKernels(const Kernels& kernels, const Model<T>& model, Findings& findings) {
  const std::string type = Name(kElementType<T>);
  const auto is_portable = [&](const std::string& kernel) {
    const Result<Tier> tier = kernels.TierOf(fmt::format("{}_{}", kernel, type));
    return tier.ok() && *tier == Tier::kPortable;  // identity has no kernel
  };
  std::vector<std::size_t> layers;
  for (std::size_t l = 0; l < model.network.layers().size(); ++l) {
    std::string function(Name(model.network.layers()[l].activation));
    std::ranges::replace(function, '-', '_');
    if (is_portable("gemm") || is_portable(function)) layers.push_back(l);
  }
  if (layers.empty()) return;
  findings.push_back(
      {Severity::kWarning, "portable-layers",
       fmt::format("{} of the model run{} portable kernels", Layers(layers), layers.size() == 1 ? "s" : ""),
       "portable kernels compute one number at a time", "`lanewise explain MODEL` shows which, and why no other runs"});
}

template <typename T>
Status CheckGoldenCases(Context& context, const Model<T>& model, Findings& findings) {
  if (!model.golden) {
    findings.push_back({Severity::kNote, "no-golden-cases", "the model has no golden cases",
                        "nothing tells whether its answers here are those of where it was made",
                        "models written by `lanewise train` or after AddGoldenCases have them"});
    return {};
  }
  const Result<Verification> verification = VerifyModel(context, model);
  if (!verification.ok()) return verification.status();
  if (verification->ok()) return {};
  findings.push_back(
      {Severity::kError, "golden-cases",
       verification->weights_ok ? fmt::format("{} of {} outputs of the golden cases come out differently here",
                                              verification->other_bits, verification->outputs)
                                : "the weights are not those that the model's golden cases were made with",
       "the model does not answer as it did where it was made", "`lanewise verify MODEL` shows where; copy it anew"});
  return {};
}

}  // namespace

const char* Name(Severity severity) {
  constexpr const char* kNames[] = {"note", "warning", "error"};
  return kNames[static_cast<int>(severity)];
}

CpuSettings ReadCpuSettings(const std::string& root, const std::vector<int>& cpus) {
  const std::string folder = root + "/sys/devices/system/cpu";
  std::set<std::string> governors;
  std::set<std::string> cores;
  for (const int cpu : cpus) {
    const std::string governor = FirstWord(fmt::format("{}/cpu{}/cpufreq/scaling_governor", folder, cpu));
    if (!governor.empty()) governors.insert(governor);
    // The CPUs of one core, which is as good as its name.
    const std::string siblings = FirstWord(fmt::format("{}/cpu{}/topology/thread_siblings_list", folder, cpu));
    if (!siblings.empty()) cores.insert(siblings);
  }
  return {
      .governors = {governors.begin(), governors.end()},
      .turbo_off = FirstWord(folder + "/intel_pstate/no_turbo") == "1" || FirstWord(folder + "/cpufreq/boost") == "0",
      .cores = static_cast<int>(cores.size())};
}

SystemFacts GatherFacts() {
  CpuLimits limits = ThisCpuLimits();
  CpuSettings settings = ReadCpuSettings("", limits.allowed);
  return {.build = ThisBuild(),
          .cpu = ThisCpu(),
          .request = RequestFromEnvironment(),
          .threads = ThreadsFromEnvironment(),
          .unknown_variables = UnknownInEnvironment(),
          .limits = std::move(limits),
          .settings = std::move(settings)};
}

std::vector<Finding> CheckSystem(const SystemFacts& facts) {
  Findings findings;
  CheckBuild(facts.build, findings);
  for (int t = 0; t < kTierCount; ++t) CheckTier(static_cast<Tier>(t), facts.cpu, findings);
  CheckRequest(facts, findings);
  CheckThreads(facts, findings);
  for (const std::string& message : facts.unknown_variables) {
    findings.push_back(
        {Severity::kWarning, "unknown-variable", message, "it has no effect", "correct its name, or unset it"});
  }
  CheckCpuSettings(facts, findings);
  return findings;
}

template <typename T>
Result<std::vector<Finding>> CheckModel(Context& context, const Model<T>& model) {
  Findings findings;
  CheckWeights(model, findings);
  CheckLayerKernels(context.kernels(), model, findings);
  if (Status checked = CheckGoldenCases(context, model, findings); !checked.ok()) return checked;
  return findings;
}

template Result<std::vector<Finding>> CheckModel(Context&, const Model<float>&);
template Result<std::vector<Finding>> CheckModel(Context&, const Model<double>&);

}  // namespace lanewise::cli
