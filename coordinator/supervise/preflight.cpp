#include "coordinator/supervise/preflight.hpp"

#include "checkpoint/json_member.hpp"
#include "configs/cat.hpp"
#include "configs/section.hpp"
#include "coordinator/supervise/job_fleet.hpp"
#include "coordinator/supervise/launch_words.hpp"
#include "slurm/commands.hpp"

namespace entrain::supervise {
namespace {
constexpr double kSeconds = 60;
constexpr std::size_t kComplaint = 300;  // launchers are long-winded

}  // namespace

Preflight preflight(const Fleet& fleet, const std::string& launcher, const SlurmSection& slurm,
                    const std::string& worker) {
  if (fleet.nodes.front().empty()) return {true, "", {}};
  const auto lost = lost_nodes(fleet);
  const std::string without =
      lost.empty() ? "" : cat("; left out, since no step starts there: ", join({lost.begin(), lost.end()}));
  const Placement placement = place(fleet, lost);
  if (placement.ranks == 0)
    return {false, cat("fewer than ", fleet.min_ranks, " ranks fit on the nodes of this job", without), lost};
  const auto ran = slurm::run_command(
      with_environment(launch_words(placement, launcher, slurm, {worker, "preflight"}, "0", 0)), kSeconds);
  const nlohmann::json answer = checkpoint::last_object(ran.out);
  const int world = answer.is_object() ? answer.value("world", 0) : 0;
  if (!ran.ok() || world != placement.ranks)
    return {false,
            cat(placement.ranks, " ranks on ", join(placement.nodes), " do not come up together: ",
                ran.ok() ? cat("their world has ", world,
                               " ranks; is srun's PMI the one that MPI was built with? "
                               "slurm.launcher=mpirun does without it")
                         : ran.complaint.substr(0, kComplaint),
                without),
            lost};
  return {
      true,
      cat(world, " ranks on ", placement.nodes.size(), " nodes reduce ", answer.value("megabytes", 0.0),
          " MB of known numbers in ", static_cast<int>(1e3 * answer.value("seconds", 0.0)), " ms", without),
      lost};
}

}  // namespace entrain::supervise
