#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace entrain::checkpoint {

/// An append-only file of one JSON object per line (metrics.jsonl). A line is one write(2), so that several
/// processes may follow it; it is not synced: what counts is in the checkpoints.
class JsonLines {
 public:
  /// Opens or creates it. `resumed_step`: the step of the checkpoint the run goes on from; -1: none, keeps
  /// nothing. A torn last line goes, and so does every line whose "step" is beyond it, because those steps
  /// happen again.
  JsonLines(const std::string& path, std::int64_t resumed_step);
  ~JsonLines();
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;

  /// NaN and infinity become null. CheckpointError if it cannot be written; the file then ends with the line before.
  void append(const nlohmann::json& object);
  std::int64_t dropped() const { return dropped_; }  ///< lines that opening removed

 private:
  std::string path_;
  std::int64_t dropped_ = 0;
  int fd_ = -1;
};

}  // namespace entrain::checkpoint
