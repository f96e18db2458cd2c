#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace entrain::sharding {

/// Where image files come from. Never written to. read() may be called by any thread.
class FileSource {
 public:
  virtual ~FileSource() = default;
  /// The files inside, sorted, with '/' between folders and no leading "./".
  virtual const std::vector<std::string>& names() const = 0;
  virtual bool has(const std::string& name) const = 0;
  /// The bytes of one file; DataError with a reason that does not repeat the name.
  virtual std::vector<std::byte> read(const std::string& name) const = 0;
};

/// An uncompressed tar archive (ustar, pax and GNU long names), read in place. DataError for a compressed or cut one.
std::unique_ptr<FileSource> open_tar(const std::string& path);
/// All files under a folder.
std::unique_ptr<FileSource> open_folder(const std::string& path);

}  // namespace entrain::sharding
