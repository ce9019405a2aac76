// SPDX-License-Identifier: Apache-2.0
//
// lanewise help: the help text of the program, or of a command, which --help prints too.

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "command.h"
#include "lanewise/names.h"
#include "options.h"
#include "output.h"

namespace lanewise::cli {
namespace {

std::vector<CLI::App*> Commands(CLI::App& program) {
  return program.get_subcommands([](const CLI::App* /*any*/) { return true; });
}

ExitCode Run(CLI::App& program, const std::string& name) {
  if (name.empty()) {
    Print(program.get_formatter()->make_help(&program, program.get_name(), CLI::AppFormatMode::Normal));
    return kOk;
  }
  const CLI::App* command = FindCommand(program, name);
  if (command == nullptr) return Fail(UnknownCommand(program, name));
  Print(command->help(program.get_name()));
  return kOk;
}

}  // namespace

CLI::App* FindCommand(CLI::App& program, const std::string& name) {
  const std::vector<CLI::App*> commands = Commands(program);
  const auto found = std::ranges::find(commands, name, [](const CLI::App* app) { return app->get_name(); });
  return found == commands.end() ? nullptr : *found;
}

Status UnknownCommand(CLI::App& program, const std::string& name) {
  std::vector<std::string> names;
  for (const CLI::App* command : Commands(program)) names.push_back(command->get_name());
  const std::vector<std::string_view> valid(names.begin(), names.end());
  return {StatusCode::kUnknownName, UnknownName("command", name, valid)};
}

Command AddHelp(CLI::App& program) {
  CLI::App* command = program.add_subcommand("help", "Print this text, or that of a command");
  SetExample(*command, "lanewise help train");
  const auto name = std::make_shared<std::string>();
  command->add_option("COMMAND", *name, "Its help text. Default: that of the program");
  return {command, [&program, name] { return Run(program, *name); }};
}

}  // namespace lanewise::cli
