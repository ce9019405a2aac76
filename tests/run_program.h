// SPDX-License-Identifier: Apache-2.0
//
// Runs the program `lanewise` (its path is LANEWISE_PROGRAM) as a user's shell would, and reads what it prints.

#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "doctest/doctest.h"
#include "nlohmann/json.hpp"

namespace lanewise::test {

struct ProgramRun {
  int exit_code;  // -1 if a signal ended it
  std::string out;
  std::string err;
};

// Runs a line of shell with $lanewise as the program, and with none of our variables set but those in `line`.
inline ProgramRun Shell(const std::string& line) {
  const std::filesystem::path err_path =
      std::filesystem::temp_directory_path() / ("lanewise_test_stderr_" + std::to_string(getpid()));
  const std::string command = "unset LANEWISE_ISA LANEWISE_THREADS OMP_NUM_THREADS; lanewise='" LANEWISE_PROGRAM
                              "'; { " +
                              line + "\n} 2>'" + err_path.string() + "'";
  ProgramRun run{.exit_code = -1, .out = "", .err = ""};
  std::FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  char block[4096];
  for (std::size_t size; (size = std::fread(block, 1, sizeof block, pipe)) > 0;) run.out.append(block, size);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) run.exit_code = WEXITSTATUS(status);
  std::ifstream err(err_path, std::ios::binary);
  run.err.assign(std::istreambuf_iterator<char>(err), {});
  std::filesystem::remove(err_path);
  return run;
}

// `arguments` as typed after the program's name.
inline ProgramRun Lanewise(const std::string& arguments) { return Shell("\"$lanewise\" " + arguments); }

inline bool Contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

inline nlohmann::json ParseJson(const std::string& text) {
  nlohmann::json document = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  REQUIRE_MESSAGE(!document.is_discarded(), text);
  return document;
}

}  // namespace lanewise::test
