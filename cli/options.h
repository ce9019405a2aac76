// SPDX-License-Identifier: Apache-2.0
//
// Options that several commands have, with one meaning and one help text. A flag beats its environment variable.

#pragma once

#include <charconv>
#include <limits>
#include <string>
#include <system_error>
#include <utility>

#include "CLI/CLI.hpp"
#include "fmt/format.h"
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

// A check for options that take whole numbers (each value of a list): anything else is refused, in words that people
// read. CLI11's own conversion takes -1 for a large unsigned number and cuts what is too large.
template <typename T>
CLI::Validator WholeNumber(T least, T most = std::numeric_limits<T>::max()) {
  return CLI::Validator(
      [least, most](const std::string& text) -> std::string {
        T value = 0;
        const char* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc() && stop == end && value >= least && value <= most) return "";
        return fmt::format("'{}' is not a whole number from {} to {}", text, least, most);
      },
      "");
}

// What is wrong with the command line.
inline Status Invalid(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

// The end of a command's help text.
void SetExample(CLI::App& command, const std::string& example);

}  // namespace lanewise::cli
