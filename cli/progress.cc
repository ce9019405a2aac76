// SPDX-License-Identifier: Apache-2.0

#include "progress.h"

#include <csignal>
#include <cstdio>

#include <unistd.h>

#include "fmt/format.h"

namespace lanewise::cli {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

// Not fmt::print, which throws where the terminal has gone away.
void Write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

void ProgressBar::Draw(std::string_view label, double share, std::string_view speed) {
  static const bool kOnTerminal = isatty(STDERR_FILENO) != 0;
  if (!kOnTerminal || since_start_.Seconds() < next_) return;
  next_ = since_start_.Seconds() + 0.1;
  constexpr std::size_t kCells = 24;
  const auto full = static_cast<std::size_t>(share * kCells);
  const std::string line =
      fmt::format("{} [{:#<{}}{:-<{}}] {:3.0f} %  {}", label, "", full, "", kCells - full, 100 * share, speed);
  Write(fmt::format("\r{:<{}}", line, width_));
  width_ = line.size();
}

void ProgressBar::Clear() {
  if (width_ > 0) Write(fmt::format("\r{:<{}}\r", "", width_));
  width_ = 0;
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
