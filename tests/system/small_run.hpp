#pragma once
#include <sys/types.h>

#include <string>

#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {

/// A small phantom corpus and the command line of a pretraining run on it: 20 steps of 4 lanes x 4 images.
class SmallRun {
 public:
  SmallRun();
  std::string corpus() const { return folder_ / "demo.h5"; }
  std::string folder() const { return folder_.path(); }
  std::string dir(const std::string& name) const { return folder_ / name; }
  /// exec mpirun -n RANKS entrain pretrain ... run.dir=DIR OVERRIDES
  std::string pretrain(int ranks, const std::string& name, const std::string& overrides = "") const;
  /// exec entrain run -n RANKS ... run.dir=DIR OVERRIDES
  std::string supervised(int ranks, const std::string& name, const std::string& overrides = "") const;
  /// The process of a rank of a run that is going on; 0: none.
  pid_t worker_pid(const std::string& name, int rank) const;
  /// Waits, at most a minute, until the run has committed this step; returns the newest one.
  long wait_for_step(const std::string& name, long step) const;
  /// What `entrain verify --digest` prints: "<sha256>  step-00000020\n".
  std::string digest(const std::string& name) const;

 private:
  std::string with_settings(const std::string& command, const std::string& name,
                            const std::string& overrides) const;

  TemporaryFolder folder_;
};

/// The newest committed step of a run, -1: none.
long newest_step(const std::string& run_dir);

}  // namespace entrain::tests
