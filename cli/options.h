// SPDX-License-Identifier: Apache-2.0
//
// Options that several commands have, with one meaning and one help text. A flag beats its environment variable.

#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "lanewise/isa.h"
#include "lanewise/status.h"

namespace lanewise::cli {

// --isa SPEC, else LANEWISE_ISA, else `otherwise`, which is for the command to see to where it is not the best tier.
class IsaOption {
 public:
  explicit IsaOption(CLI::App& command, const std::string& otherwise = "the best that this CPU has");

  std::string Request() const;
  // Where the request comes from, for messages: "--isa", "LANEWISE_ISA", or "" if there is none.
  std::string Origin() const;

 private:
  const CLI::Option* option_;
};

// How many threads, and who says so.
struct Threads {
  int count;
  std::string reason;  // "--threads", "LANEWISE_THREADS", or what DefaultThreads says
};

// --threads N|auto, else LANEWISE_THREADS, else OMP_NUM_THREADS, else DefaultThreads().
class ThreadsOption {
 public:
  explicit ThreadsOption(CLI::App& command);

  // The message of an error names flag or variable.
  Result<Threads> Get() const;

 private:
  const CLI::Option* option_;
};

// --json: one document on stdout instead of text.
class JsonOption {
 public:
  explicit JsonOption(CLI::App& command);

  explicit operator bool() const { return option_->count() > 0; }

 private:
  const CLI::Option* option_;
};

// The end of a command's help text.
void SetExample(CLI::App& command, const std::string& example);

}  // namespace lanewise::cli
