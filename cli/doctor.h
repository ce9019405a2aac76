// SPDX-License-Identifier: Apache-2.0
//
// The checks of `lanewise doctor`: what makes Lanewise slow here, or its results different. They judge plain facts, so
// that a test can make up any machine. Knows no options and prints nothing.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lanewise/build_info.h"
#include "lanewise/context.h"
#include "lanewise/cpu.h"
#include "lanewise/environment.h"
#include "lanewise/executor.h"
#include "lanewise/model_file.h"
#include "lanewise/status.h"

namespace lanewise::cli {

// Notes are for those who look for the last tenth of speed, or are as somebody may have wanted them; warnings cost a
// multiple or go against what the user asked for; errors make commands fail or results wrong.
enum class Severity : std::uint8_t { kNote, kWarning, kError };

// "note", "warning" or "error".
const char* Name(Severity severity);

struct Finding {
  Severity severity;
  std::string check;  // a short name that stays: "governor"
  std::string found;
  std::string why;  // it matters
  std::string advice;
};

// What /sys says of the CPUs that the process may use; empty or 0 where it says nothing.
struct CpuSettings {
  std::vector<std::string> governors;  // each once
  bool turbo_off = false;
  int cores = 0;  // that the CPUs belong to
};

// `root` stands before every path that is read ("" but in tests).
CpuSettings ReadCpuSettings(const std::string& root, const std::vector<int>& cpus);

struct SystemFacts {
  BuildInfo build;
  CpuFacts cpu;
  std::string request;  // LANEWISE_ISA
  Result<ThreadSetting> threads = ThreadSetting{};
  std::vector<std::string> unknown_variables;  // a message for each
  CpuLimits limits;
  CpuSettings settings;
};

// Those of this process.
SystemFacts GatherFacts();

std::vector<Finding> CheckSystem(const SystemFacts& facts);

// Of a model that is used with the context's kernels. Errors: those of VerifyModel.
template <typename T>
Result<std::vector<Finding>> CheckModel(Context& context, const Model<T>& model);

}  // namespace lanewise::cli
