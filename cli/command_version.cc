// SPDX-License-Identifier: Apache-2.0
//
// lanewise version: what this program was built from and how.

#include "command.h"
#include "fmt/format.h"
#include "lanewise/build_info.h"
#include "options.h"

namespace lanewise::cli {
namespace {

ExitCode Run(bool json) {
  const BuildInfo build = ThisBuild();
  if (json) {
    PrintJson(Json{{"version", build.version},
                   {"numerics_revision", kNumericsRevision},
                   {"compiler", build.compiler},
                   {"build_type", build.build_type},
                   {"assertions", build.assertions},
                   {"highway", build.highway}});
  } else {
    Print(fmt::format("lanewise {}, numerics revision {}, {}, {}, Highway {}\n", build.version, kNumericsRevision,
                      build.compiler, build.build_type, build.highway));
  }
  return kOk;
}

}  // namespace

Command AddVersion(CLI::App& program) {
  CLI::App* command = program.add_subcommand("version", "Print version, numerics revision and build");
  SetExample(*command, "lanewise version --json");
  const JsonOption json(*command);
  return {command, [json] { return Run(static_cast<bool>(json)); }};
}

}  // namespace lanewise::cli
