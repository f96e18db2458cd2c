#pragma once
#include <cstddef>
#include <memory>
#include <string>

#include "configs/error.hpp"
#include "worker/collectives/collectives.hpp"

namespace entrain::worker {

class PeerWatch;

/// CommError with MPI's own words where `code` is not MPI_SUCCESS: "what: words".
void check_mpi(int code, const char* what);

/// Initialises MPI (FUNNELED) for the life of the object; one per process, in main(). Checks that a launcher
/// that says it started N tasks (OMPI_COMM_WORLD_SIZE, SLURM_NTASKS under srun, PMI_SIZE) made a world of N:
/// otherwise LaunchError with the fix; also where the process may open too few files.
class MpiSession {
 public:
  MpiSession();
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;
};

/// The ranks of MPI_COMM_WORLD. Host buffers only, main thread only. While it lives, a watcher thread notices
/// within a second when the process of a rank on this host ends before this object is gone, names
/// that rank in the log and ends this process with 76: MPI itself would wait for ever, or be killed without a
/// word.
class MpiCollectives final : public Collectives {
 public:
  MpiCollectives();
  ~MpiCollectives() override;

  int rank() const noexcept override { return rank_; }
  int size() const noexcept override { return size_; }
  int ranks_per_node() const noexcept override { return ranks_per_node_; }
  GatheredRows all_gather_rows(const at::Tensor& rows) override;
  at::Tensor all_to_all(const at::Tensor& send, const std::vector<std::int64_t>& send_counts,
                        const std::vector<std::int64_t>& receive_counts) override;
  void all_reduce_sum_(at::Tensor t) override;
  std::int64_t all_reduce_max(std::int64_t value) override;
  std::vector<std::string> all_gather_text(const std::string& mine) override;
  void barrier() override;
  void abort(std::string_view reason) noexcept override { abort(reason, ExitCode::kComm); }
  /// Logs the reason and ends all processes of the world with this exit code; ranks above 0 after three seconds, so
  /// that what all find out at once is told once.
  [[noreturn]] void abort(std::string_view reason, ExitCode code) noexcept;

  /// Ranks on this host and this rank's place among them.
  int local_size() const noexcept { return local_size_; }
  int local_rank() const noexcept { return local_rank_; }

  /// Memory that all ranks of this host see, for the life of this object; zeroed; the same on each of them. Collective;
  /// once.
  void* shared_memory(std::size_t bytes);

 private:
  class SharedWindow;
  int rank_ = 0, size_ = 1, local_rank_ = 0, local_size_ = 1, ranks_per_node_ = 1;
  std::unique_ptr<SharedWindow> window_;
  std::unique_ptr<PeerWatch> watch_;
};

}  // namespace entrain::worker
