// SPDX-License-Identifier: Apache-2.0

#include "output_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fmt/format.h"
#include "lanewise/write_file.h"
#include "output.h"

namespace lanewise::cli {
namespace {

using FileStatus = struct stat;

std::optional<FileStatus> StatusOf(const std::string& path) {
  FileStatus status;
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

std::optional<FileStatus> StatusOf(int descriptor) {
  FileStatus status;
  if (fstat(descriptor, &status) != 0) return std::nullopt;
  return status;
}

bool IsSame(const FileStatus& a, const FileStatus& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

// Whether `file` is one of the folder's data files (lanewise/data/idx.h has their names).
bool IsDataFileOf(const std::string& folder, const FileStatus& file) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().filename().string().find("-ubyte") == std::string::npos) continue;
    const std::optional<FileStatus> status = StatusOf(entry->path().string());
    if (status && IsSame(*status, file)) return true;
  }
  return false;
}

Status IoError(const std::string& path, int error) {
  return {StatusCode::kIoError, fmt::format("cannot write '{}': {}", path, std::strerror(error))};
}

}  // namespace

Status CheckKeepsInputs(const std::string& path, const std::vector<Input>& inputs) {
  const std::optional<FileStatus> output = StatusOf(path);
  if (!output || !S_ISREG(output->st_mode)) return {};
  for (const Input& input : inputs) {
    const std::optional<FileStatus> status = input.path == "-" ? StatusOf(STDIN_FILENO) : StatusOf(input.path);
    if (!status) continue;
    if (IsSame(*status, *output) || (S_ISDIR(status->st_mode) && IsDataFileOf(input.path, *output))) {
      return {StatusCode::kInvalidArgument,
              fmt::format("'{}' is read as {}, and the result would replace it; give another file", path, input.name)};
    }
  }
  return {};
}

Result<OutputFile> OutputFile::Open(const std::string& path) {
  if (path.empty() || path == "-") return OutputFile(Kind::kStandardOutput, path, -1);
  if (const std::optional<FileStatus> target = StatusOf(path)) {
    const std::optional<FileStatus> standard_output = StatusOf(STDOUT_FILENO);
    if (standard_output && IsSame(*target, *standard_output)) return OutputFile(Kind::kStandardOutput, path, -1);
    if (!S_ISREG(target->st_mode) && !S_ISDIR(target->st_mode)) {
      const int descriptor = open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
      if (descriptor < 0) return IoError(path, errno);
      return OutputFile(Kind::kStream, path, descriptor);
    }
  }
  if (Status writable = CheckWritable(path); !writable.ok()) return writable;
  return OutputFile(Kind::kFile, path, -1);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : kind_(other.kind_),
      path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      text_(std::move(other.text_)) {}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

Status OutputFile::Write(std::string_view text) {
  if (kind_ == Kind::kStandardOutput) Print(text);  // keeps its errors itself
  if (kind_ == Kind::kFile) text_ += text;
  if (kind_ != Kind::kStream) return {};
  while (!text.empty()) {
    const ssize_t written = write(descriptor_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return IoError(path_, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status OutputFile::Finish() {
  if (kind_ == Kind::kStream && close(std::exchange(descriptor_, -1)) != 0) return IoError(path_, errno);
  if (kind_ != Kind::kFile) return {};
  const std::string_view part = text_;
  return WriteFile(path_, {&part, 1});
}

}  // namespace lanewise::cli
