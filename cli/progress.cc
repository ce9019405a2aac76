// SPDX-License-Identifier: Apache-2.0

#include "progress.h"

#include <algorithm>
#include <csignal>
#include <cstdio>

#include <sys/ioctl.h>
#include <unistd.h>

#include "fmt/format.h"
#include "lanewise/environment.h"

namespace lanewise::cli {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

// ECMA-48's "erase in line": from the cursor to the end.
constexpr const char* kClearToEnd = "\033[K";

// Not fmt::print, which throws where the terminal has gone away.
void Write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

// At every call, since windows change their size.
std::size_t TerminalWidth() {
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const int columns = ColumnsFromEnvironment();
  return columns > 0 ? static_cast<std::size_t>(columns) : 80;
}

}  // namespace

std::string ProgressLine(std::string_view label, double share, std::string_view speed, std::size_t width) {
  constexpr std::size_t kMostCells = 24;
  constexpr std::size_t kFewestCells = 4;
  const std::string percent = fmt::format("{:3.0f} %", 100 * share);
  // In the last column some terminals begin a new line.
  const std::size_t room = std::max<std::size_t>(width, 2) - 1;
  const std::size_t least = label.size() + 1 + percent.size();
  if (least > room) return std::string(label.substr(0, room));
  const std::size_t brackets = 3;  // and a space
  std::string end = percent;
  if (!speed.empty() && least + brackets + kFewestCells + 2 + speed.size() <= room) end += fmt::format("  {}", speed);
  const std::size_t rest = room - label.size() - 1 - end.size();
  if (rest < brackets + kFewestCells) return fmt::format("{} {}", label, end);
  const std::size_t cells = std::min(kMostCells, rest - brackets);
  const auto full = static_cast<std::size_t>(share * static_cast<double>(cells));
  return fmt::format("{} [{:#<{}}{:-<{}}] {}", label, "", full, "", cells - full, end);
}

void ProgressBar::Draw(std::string_view label, double share, std::string_view speed) {
  static const bool kOnTerminal = isatty(STDERR_FILENO) != 0;
  if (!kOnTerminal || since_start_.Seconds() < next_) return;
  next_ = since_start_.Seconds() + 0.1;
  Write(fmt::format("\r{}{}", ProgressLine(label, share, speed, TerminalWidth()), kClearToEnd));
  drawn_ = true;
}

void ProgressBar::Clear() {
  if (drawn_) Write(fmt::format("\r{}", kClearToEnd));
  drawn_ = false;
}

void CatchInterrupt(bool sigterm_too) {
  struct sigaction action = {};
  action.sa_handler = [](int) { g_interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
  if (sigterm_too) sigaction(SIGTERM, &action, nullptr);
}

bool Interrupted() { return g_interrupted != 0; }

}  // namespace lanewise::cli
