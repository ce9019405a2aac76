// SPDX-License-Identifier: Apache-2.0
//
// What a long command says on stderr while it runs.

#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace lanewise::cli {

// Seconds since construction.
class Stopwatch {
 public:
  double Seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

// "epoch  3/10 [######------]  50 %  180000 images/s", in less than `width` columns: without the speed, the bar or the
// end of the label where there is no room.
std::string ProgressLine(std::string_view label, double share, std::string_view speed, std::size_t width);

// A progress line on a terminal that is overwritten, nothing elsewhere.
class ProgressBar {
 public:
  // Draws at most ten times a second.
  void Draw(std::string_view label, double share, std::string_view speed);
  // Removes the line.
  void Clear();

 private:
  bool drawn_ = false;
  Stopwatch since_start_;
  double next_ = 0;
};

// SIGINT, and SIGTERM too if asked for, from now on only set a flag, so that the command can leave things as they were;
// a second one ends the program.
void CatchInterrupt(bool sigterm_too = false);
bool Interrupted();

}  // namespace lanewise::cli
