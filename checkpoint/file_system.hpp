#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace entrain::checkpoint {

/// A file being written, from its beginning or from its end.
class OutputFile {
 public:
  virtual ~OutputFile() = default;
  virtual void write(const void* data, std::size_t bytes) = 0;
  virtual void sync() = 0;   ///< the bytes are on the disk when this returns
  virtual void close() = 0;  ///< a destructor closes too, but silently
};

/// Every operation with which a checkpoint changes the disk, and no other, so that a test can make each of
/// them fail, tear or be the last (tests/support/faulty_file_system.hpp). All throw CheckpointError: "No
/// space left on device writing runs/a/checkpoints/.tmp-step-00001200/shard-0000.safetensors".
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual std::unique_ptr<OutputFile> create(const std::string& path) = 0;  ///< empties an existing file
  /// Cuts a file to its first `keep_bytes` bytes (it must have them; one that is not there has none) and writes on
  /// from there. sync() makes the cut last too.
  virtual std::unique_ptr<OutputFile> append(const std::string& path, std::uint64_t keep_bytes) = 0;
  virtual void make_folder(const std::string& path) = 0;  ///< with its parents; may exist
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void sync_folder(const std::string& path) = 0;    ///< the names in it are on the disk
  virtual void remove_file(const std::string& path) = 0;    ///< may be gone already
  virtual void remove_folder(const std::string& path) = 0;  ///< an empty one; may be gone already
};

/// The real one. Its first use makes the process ignore SIGXFSZ (as Python does): a file-size limit then is
/// an error that can be reported, like a full disk, and not a signal that kills.
FileSystem& real_file_system();

}  // namespace entrain::checkpoint
