#include "sharding/chunks/data_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::sharding {

DataFile::DataFile(const std::string& path)
    : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) throw DataError(cat(path, ": ", std::strerror(errno)));
}
DataFile::DataFile(DataFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
DataFile& DataFile::operator=(DataFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}
DataFile::~DataFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void DataFile::read(std::uint64_t at, std::span<std::byte> out) const {
  for (std::size_t done = 0; done < out.size();) {
    const ssize_t n =
        ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      throw DataError(cat(path_, ": ", out.size(), " bytes at byte ", at,
                          " cannot be read: ", n < 0 ? std::strerror(errno) : "the file ends within them"));
    done += static_cast<std::size_t>(n);
  }
}

}  // namespace entrain::sharding
