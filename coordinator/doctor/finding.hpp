#pragma once
#include <string>
#include <vector>

namespace entrain::doctor {

/// What one look at the machine found.
struct Finding {
  enum class Grade { kFine, kMind, kBad } grade = Grade::kFine;
  std::string topic{};  ///< launcher, slurm, disk, ...
  std::string what{};   ///< what was seen, with numbers
  std::string fix{};    ///< what to do; empty where nothing needs doing
};

using Findings = std::vector<Finding>;

/// mpirun, and whether two ranks of this program come up under it and reduce known numbers.
Findings look_at_launcher(const std::string& worker);
/// Slurm's programs, PMIx, whether jobs may be requeued, and how long a job has after SIGTERM. Nothing without Slurm.
Findings look_at_slurm();
/// Whether runs can live in this folder: space, speed with fsync, locks, rename, its clock. Writes and removes a file
/// of 64 MB.
Findings look_at_disk(const std::string& folder);
/// Cores, memory, open files, shared memory, clock.
Findings look_at_machine();
/// The driver, and each GPU of this machine: memory, temperature, clocks, errors. Of a build without CUDA, as
/// entrain-worker tells, only whether there is a driver (a file with its version, or NVML) that it has no use for.
Findings look_at_gpu(const std::string& worker,
                     const std::string& driver_version = "/proc/driver/nvidia/version",
                     const std::string& library = "libnvidia-ml.so.1");
/// Versions that entrain-worker was built with and sees now, and what is known of them.
Findings look_at_libraries(const std::string& worker);

}  // namespace entrain::doctor
