// SPDX-License-Identifier: Apache-2.0
//
// The program `lanewise`: finds the command, runs it, and turns every failure into a message and an exit code.

#include <algorithm>
#include <csignal>
#include <exception>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "CLI/CLI.hpp"
#include "command.h"
#include "fmt/format.h"
#include "lanewise/build_info.h"
#include "lanewise/environment.h"
#include "output.h"

namespace lanewise::cli {
namespace {

// CLI11's message, and where to read on.
Status UsageError(const CLI::ParseError& error, const CLI::App* command) {
  return {StatusCode::kInvalidArgument,
          fmt::format("{} (see lanewise {}--help)", error.what(), command == nullptr ? "" : command->get_name() + " ")};
}

// Help texts name an option's type, its default, and whether it must be given; CLI11 adds checks that texts explain.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text;
    const std::string type = option->get_type_name();
    if (option->get_type_size() != 0) text += " " + type.substr(0, type.find(':'));
    if (!option->get_default_str().empty()) text += " (" + option->get_default_str() + ")";
    if (option->get_required()) text += " (required)";
    return text;
  }
};

ExitCode Main(int argc, char** argv) {
  CLI::App program("SIMD micro-kernels with run-time dispatch, and a small MLP runtime on them", "lanewise");
  program.formatter(std::make_shared<HelpFormatter>());
  program.set_version_flag("--version", ThisBuild().version);
  program.require_subcommand(1);
  program.footer(
      "Exit codes: 0 ok, 1 a check failed, 2 wrong usage, 3 cannot tell (nothing to\n"
      "check, out of memory), 4 bad file (or one that cannot be read or written),\n"
      "5 instruction set not available, 6 diverged, 130 interrupted.");
  const std::vector<Command> commands = {
      AddInfo(program),   AddKernels(program), AddExplain(program),  AddAccuracy(program), AddRepro(program),
      AddBench(program),  AddTrain(program),   AddEvaluate(program), AddPredict(program),  AddInspect(program),
      AddVerify(program), AddDoctor(program),  AddVersion(program),  AddHelp(program)};

  const std::string first_argument = argc > 1 ? argv[1] : "";
  const CLI::App* command = FindCommand(program, first_argument);
  // Before the arguments are understood, since that may fail.
  const bool may_have_json = command == nullptr || command->get_option_no_throw("--json") != nullptr;
  if (may_have_json && std::find(argv, argv + argc, std::string_view("--json")) != argv + argc) TellErrorsInJson();
  // CLI11 would pass over a command that it does not know, to what follows: --help, say.
  if (!first_argument.empty() && first_argument[0] != '-' && command == nullptr) {
    return Fail(UnknownCommand(program, first_argument));
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    std::ostringstream text;
    program.exit(help_or_version, text, text);
    Print(text.str());
    return kOk;
  } catch (const CLI::ParseError& error) {
    return Fail(UsageError(error, command));
  }

  for (const std::string& message : UnknownInEnvironment()) Warn(message);
  const auto chosen = std::find_if(commands.begin(), commands.end(), [](const Command& c) { return c.app->parsed(); });
  return chosen->run();
}

}  // namespace
}  // namespace lanewise::cli

int main(int argc, char** argv) {
  using namespace lanewise;  // NOLINT(google-build-using-namespace)
  // A reader that goes away (`lanewise kernels | head -1`) makes writes fail; FinishOutput knows what that means.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return cli::FinishOutput(cli::Main(argc, argv));
  } catch (const std::bad_alloc&) {
    return cli::Fail(Status(StatusCode::kOutOfMemory, "out of memory"));
  } catch (const std::exception& error) {
    return cli::Fail(Status(StatusCode::kInvalidArgument, error.what()));
  }
}
