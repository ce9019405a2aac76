// SPDX-License-Identifier: Apache-2.0
//
// lanewise bench: becomes the separate program `lanewise-bench`, so that this one needs no benchmark library.

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

#include "command.h"
#include "fmt/format.h"
#include "options.h"

namespace lanewise::cli {
namespace {

constexpr const char* kProgram = "lanewise-bench";

// Replaces this process; returns only if that fails.
void Execute(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execvp(program.c_str(), argv.data());
}

ExitCode Run(const std::vector<std::string>& arguments) {
  std::signal(SIGPIPE, SIG_DFL);  // main ignores it, and so would the other program
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path folder = self.parent_path();
  // Installed, the two lie side by side; in a build tree, each in its own folder.
  if (!error) {
    Execute(folder / kProgram, arguments);
    Execute(folder.parent_path() / "bench" / kProgram, arguments);
  }
  Execute(kProgram, arguments);
  const int reason = errno;
  return Fail(kUsage, fmt::format("{} was found neither beside this program nor in PATH ({}); it is built with "
                                  "-DLANEWISE_BENCH=ON",
                                  kProgram, std::strerror(reason)));
}

}  // namespace

Command AddBench(CLI::App& program) {
  CLI::App* command = program.add_subcommand("bench", "Run lanewise-bench, with all arguments that follow");
  SetExample(*command,
             "lanewise bench --benchmark_filter=gemm_f32/avx2\n\n"
             "Options of lanewise-bench; `lanewise-bench --help` lists all:\n"
             "  --isa=SPEC                    instruction sets, as in lanewise kernels;\n"
             "                                default: LANEWISE_ISA, else all that run here\n"
             "  --benchmark_filter=REGEX      those whose names match\n"
             "  --benchmark_list_tests        print the names, run nothing\n"
             "  --benchmark_repetitions=N     times to measure each\n"
             "  --benchmark_out=FILE          write the results as JSON too");
  command->prefix_command();
  return {command, [command] { return Run(command->remaining()); }};
}

}  // namespace lanewise::cli
