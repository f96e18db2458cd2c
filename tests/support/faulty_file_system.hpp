#pragma once
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "checkpoint/file_system.hpp"
#include "configs/error.hpp"

namespace entrain::tests {

/// Thrown where the machine would have stopped; not a std::exception, so that no error handling sees it.
struct PowerLoss {};

enum class Fault {
  kDelay,  ///< the operation takes 200 ms longer
  kFail,   ///< the operation throws CheckpointError and does nothing (a write: half); the next ones work
  kDie,    ///< the process ends there, in the middle of a write
  kPower,  ///< the machine stops: files not synced are empty (or without what was appended since), new names whose
           ///< folder was not synced are gone
};

/// The real file system, until operation number `at` (from 0; -1: never).
class FaultyFileSystem final : public checkpoint::FileSystem {
 public:
  FaultyFileSystem(std::int64_t at, Fault fault) : at_(at), fault_(fault) {}
  const std::vector<std::string>& operations() const { return operations_; }
  bool was_hit() const { return at_ >= 0 && static_cast<std::int64_t>(operations_.size()) > at_; }

  std::unique_ptr<checkpoint::OutputFile> create(const std::string& path) override {
    step("create " + path);
    synced_bytes_.erase(path);
    unsynced_.push_back(path);
    unlisted_.push_back(path);
    return std::make_unique<File>(*this, path, real_.create(path));
  }
  std::unique_ptr<checkpoint::OutputFile> append(const std::string& path, std::uint64_t keep_bytes) override {
    step("append " + path);
    if (!std::filesystem::exists(path)) unlisted_.push_back(path);
    auto real = real_.append(path, keep_bytes);
    synced_bytes_[path] = keep_bytes;
    return std::make_unique<File>(*this, path, std::move(real));
  }
  void make_folder(const std::string& path) override {
    step("make_folder " + path);
    real_.make_folder(path);
  }
  void rename(const std::string& from, const std::string& to) override {
    step("rename " + from + " -> " + to);
    real_.rename(from, to);
    const auto follow = [&](std::string& path) {
      if (path == from || path.rfind(from + '/', 0) == 0) path = to + path.substr(from.size());
    };
    for (auto& path : unsynced_) follow(path);
    for (auto& path : unlisted_) follow(path);
    for (auto& [earlier_from, earlier_to] : renames_) follow(earlier_from), follow(earlier_to);
    renames_.emplace_back(from, to);
  }
  void sync_folder(const std::string& path) override {
    step("sync_folder " + path);
    real_.sync_folder(path);
    const auto in_it = [&](const std::string& name) {
      return std::filesystem::path(name).parent_path() == path;
    };
    std::erase_if(renames_, [&](const auto& r) { return in_it(r.second); });
    std::erase_if(unlisted_, in_it);
  }
  void remove_file(const std::string& path) override {
    step("remove_file " + path);
    real_.remove_file(path);
  }
  void remove_folder(const std::string& path) override {
    step("remove_folder " + path);
    real_.remove_folder(path);
  }

 private:
  class File final : public checkpoint::OutputFile {
   public:
    File(FaultyFileSystem& owner, std::string path, std::unique_ptr<checkpoint::OutputFile> real)
        : owner_(owner), path_(std::move(path)), real_(std::move(real)) {}
    void write(const void* data, std::size_t bytes) override {
      if (owner_.is_now() && owner_.fault_ != Fault::kDelay) real_->write(data, bytes / 2);
      owner_.step("write " + path_);
      real_->write(data, bytes);
    }
    void sync() override {
      owner_.step("sync " + path_);
      real_->sync();
      std::erase(owner_.unsynced_, path_);
      const auto appended = owner_.synced_bytes_.find(path_);
      if (appended != owner_.synced_bytes_.end()) appended->second = std::filesystem::file_size(path_);
    }
    void close() override {
      owner_.step("close " + path_);
      real_->close();
    }

   private:
    FaultyFileSystem& owner_;
    std::string path_;
    std::unique_ptr<checkpoint::OutputFile> real_;
  };

  bool is_now() const { return static_cast<std::int64_t>(operations_.size()) == at_; }

  void step(const std::string& operation) {
    const bool now = is_now();
    operations_.push_back(operation);
    if (!now) return;
    if (fault_ == Fault::kFail) throw CheckpointError("Input/output error doing " + operation);
    if (fault_ == Fault::kDie) ::_exit(9);
    if (fault_ == Fault::kDelay) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      return;
    }
    lose_power();
  }

  [[noreturn]] void lose_power() {
    std::error_code ignored;
    for (const auto& path : unsynced_) std::filesystem::resize_file(path, 0, ignored);
    for (const auto& [path, bytes] : synced_bytes_) std::filesystem::resize_file(path, bytes, ignored);
    for (const auto& path : unlisted_) std::filesystem::remove(path, ignored);
    for (auto r = renames_.rbegin(); r != renames_.rend(); ++r)
      std::filesystem::rename(r->second, r->first, ignored);
    throw PowerLoss{};
  }

  checkpoint::FileSystem& real_ = checkpoint::real_file_system();
  std::int64_t at_;
  Fault fault_;
  std::vector<std::string> operations_, unsynced_, unlisted_;
  std::map<std::string, std::uint64_t> synced_bytes_;  ///< of files opened to append
  std::vector<std::pair<std::string, std::string>> renames_;
};

}  // namespace entrain::tests
