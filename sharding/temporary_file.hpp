#pragma once
#include <atomic>
#include <string>

namespace entrain::sharding {

/// A file that is written under a temporary name beside its target (TARGET.tmp-HOST-PID) and takes the target's name
/// when it is whole. Without commit() it is removed. Those that killed processes of this host left behind for the same
/// target are swept first. All failures are CheckpointErrors that name the target.
class TemporaryFile {
 public:
  /// Refuses a target whose folder is missing or not writable, that is no regular file, or that is there already,
  /// unless `overwrite`.
  TemporaryFile(std::string target, bool overwrite);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }
  const std::string& target() const { return target_; }
  /// Syncs it, renames it and syncs the folder. The file must be closed.
  void commit();

 private:
  std::string target_, path_;
  std::atomic<const char*>* slot_ = nullptr;
};

/// From now on SIGTERM, SIGINT and SIGHUP remove all temporary files of this process before they end it (128 + n in a
/// shell). For commands that run alone in a process; a signal that is ignored stays so.
void remove_temporaries_on_signals();

}  // namespace entrain::sharding
