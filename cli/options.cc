// SPDX-License-Identifier: Apache-2.0
//
// What the shared options mean, and their help texts, broken to fit 80 columns.

#include "options.h"

#include "fmt/format.h"
#include "lanewise/environment.h"
#include "lanewise/executor.h"

namespace lanewise::cli {

IsaOption::IsaOption(CLI::App& command, const std::string& otherwise)
    : option_(command.add_option("--isa")->type_name("SPEC")->description(
          "Instruction sets: avx2 (exactly that), <=avx2 (at\nmost), -avx512 (without), gemm_f32=avx2 (for one\n"
          "kernel), several with commas. Default:\nLANEWISE_ISA, else " +
          otherwise)) {}

std::string IsaOption::Request() const {
  return option_->count() > 0 ? option_->as<std::string>() : RequestFromEnvironment();
}

std::string IsaOption::Origin() const {
  if (option_->count() > 0) return "--isa";
  return RequestFromEnvironment().empty() ? "" : "LANEWISE_ISA";
}

ThreadsOption::ThreadsOption(CLI::App& command)
    : option_(command.add_option("--threads")
                  ->type_name("N")
                  ->description(
                      "Threads to use, or auto: what affinity and CPU\nquota allow. Default: LANEWISE_THREADS, else\n"
                      "OMP_NUM_THREADS, else auto")) {}

Result<Threads> ThreadsOption::Get() const {
  ThreadSetting setting;
  if (option_->count() > 0) {
    const Result<int> threads = ParseThreads(option_->as<std::string>());
    if (!threads.ok()) return Status(threads.status().code(), "--threads: " + threads.status().message());
    setting = {.threads = *threads, .origin = "--threads"};
  } else {
    const Result<ThreadSetting> from_environment = ThreadsFromEnvironment();
    if (!from_environment.ok()) return from_environment.status();
    setting = *from_environment;
  }
  if (setting.threads > 0) return Threads{.count = setting.threads, .reason = setting.origin};
  const ThreadCount automatic = DefaultThreads();
  return Threads{.count = automatic.threads, .reason = automatic.reason};
}

JsonOption::JsonOption(CLI::App& command)
    : option_(command.add_flag("--json")->description("Print one JSON document instead of text")) {}

void SetExample(CLI::App& command, const std::string& example) { command.footer("Example:\n  " + example); }

}  // namespace lanewise::cli
