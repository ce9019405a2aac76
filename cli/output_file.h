// SPDX-License-Identifier: Apache-2.0
//
// Where --output and --out may lead: what is written must not take the place of what is read, of a device or of an open
// file.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lanewise/status.h"

namespace lanewise::cli {

// What a command reads, as the user named it: the option or argument, and its path ("-": standard input).
struct Input {
  std::string name;
  std::string path;
};

// kInvalidArgument if writing to `path` would replace one of the inputs, by whatever name or link, or a file of the IDX
// folder that is one.
Status CheckKeepsInputs(const std::string& path, const std::vector<Input>& inputs);

// A result in text. Standard output ("" and "-"; also by another name, such as /dev/stdout), devices and pipes get it
// piece by piece; a file appears, or is replaced, when all of it is there, and not before.
class OutputFile {
 public:
  // kIoError where the path cannot be written to.
  static Result<OutputFile> Open(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile(const OutputFile&) = delete;
  ~OutputFile();

  Status Write(std::string_view text);
  // The end of the text.
  Status Finish();

 private:
  enum class Kind { kStandardOutput, kStream, kFile };

  OutputFile(Kind kind, std::string path, int descriptor)
      : kind_(kind), path_(std::move(path)), descriptor_(descriptor) {}

  Kind kind_;
  std::string path_;
  int descriptor_;    // of kStream; -1 else
  std::string text_;  // of kFile, until Finish
};

}  // namespace lanewise::cli
