#include "sharding/chunks/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::sharding {
namespace {
FileState state_of(const struct stat& status, const std::string& path) {
  if (!S_ISREG(status.st_mode)) throw DataError(cat(path, ": is no regular file"));
  return {static_cast<std::uint64_t>(status.st_size),
          std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}
}  // namespace

FileState file_state(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw DataError(cat(path, ": ", std::strerror(errno)));
  return state_of(status, path);
}

MappedFile::MappedFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO would wait for its writer
  if (fd < 0) throw DataError(cat(path, ": ", std::strerror(errno)));
  struct Closer {
    int fd;
    ~Closer() { ::close(fd); }
  } const closer{fd};
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw DataError(cat(path, ": ", std::strerror(errno)));
  state_ = state_of(status, path);
  if (state_.bytes == 0) return;  // nothing can be mapped
  void* start = ::mmap(nullptr, state_.bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (start == MAP_FAILED) throw DataError(cat(path, ": cannot map it: ", std::strerror(errno)));
  bytes_ = {static_cast<const std::byte*>(start), state_.bytes};
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})), state_(other.state_) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(state_, other.state_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace entrain::sharding
