// SPDX-License-Identifier: Apache-2.0
//
// The subcommands of `lanewise`, one source file each: command_NAME.cc declares the options, with an example in the
// help text, and runs the command. main.cc lists them and knows nothing else about them.

#pragma once

#include <functional>
#include <string>

#include "CLI/CLI.hpp"
#include "lanewise/status.h"
#include "output.h"

namespace lanewise::cli {

struct Command {
  CLI::App* app;  // owned by the program's CLI::App
  std::function<ExitCode()> run;
};

Command AddAccuracy(CLI::App& program);
Command AddBench(CLI::App& program);
Command AddDoctor(CLI::App& program);
Command AddEvaluate(CLI::App& program);
Command AddExplain(CLI::App& program);
Command AddHelp(CLI::App& program);
Command AddInfo(CLI::App& program);
Command AddInspect(CLI::App& program);
Command AddKernels(CLI::App& program);
Command AddPredict(CLI::App& program);
Command AddRepro(CLI::App& program);
Command AddTrain(CLI::App& program);
Command AddVerify(CLI::App& program);
Command AddVersion(CLI::App& program);

// Null if there is none of that name.
CLI::App* FindCommand(CLI::App& program, const std::string& name);

// What to say of a command that `program` does not have: the valid ones, and the nearest.
Status UnknownCommand(CLI::App& program, const std::string& name);

}  // namespace lanewise::cli
