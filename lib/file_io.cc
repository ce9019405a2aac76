// SPDX-License-Identifier: Apache-2.0
//
// POSIX files behind file_io.h and lanewise/write_file.h.

#include "file_io.h"

#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"
#include "lanewise/write_file.h"

namespace lanewise {
namespace {

Status IoError(std::string_view doing, std::string_view path, int error) {
  return {StatusCode::kIoError, Format("cannot {} {}: {}", doing, Quote(path), std::generic_category().message(error))};
}

// Owns a file descriptor. Standard input's is left open.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ > STDIN_FILENO) close(fd_);
  }
  int get() const { return fd_; }
  // Closes and says whether that went well (a network file system may report a failed write only now).
  bool Close() { return close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

class FileReader : public ByteReader {
 public:
  FileReader(std::string name, int fd) : ByteReader(std::move(name)), fd_(fd) {}

  Result<std::size_t> Read(void* out, std::size_t size) override {
    std::size_t done = 0;
    while (done < size) {
      const ssize_t got = read(fd_.get(), static_cast<char*>(out) + done, size - done);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return IoError("read", name(), errno);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

 private:
  Descriptor fd_;
};

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

// A new file in `folder`, and its name. Names of the process's own; a leftover of a killed one is stepped over. Less of
// the mode than asked for is the umask's doing.
int CreateTemporary(const std::filesystem::path& folder, mode_t mode, std::string& name) {
  for (int i = 0;; ++i) {
    name = folder / Format(".lanewise-{}-{}.tmp", getpid(), i);
    const int fd = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd >= 0 || errno != EEXIST) return fd;
  }
}

// What WriteFile replaces or makes.
struct Target {
  std::string path;  // behind symbolic links
  std::filesystem::path folder;
  std::optional<mode_t> mode;  // of the file that is replaced
};

// Whether the symbolic link is one of those by which Linux names the open files of a process.
bool NamesOpenFile(const std::filesystem::path& link) {
  std::error_code error;
  const std::filesystem::path folder = canonical(link.parent_path(), error);
  return !error && folder.native().starts_with("/proc/");
}

// Behind the symbolic links of the last component; the file at the end need not exist. Stops at a link that names an
// open file.
std::filesystem::path FollowLinks(std::filesystem::path path) {
  constexpr int kMostLinks = 40;  // as Linux; stat has refused what is longer
  std::error_code error;
  for (int i = 0; i < kMostLinks && is_symlink(path, error) && !NamesOpenFile(path); ++i) {
    path = path.parent_path() / read_symlink(path, error);
  }
  return path;
}

Result<Target> FindTarget(const std::string& path) {
  Target target{.path = FollowLinks(path), .folder = {}, .mode = {}};
  struct stat existing;
  if (stat(path.c_str(), &existing) == 0) {
    // A rename would put a file in the place of a device, a pipe or a folder.
    if (!S_ISREG(existing.st_mode)) {
      return Status(StatusCode::kIoError, "cannot write " + Quote(path) + ": not a regular file");
    }
    if (std::error_code error; is_symlink(std::filesystem::path(target.path), error)) {
      return Status(StatusCode::kIoError,
                    "cannot write " + Quote(path) + ": it names an open file, not a file in a folder");
    }
    target.mode = existing.st_mode & 0777;
  } else if (errno != ENOENT) {
    return IoError("write", path, errno);
  }
  const std::filesystem::path parent = std::filesystem::path(target.path).parent_path();
  target.folder = parent.empty() ? "." : parent;
  return target;
}

// Whether everything reached the disk under its final name; otherwise errno says why, and `name` may still exist.
bool WriteAndRename(Descriptor& fd, const std::string& name, const Target& target,
                    std::span<const std::string_view> parts) {
  if (target.mode && fchmod(fd.get(), *target.mode) != 0) return false;
  for (const std::string_view part : parts) {
    if (!WriteAll(fd.get(), part)) return false;
  }
  return fsync(fd.get()) == 0 && fd.Close() && rename(name.c_str(), target.path.c_str()) == 0;
}

}  // namespace

std::string Quote(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::string quoted = "'";
  for (const char c : text.substr(0, kLongest)) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || byte == '\'') {
      quoted += Format("\\x{:02x}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + (text.size() > kLongest ? "...'" : "'");
}

Status BadFile(std::string_view name, std::uint64_t offset, std::string_view rule) {
  return {StatusCode::kBadFile, Format("{}: byte {}: {}", name, offset, rule)};
}

Result<std::unique_ptr<ByteReader>> OpenFile(const std::string& path) {
  if (path == "-") return std::unique_ptr<ByteReader>(new FileReader("standard input", STDIN_FILENO));
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return IoError("open", path, errno);
  return std::unique_ptr<ByteReader>(new FileReader(path, fd));
}

Status WriteFile(const std::string& path, std::span<const std::string_view> parts) {
  const Result<Target> target = FindTarget(path);
  if (!target.ok()) return target.status();
  std::string temporary;
  Descriptor fd(CreateTemporary(target->folder, target->mode.value_or(0666), temporary));
  if (fd.get() < 0) return IoError("write", path, errno);
  if (!WriteAndRename(fd, temporary, *target, parts)) {
    const int error = errno;
    unlink(temporary.c_str());
    return IoError("write", path, error);
  }

  // The new name itself must survive a power cut. Some file systems cannot sync a folder and answer EINVAL.
  const Descriptor folder_fd(open(target->folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder_fd.get() < 0 || (fsync(folder_fd.get()) != 0 && errno != EINVAL))
    return IoError("sync the folder of", path, errno);
  return {};
}

Status CheckWritable(const std::string& path) {
  const Result<Target> target = FindTarget(path);
  if (!target.ok()) return target.status();
  std::string temporary;
  const Descriptor fd(CreateTemporary(target->folder, target->mode.value_or(0666), temporary));
  if (fd.get() < 0) return IoError("write", path, errno);
  unlink(temporary.c_str());
  return {};
}

}  // namespace lanewise
