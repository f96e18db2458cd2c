#include "checkpoint/file_system.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::checkpoint {
namespace {

[[noreturn]] void fail(const char* doing, const std::string& path, int error) {
  throw CheckpointError(cat(std::strerror(error), ' ', doing, ' ', path));
}

class RealFile final : public OutputFile {
 public:
  explicit RealFile(const std::string& path)
      : path_(path), fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
    if (fd_ < 0) fail("creating", path_, errno);
  }
  RealFile(const std::string& path, std::uint64_t keep_bytes)
      : path_(path), fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
    if (fd_ < 0) fail("opening", path_, errno);
    try {
      cut_to(keep_bytes);
    } catch (...) {
      ::close(fd_);
      throw;
    }
  }
  ~RealFile() override {
    if (fd_ >= 0) ::close(fd_);
  }
  void write(const void* data, std::size_t bytes) override {
    const auto* at = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t n = ::write(fd_, at, bytes);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("writing", path_, errno);
      at += n;
      bytes -= static_cast<std::size_t>(n);
    }
  }
  void sync() override {
    if (::fsync(fd_) != 0) fail("syncing", path_, errno);
  }
  void close() override {
    if (::close(std::exchange(fd_, -1)) != 0) fail("closing", path_, errno);
  }

 private:
  void cut_to(std::uint64_t bytes) {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) fail("looking at", path_, errno);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size < bytes)
      throw CheckpointError(
          cat(path_, ": has ", size, " bytes but ", bytes, " were written; something else cut it"));
    if (size > bytes && ::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) fail("cutting", path_, errno);
  }

  std::string path_;
  int fd_;
};

class RealFileSystem final : public FileSystem {
 public:
  RealFileSystem() { std::signal(SIGXFSZ, SIG_IGN); }
  std::unique_ptr<OutputFile> create(const std::string& path) override {
    return std::make_unique<RealFile>(path);
  }
  std::unique_ptr<OutputFile> append(const std::string& path, std::uint64_t keep_bytes) override {
    return std::make_unique<RealFile>(path, keep_bytes);
  }
  void make_folder(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) fail("creating folder", path, error.value());
  }
  void rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) fail("renaming to", to, errno);
  }
  void sync_folder(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) fail("opening folder", path, errno);
    const int result = ::fsync(fd), error = errno;
    ::close(fd);
    // Some network file systems refuse to sync a folder; they order names themselves.
    if (result != 0 && error != EINVAL && error != ENOTSUP) fail("syncing folder", path, error);
  }
  void remove_file(const std::string& path) override {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) fail("removing", path, errno);
  }
  void remove_folder(const std::string& path) override {
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT) fail("removing folder", path, errno);
  }
};

}  // namespace

FileSystem& real_file_system() {
  static RealFileSystem real;
  return real;
}

}  // namespace entrain::checkpoint
