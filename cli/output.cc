// SPDX-License-Identifier: Apache-2.0
//
// The only file of the CLI that writes to stdout and stderr, but for the progress bar.

#include "output.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "fmt/format.h"

namespace lanewise::cli {
namespace {

int g_write_error = 0;   // errno of the first failed write to stdout
bool g_printed = false;  // anything to stdout
bool g_json_errors = false;

ExitCode CodeOf(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return kOk;
    case StatusCode::kInvalidArgument:
    case StatusCode::kUnknownName:
      return kUsage;
    case StatusCode::kNotCompiled:
    case StatusCode::kNotSupported:
      return kNotAvailable;
    case StatusCode::kBadFile:
    case StatusCode::kIoError:
      return kBadFile;
    case StatusCode::kDiverged:
      return kDiverged;
    case StatusCode::kOutOfMemory:
      return kCannotTell;
    case StatusCode::kLayoutMismatch:
      break;
  }
  return kCheckFailed;
}

void PrintToStderr(std::string_view kind, std::string_view text) {
  const std::string line = fmt::format("{}: {}\n", kind, text);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

// Lines of at most `width` characters, broken at spaces; longer words stay whole.
std::vector<std::string> Wrap(std::string_view text, std::size_t width) {
  std::vector<std::string> lines(1);
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width) lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    lines.back() += word;
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return lines;
}

}  // namespace

void Print(std::string_view text) {
  g_printed = g_printed || !text.empty();
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() && g_write_error == 0) g_write_error = errno;
}

std::string JsonText(const Json& document) {
  return document.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

bool IsUtf8(const std::string& text) {
  try {
    (void)Json(text).dump();
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

void Note(std::string_view text) { PrintToStderr("note", text); }

void Warn(std::string_view text) { PrintToStderr("warning", text); }

void TellErrorsInJson() { g_json_errors = true; }

ExitCode Fail(const Status& status, std::string_view where) {
  return Fail(CodeOf(status.code()), where.empty() ? status.message() : fmt::format("{}: {}", where, status.message()));
}

ExitCode Fail(ExitCode code, std::string_view message) {
  PrintToStderr("error", message);
  if (g_json_errors && !g_printed) PrintJson(Json{{"error", {{"code", code}, {"message", message}}}});
  return code;
}

void Log(std::string_view text) {
  const std::string line = fmt::format("{}\n", text);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

int FinishOutput(ExitCode code) {
  if (std::fflush(stdout) != 0 && g_write_error == 0) g_write_error = errno;
  if (g_write_error == 0 || g_write_error == EPIPE) return code;
  return Fail(Status(StatusCode::kIoError, fmt::format("cannot write: {}", std::strerror(g_write_error))), "stdout");
}

std::string FormatTable(const std::vector<std::vector<std::string>>& rows) {
  constexpr std::size_t kLineWidth = 80;
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i + 1 < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    const std::size_t indent = line.size();
    for (const std::string& part : Wrap(row.back(), kLineWidth - std::min(indent, kLineWidth))) {
      line += part;
      text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
      line.assign(indent, ' ');
    }
  }
  return text;
}

std::string FormatBytes(std::size_t bytes) {
  constexpr double kKiB = 1024;
  constexpr double kMiB = kKiB * kKiB;
  const auto value = static_cast<double>(bytes);
  if (value < kKiB) return fmt::format("{} B", bytes);
  return value < kMiB ? fmt::format("{:.3g} KiB", value / kKiB) : fmt::format("{:.3g} MiB", value / kMiB);
}

}  // namespace lanewise::cli
