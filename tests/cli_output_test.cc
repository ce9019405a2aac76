// SPDX-License-Identifier: Apache-2.0
//
// Where the program `lanewise` writes results to: never over what it reads, and never in the place of what is no file.
// And what it draws on a terminal.

#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "doctest/doctest.h"
#include "run_program.h"
#include "temporary_folder.h"

namespace lanewise::test {
namespace {

constexpr const char* kData = "x,y,class\n0,0,a\n1,1,b\n0,1,a\n1,0,b\n";

// A folder with data.csv and a model of it, in which lines of shell are run.
class Work {
 public:
  Work() {
    folder_.Write("data.csv", kData);
    folder_.Write("in.csv", "x,y\n0,0\n1,1\n");
    REQUIRE(Run("\"$lanewise\" train --data data.csv --layers 2,2 --epochs 1 --out model").exit_code == 0);
  }
  ProgramRun Run(const std::string& line) const { return Shell("cd " + folder_.path() + "; " + line); }
  std::string Bytes(const std::string& name) const { return ReadBytes(folder_ / name); }
  const TemporaryFolder& folder() const { return folder_; }

 private:
  TemporaryFolder folder_;
};

TEST_CASE("an output that is an input is refused, by whatever name") {
  const Work work;
  REQUIRE(work.Run("ln -s data.csv link; ln data.csv hard; mkdir idx; echo old > idx/train-labels-idx1-ubyte.gz")
              .exit_code == 0);
  const std::string model = work.Bytes("model");
  const struct {
    const char* line;
    const char* message;
  } kCases[] = {
      {"train --data data.csv --out data.csv", "--out: 'data.csv' is read as --data"},
      {"train --data data.csv --out link", "--out: 'link' is read as --data"},
      {"train --data link --out ./hard", "--out: './hard' is read as --data"},
      {"train --data - --out data.csv < data.csv", "--out: 'data.csv' is read as --data"},
      {"train --data idx --out idx/train-labels-idx1-ubyte.gz", "is read as --data"},
      {"predict model --input in.csv --output model", "--output: 'model' is read as MODEL"},
      {"predict model --input in.csv --output in.csv", "--output: 'in.csv' is read as --input"},
      {"predict model --input - --output in.csv < in.csv", "--output: 'in.csv' is read as --input"},
      {"train --data data.csv --out -", "--out: a model is written to a file, not to standard output; give its path"},
  };
  for (const auto& c : kCases) {
    INFO(std::string(c.line));
    const ProgramRun run = work.Run(std::string("\"$lanewise\" ") + c.line);
    CHECK(run.exit_code == 2);
    CHECK(run.out.empty());
    CHECK_MESSAGE(Contains(run.err, c.message), run.err);
  }
  CHECK(work.Bytes("data.csv") == kData);
  CHECK(work.Bytes("in.csv") == "x,y\n0,0\n1,1\n");
  CHECK(work.Bytes("model") == model);
  CHECK(work.Bytes("idx/train-labels-idx1-ubyte.gz") == "old\n");
  CHECK(work.folder().CountFiles() == 6);
  // What is no data file of the folder may be replaced, and so may an old model.
  CHECK(work.Run("\"$lanewise\" train --data data.csv --epochs 1 --out model").exit_code == 0);
}

TEST_CASE("standard output, devices and pipes are written to as they are") {
  const Work work;
  const std::string predict = "\"$lanewise\" predict model --input in.csv --output ";
  const std::string expected = work.Run("\"$lanewise\" predict model --input in.csv").out;
  REQUIRE(expected.starts_with("class,probability\n"));
  CHECK(work.Run(predict + "-").out == expected);
  CHECK(work.Run(predict + "/dev/stdout").out == expected);
  for (const char* name : {"/dev/stdout", "/dev/fd/1", "-"}) {
    INFO(std::string(name));
    CHECK(work.Run("{ echo head; " + predict + name + "; echo tail; } > all").exit_code == 0);
    CHECK(work.Bytes("all") == "head\n" + expected + "tail\n");
  }
  CHECK(work.Run("mkfifo pipe; cat pipe & " + predict + "pipe; wait").out == expected);
  CHECK(work.Run("test -p pipe").exit_code == 0);
  CHECK(work.Run(predict + "/dev/null; test -c /dev/null").exit_code == 0);

  ProgramRun run = work.Run(predict + "/dev/full");
  CHECK(run.exit_code == 4);
  CHECK_MESSAGE(Contains(run.err, "--output: cannot write '/dev/full': No space left"), run.err);
  // Another open file would lose what others write to it.
  run = work.Run("{ echo head >&3; " + predict + "/dev/fd/3; } 3> other");
  CHECK(run.exit_code == 4);
  CHECK_MESSAGE(Contains(run.err, "it names an open file"), run.err);
  CHECK(work.Bytes("other") == "head\n");
  run = work.Run("{ echo head; \"$lanewise\" train --samples 10 --epochs 1 --out /dev/stdout; } > other");
  CHECK(run.exit_code == 4);
  CHECK_MESSAGE(Contains(run.err, "--out: cannot write '/dev/stdout': it names an open file"), run.err);
  CHECK(work.Bytes("other") == "head\n");
}

// What the program writes to a terminal of so many columns.
std::string RunOnTerminal(const std::string& arguments, int columns) {
  const winsize size = {.ws_row = 25, .ws_col = static_cast<unsigned short>(columns), .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::string command = "exec '" LANEWISE_PROGRAM "' " + arguments + " >/dev/null";
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  std::string written;
  char block[4096];
  // That the other side is gone is an error here, not an end.
  for (ssize_t got; (got = read(terminal, block, sizeof block)) > 0;) {
    written.append(block, static_cast<std::size_t>(got));
  }
  close(terminal);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  return written;
}

constexpr std::string_view kClearToEnd = "\033[K";

// The lines that stand on the terminal at last.
std::vector<std::string> LinesLeft(std::string_view written) {
  std::vector<std::string> lines = {""};
  for (std::size_t column = 0; !written.empty(); written.remove_prefix(1)) {
    std::string& line = lines.back();
    if (written[0] == '\r') {
      column = 0;
    } else if (written[0] == '\n') {
      lines.emplace_back();
    } else if (written.starts_with(kClearToEnd)) {
      line.resize(std::min(line.size(), column));
      written.remove_prefix(kClearToEnd.size() - 1);
    } else {
      line.resize(std::max(line.size(), column + 1), ' ');
      line[column++] = written[0];
    }
  }
  return lines;
}

TEST_CASE("a progress bar keeps to the terminal and leaves nothing behind") {
  const TemporaryFolder folder;
  const std::string train = "train --samples 6000 --epochs 2 --out " + (folder / "model");
  for (const int columns : {5, 20, 40, 100}) {
    INFO(columns, " columns");
    const std::string written = RunOnTerminal(train, columns);
    int drawn = 0;
    for (std::size_t end = 0; (end = written.find(kClearToEnd, end)) != std::string::npos; ++end) {
      const std::size_t begin = written.rfind('\r', end) + 1;
      CHECK(end - begin < static_cast<std::size_t>(columns));
      drawn += end > begin;
    }
    CHECK(drawn >= 2);
    CHECK(Contains(written, " [") == (columns >= 40));
    if (columns == 100) CHECK(Contains(written, " samples/s\033"));
    const std::vector<std::string> lines = LinesLeft(written);
    REQUIRE(lines.size() == 4);
    CHECK(lines[0].starts_with("note: "));
    CHECK(lines[1].starts_with("epoch 1/2  loss "));
    CHECK(lines[2].starts_with("epoch 2/2  loss "));
    CHECK(lines[3].empty());
  }
}

}  // namespace
}  // namespace lanewise::test
