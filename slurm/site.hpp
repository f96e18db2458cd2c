#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "slurm/commands.hpp"

namespace entrain::slurm {

/// A partition, as far as Slurm tells. Nothing: no limit, or not told.
struct Partition {
  std::string name{};
  bool is_default = false;
  std::string state = "UP";  ///< UP, DOWN, DRAIN, INACTIVE
  std::optional<double> max_seconds{};
  std::optional<std::int64_t> max_nodes{}, total_nodes{};
  std::string preempt_mode{};  ///< OFF, REQUEUE, CANCEL, ...; empty: the cluster's
};

/// What the cluster says of itself.
struct Site {
  std::string version{};
  std::optional<bool> job_requeue{};        ///< JobRequeue
  std::string preempt_mode{};               ///< PreemptMode
  std::optional<double> kill_wait{};        ///< KillWait, seconds from SIGTERM to SIGKILL
  std::optional<std::int64_t> max_array{};  ///< MaxArraySize
  std::vector<Partition> partitions{};
  bool has_scontrol = true;
  std::string silent{};  ///< why Slurm does not answer; empty: it does
  std::string mpi{};     ///< what `srun --mpi=list` prints
};

/// Of `scontrol show config` and `scontrol --oneliner show partition`; where there is no scontrol, of `sinfo --noheader
/// --format=%P|%a|%l|%D`.
Site parse_site(const std::string& config, const std::string& partitions);
std::vector<Partition> parse_sinfo(const std::string& text);

/// Why one of Slurm's programs has failed, in a few words instead of its own lines; empty: it has not.
std::string why_silent(const CommandResult& answer);

/// Asks the cluster. Takes as long as Slurm does, at most some 30 s: after one question without an answer no other is put.
Site ask_site();

}  // namespace entrain::slurm
