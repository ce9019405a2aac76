// SPDX-License-Identifier: Apache-2.0
//
// NumPy and numexpr: functions_python.py in a process of its own, over two pipes.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "fmt/format.h"
#include "functions.h"

namespace lanewise::peers {

namespace {

class Python {
 public:
  Python() {
    int to_child[2];
    int from_child[2];
    if (pipe(to_child) != 0 || pipe(from_child) != 0) throw std::runtime_error("no pipe for Python");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to_child[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from_child[1], 1);
    for (const int end : {to_child[0], to_child[1], from_child[0], from_child[1]}) {
      posix_spawn_file_actions_addclose(&actions, end);
    }
    std::string program = LANEWISE_PYTHON;
    std::string script = LANEWISE_PYTHON_SCRIPT;
    char* const arguments[] = {program.data(), script.data(), nullptr};
    std::signal(SIGPIPE, SIG_IGN);  // where Python cannot be run; Read says so
    const int error = posix_spawnp(&child_, program.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(to_child[0]);
    close(from_child[1]);
    to_ = to_child[1];
    from_ = from_child[0];
    if (error != 0) child_ = -1;
  }
  Python(const Python&) = delete;
  Python& operator=(const Python&) = delete;
  ~Python() {
    close(to_);  // ends it
    close(from_);
    if (child_ > 0) waitpid(child_, nullptr, 0);
  }

  // The libraries it found, separated by blanks; empty where it cannot be run.
  std::string Libraries() {
    std::string line;
    for (char c = 0; read(from_, &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }

  // Of so many floats: runs the function so many times, and fills the answer.
  void Ask(const std::string& function, const float* x, std::size_t n, int times, void* answer, std::size_t size) {
    const std::string request = fmt::format("{} {} {}\n", function, n, times);
    Write(request.data(), request.size());
    Write(x, n * sizeof(float));
    for (auto* to = static_cast<char*>(answer); size > 0;) {
      const ssize_t got = read(from_, to, size);
      if (got <= 0) throw std::runtime_error("functions_python.py has ended");
      to += got;
      size -= static_cast<std::size_t>(got);
    }
  }

 private:
  void Write(const void* data, std::size_t size) {
    for (const auto* from = static_cast<const char*>(data); size > 0;) {
      const ssize_t written = write(to_, from, size);
      if (written <= 0) throw std::runtime_error(fmt::format("functions_python.py: {}", std::strerror(errno)));
      from += written;
      size -= static_cast<std::size_t>(written);
    }
  }

  pid_t child_ = -1;
  int to_ = -1;
  int from_ = -1;
};

}  // namespace

std::vector<FunctionPeer> PythonFunctions() {
  static const auto python = std::make_shared<Python>();
  static const std::string found = python->Libraries();
  for (const char* library : {"NumPy", "numexpr"}) {
    if (found.find(library) == std::string::npos) fmt::print(stderr, "comparing without {}\n", library);
  }
  std::vector<FunctionPeer> peers;
  std::istringstream libraries(found);
  for (std::string library; libraries >> library;) {
    for (const char* function : {"exp", "log", "log1p", "sigmoid", "tanh"}) {
      const std::string name = library + " " + function;
      peers.push_back(
          {library, function,
           [name](const float* x, float* y, std::size_t n) { python->Ask(name, x, n, 0, y, n * sizeof(float)); },
           [name](const float* x, std::size_t n, int times) {
             double seconds = 0;
             python->Ask(name, x, n, times, &seconds, sizeof(seconds));
             return seconds;
           }});
    }
  }
  return peers;
}

}  // namespace lanewise::peers
