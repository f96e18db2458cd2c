#include "sharding/temporary_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/process.hpp"

namespace entrain::sharding {
namespace fs = std::filesystem;
namespace {

// Names for the signal handler, which may neither lock nor allocate. Strings are leaked: it may be reading them.
std::array<std::atomic<const char*>, 16> names_to_remove{};

std::atomic<const char*>* remember(const std::string& path) {
  const char* name = ::strdup(path.c_str());
  for (auto& slot : names_to_remove) {
    const char* empty = nullptr;
    if (slot.compare_exchange_strong(empty, name)) return &slot;
  }
  return nullptr;
}

extern "C" void remove_and_die(int signal) {
  for (auto& slot : names_to_remove)
    if (const char* name = slot.load()) ::unlink(name);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

fs::path folder_of(const std::string& path) { return fs::absolute(path).parent_path(); }

// OUT.tmp-HOST-PID of a process of this host that is gone. Of other hosts we cannot know.
void sweep(const std::string& target) {
  const std::string head = cat(fs::path(target).filename().string(), ".tmp-", host_name(), "-");
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder_of(target), none)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(head) || name.size() == head.size()) continue;
    const std::string digits = name.substr(head.size());
    if (digits.size() > 9 ||
        !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
      continue;
    if (::kill(std::stoi(digits), 0) != 0 && errno == ESRCH) fs::remove(entry.path(), none);
  }
}

void fsync_path(const std::string& path, int flags, const std::string& target) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  const bool done = fd >= 0 && ::fsync(fd) == 0;
  const int why = errno;
  if (fd >= 0) ::close(fd);
  if (!done) throw CheckpointError(cat("cannot write ", target, ": syncing it: ", std::strerror(why)));
}
}  // namespace

TemporaryFile::TemporaryFile(std::string target, bool overwrite)
    : target_(std::move(target)), path_(cat(target_, ".tmp-", host_name(), "-", ::getpid())) {
  std::error_code none;
  const auto there = fs::symlink_status(target_, none).type();
  const bool is_new = there == fs::file_type::not_found || there == fs::file_type::none;
  if (!is_new && there != fs::file_type::regular)
    throw CheckpointError(cat("cannot write ", target_, ": it is ",
                              there == fs::file_type::directory ? "a folder"
                              : there == fs::file_type::symlink ? "a symbolic link"
                                                                : "no regular file",
                              "; name a file, one that is there or a new one"));
  if (!is_new && !overwrite)
    throw CheckpointError(
        cat(target_, ": is there already; choose another --out, or replace it with --overwrite"));
  const std::string folder = folder_of(target_).string();
  if (!fs::is_directory(folder, none))
    throw CheckpointError(cat("cannot write ", target_, ": there is no folder ", folder));
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    throw CheckpointError(cat("cannot write ", target_, ": folder ", folder, ": ", std::strerror(errno)));
  sweep(target_);
  slot_ = remember(path_);
}

TemporaryFile::~TemporaryFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
  if (slot_) slot_->store(nullptr);
}

void TemporaryFile::commit() {
  fsync_path(path_, O_RDONLY, target_);
  if (::rename(path_.c_str(), target_.c_str()) != 0)
    throw CheckpointError(cat("cannot write ", target_, ": renaming ", path_, ": ", std::strerror(errno)));
  path_.clear();
  if (slot_) slot_->store(nullptr);
  slot_ = nullptr;
  fsync_path(folder_of(target_).string(), O_RDONLY | O_DIRECTORY, target_);
}

void remove_temporaries_on_signals() {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    struct sigaction now {};
    if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) continue;
    ::signal(signal, remove_and_die);
  }
}

}  // namespace entrain::sharding
