// SPDX-License-Identifier: Apache-2.0
//
// lanewise doctor: what makes Lanewise slow here, or its results different, and what to do about it.

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "any_model.h"
#include "command.h"
#include "doctor.h"
#include "fmt/format.h"
#include "lanewise/environment.h"
#include "lanewise/isa.h"
#include "options.h"
#include "output.h"

namespace lanewise::cli {
namespace {

std::string ToText(const std::vector<Finding>& findings) {
  if (findings.empty()) return "Nothing found that makes Lanewise slow here, or its results different.\n";
  std::string text;
  for (const Finding& finding : findings) {
    if (!text.empty()) text += "\n";
    text += FormatTable({{Name(finding.severity), finding.found}, {"  why", finding.why}, {"  do", finding.advice}});
  }
  return text;
}

Json ToJson(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    list.push_back(Json{{"severity", Name(finding.severity)},
                        {"check", finding.check},
                        {"found", finding.found},
                        {"why", finding.why},
                        {"advice", finding.advice}});
  }
  return Json{{"findings", std::move(list)}};
}

// What the kernels in force make of the model; of a refused request, the best ones.
Result<std::vector<Finding>> ExamineModel(const std::string& path) {
  const Result<AnyModel> model = LoadAnyModel(path);
  if (!model.ok()) return model.status();
  Result<Kernels> kernels = SelectKernels(RequestFromEnvironment());
  if (!kernels.ok()) kernels = SelectKernels();
  if (!kernels.ok()) return kernels.status();
  Context context(*std::move(kernels));
  return std::visit([&](const auto& typed) { return CheckModel(context, typed); }, *model);
}

ExitCode Run(const std::string& path, bool json) {
  std::vector<Finding> findings = CheckSystem(GatherFacts());
  Status model_error;
  if (!path.empty()) {
    Result<std::vector<Finding>> of_model = ExamineModel(path);
    if (of_model.ok()) {
      std::ranges::move(*of_model, std::back_inserter(findings));
    } else {
      model_error = of_model.status();
      findings.push_back({Severity::kError, "model-refused", model_error.message(), "no command can use the model",
                          "copy it anew, or train it again"});
    }
  }
  // By insertion: findings are few, and libstdc++ 12's stable_sort takes what clang 19 warns of.
  for (auto finding = findings.begin(); finding != findings.end(); ++finding) {
    const auto place = std::ranges::upper_bound(findings.begin(), finding, finding->severity, std::ranges::greater(),
                                                &Finding::severity);
    std::rotate(place, finding, finding + 1);
  }
  if (json) {
    PrintJson(ToJson(findings));
  } else {
    Print(ToText(findings));
  }
  if (!model_error.ok()) return Fail(model_error);
  const auto count = std::ranges::count_if(findings, [](const Finding& f) { return f.severity != Severity::kNote; });
  if (count == 0) return kOk;
  return Fail(kCheckFailed, fmt::format("{} finding{} to mend", count, count == 1 ? "" : "s"));
}

}  // namespace

Command AddDoctor(CLI::App& program) {
  CLI::App* command = program.add_subcommand("doctor", "Find what makes Lanewise slow or different here");
  SetExample(*command,
             "lanewise doctor clothes.safetensors\n\n"
             "Exit codes: 0 nothing found but notes, 1 warnings or errors, 4 the model cannot\n"
             "be read.");
  const auto path = std::make_shared<std::string>();
  command->add_option("MODEL", *path, "A model file to examine too: its weights, its\nkernels and its golden cases");
  const JsonOption json(*command);
  return {command, [path, json] { return Run(*path, static_cast<bool>(json)); }};
}

}  // namespace lanewise::cli
