#pragma once
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace entrain::sharding {

/// What tells one content of a file from another without reading it.
struct FileState {
  std::uint64_t bytes = 0;
  std::int64_t changed_ns = 0;  ///< time of the last write, ns since 1970
  bool operator==(const FileState&) const = default;
};
/// DataError where there is no regular file.
FileState file_state(const std::string& path);

/// A regular file mapped for reading.
class MappedFile {
 public:
  /// DataError with the path and the system's reason.
  explicit MappedFile(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }
  const FileState& state() const { return state_; }  ///< when it was opened

 private:
  std::span<const std::byte> bytes_;
  FileState state_;
};

}  // namespace entrain::sharding
