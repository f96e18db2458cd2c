#include "checkpoint/atomic_file.hpp"

#include <filesystem>

#include "configs/error.hpp"

namespace entrain::checkpoint {

void write_file_atomically(const std::string& path, std::string_view text, FileSystem& files) {
  const std::string half = path + ".tmp";
  try {
    const auto file = files.create(half);
    file->write(text.data(), text.size());
    file->sync();
    file->close();
    files.rename(half, path);
    const auto folder = std::filesystem::path(path).parent_path();
    files.sync_folder(folder.empty() ? "." : folder.string());
  } catch (const CheckpointError&) {
    try {
      files.remove_file(half);
    } catch (const CheckpointError&) {  // the first error is the one to tell
    }
    throw;
  }
}

}  // namespace entrain::checkpoint
