#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/ingest/file_source.hpp"

namespace entrain::sharding {
namespace {
namespace fs = std::filesystem;

class FolderSource : public FileSource {
 public:
  explicit FolderSource(const std::string& path) : root_(path) {
    std::error_code error;
    if (!fs::is_directory(root_, error)) throw DataError(cat(path, ": no such folder"));
    for (const auto& entry :
         fs::recursive_directory_iterator(root_, fs::directory_options::follow_directory_symlink))
      if (entry.is_regular_file()) names_.push_back(entry.path().lexically_relative(root_).generic_string());
    std::sort(names_.begin(), names_.end());
  }
  const std::vector<std::string>& names() const override { return names_; }
  bool has(const std::string& name) const override {
    return std::binary_search(names_.begin(), names_.end(), name);
  }
  std::vector<std::byte> read(const std::string& name) const override {
    std::ifstream in(root_ / name, std::ios::binary);
    if (!in) throw DataError("cannot be read");
    std::vector<std::byte> bytes(fs::file_size(root_ / name));
    in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (in.gcount() != static_cast<std::streamsize>(bytes.size()))
      throw DataError("cannot be read to its end");
    return bytes;
  }

 private:
  fs::path root_;
  std::vector<std::string> names_;
};
}  // namespace

std::unique_ptr<FileSource> open_folder(const std::string& path) {
  return std::make_unique<FolderSource>(path);
}

}  // namespace entrain::sharding
