#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace entrain::sharding {

/// A file that any number of threads read at places of their own.
class DataFile {
 public:
  /// DataError with the path and the system's reason.
  explicit DataFile(const std::string& path);
  DataFile(DataFile&& other) noexcept;
  DataFile& operator=(DataFile&& other) noexcept;
  ~DataFile();

  const std::string& path() const { return path_; }
  /// Fills `out` from byte `at` on; DataError where the file ends before or the system fails.
  void read(std::uint64_t at, std::span<std::byte> out) const;

 private:
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace entrain::sharding
