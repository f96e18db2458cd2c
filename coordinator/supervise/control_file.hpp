#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace entrain::supervise {

/// RUN/control.json: where the supervisor listens, and what it has running; what a supervisor that is started again, the
/// ranks and `entrain status` look for.
struct ControlFile {
  std::string address{}, http{};  ///< http: "127.0.0.1:8080", empty: none
  std::uint16_t port = 0;
  std::string run_id{};  ///< 16 hex digits, for the life of the run
  std::string host{}, stage{}, started{};
  std::int64_t pid = 0, generation = 0;
  std::int64_t launcher_pid = 0, launcher_ticks = -1;
  int world = 0, ranks_per_node = 0;
  std::vector<std::string> nodes{};

  /// Nothing: there is none, or it is not whole.
  static std::optional<ControlFile> read(const std::string& run_dir);
  /// CheckpointError.
  void write(const std::string& run_dir) const;
};

}  // namespace entrain::supervise
