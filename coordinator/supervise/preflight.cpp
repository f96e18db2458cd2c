#include "coordinator/supervise/preflight.hpp"

#include <algorithm>
#include <cstdlib>

#include "checkpoint/json_member.hpp"
#include "configs/cat.hpp"
#include "configs/log.hpp"
#include "configs/section.hpp"
#include "coordinator/supervise/bad_nodes.hpp"
#include "coordinator/supervise/job_fleet.hpp"
#include "coordinator/supervise/launch_words.hpp"
#include "coordinator/supervise/node_verdict.hpp"
#include "slurm/commands.hpp"

namespace entrain::supervise {
namespace {

constexpr double kSeconds = 60;
constexpr std::size_t kComplaint = 300;  // launchers are long-winded

// One rank per slot of every node that is there, spares too: whoever is started later has been looked at.
Placement everywhere(Fleet fleet, const std::set<std::string>& lost) {
  fleet.nodes_wanted = static_cast<int>(fleet.nodes.size());
  fleet.max_ranks = fleet.nodes_wanted * fleet.ranks_per_node;
  fleet.min_ranks = 1;
  return place(fleet, lost);
}

std::string complaint(const slurm::CommandResult& ran, const Placement& placement, int world) {
  return cat(placement.ranks, placement.ranks == 1 ? " rank on " : " ranks on ", join(placement.nodes),
             placement.ranks == 1 ? " does not come up: " : " do not come up together: ",
             world != 0 && world != placement.ranks
                 ? cat("their world has ", world,
                       " ranks; is srun's PMI the one that MPI was built with? "
                       "slurm.launcher=mpirun does without it")
                 : ran.complaint.substr(0, kComplaint));
}

std::string sum_text(const nlohmann::json& answer, const Placement& placement) {
  return cat(placement.ranks, placement.ranks == 1 ? " rank on " : " ranks on ", placement.nodes.size(),
             placement.nodes.size() == 1 ? " node" : " nodes", ": sum of ",
             static_cast<int>(answer.value("megabytes", 0.0)), " MB right in ",
             static_cast<int>(1e3 * answer.value("seconds", 0.0)) + 1, " ms");
}

// Notes the bad nodes and takes them out, those that have a name in this job.
void leave_out(const std::vector<BadNode>& bad, const Fleet& fleet, const std::string& run_dir,
               Preflight& out) {
  const char* job = std::getenv("SLURM_JOB_ID");
  std::vector<NotedNode> noted;
  for (const auto& node : bad) {
    const bool ours = std::find(fleet.nodes.begin(), fleet.nodes.end(), node.host) != fleet.nodes.end();
    out.warnings.push_back(cat("node ", node.host, " is bad: ", node.why,
                               ours ? "" : "; no node of this job has that name, so it cannot be left out"));
    if (!ours) continue;
    out.lost.insert(node.host);
    noted.push_back({node.host, node.why, job == nullptr ? "" : job, utc_now()});
  }
  if (noted.empty()) return;
  try {
    note_nodes(run_dir, noted);
  } catch (const CheckpointError& e) {
    out.warnings.push_back(cat(e.what(), "; a later job of this run may get the same nodes again"));
  }
}

struct Look {
  std::string complaint{};  // why it came to nothing; empty: it did not
  nlohmann::json answer{};
  std::vector<NodeProbe> nodes{};
};

Look look_at(const Placement& placement, const Launch& launch) {
  const auto ran = slurm::run_command(with_environment(launch), kSeconds);
  Look look;
  look.answer = checkpoint::last_object(ran.out);
  const int world = look.answer.is_object() ? look.answer.value("world", 0) : 0;
  // A rank whose disk hangs may not end, though it has said so.
  const bool answered = ran.ok() || ran.end == slurm::CommandResult::End::kTimedOut;
  if (!answered || world != placement.ranks) {
    look.complaint = complaint(ran, placement, world);
    return look;
  }
  for (const auto& node : look.answer.value("nodes", nlohmann::json::array()))
    look.nodes.push_back(node_probe_of(node));
  return look;
}

}  // namespace

Preflight preflight(const Fleet& fleet, const std::string& launcher, const SlurmSection& slurm,
                    const std::string& worker, const std::string& run_dir, const std::string& device) {
  Preflight out;
  if (fleet.nodes.front().empty()) return out;
  out.lost = lost_nodes(fleet);
  if (!out.lost.empty())
    out.warnings.push_back(
        cat("left out, since no step starts there: ", join({out.lost.begin(), out.lost.end()})));
  const Placement placement = everywhere(fleet, out.lost);
  const auto look = [&] {
    return look_at(placement,
                   launch_words(placement, launcher, slurm, {worker, "preflight", run_dir, device}, "0", 0));
  };
  Look looked = look();
  if (!looked.complaint.empty()) return {ExitCode::kPreflight, looked.complaint, out.warnings, out.lost};
  NodeVerdict verdict = judge(looked.nodes);
  // A node is only blamed for slow links if they are slow twice.
  if (std::any_of(verdict.bad.begin(), verdict.bad.end(), [](const BadNode& b) { return b.slow; }))
    if (Look again = look(); again.complaint.empty()) {
      verdict = confirmed(verdict, judge(again.nodes));
      looked = std::move(again);
    }
  const auto& nodes = looked.nodes;
  if (verdict.no_folder)
    return {ExitCode::kCheckpoint,
            cat("no node of this job can use the run's folder ", run_dir, ": ", nodes.front().write_error,
                "; is its file system full, over quota, or not mounted on the compute nodes?"),
            out.warnings, out.lost};
  leave_out(verdict.bad, fleet, run_dir, out);
  out.warnings.insert(out.warnings.end(), verdict.warnings.begin(), verdict.warnings.end());
  out.text = cat(sum_text(looked.answer, placement), ", ", summary(nodes, verdict));
  if (place(fleet, out.lost).ranks == 0) {
    out.code = ExitCode::kPreflight;
    out.text = cat(
        "fewer than ", fleet.min_ranks, " ranks (fault.min_ranks) fit on the good nodes; left out: ",
        join({out.lost.begin(), out.lost.end()}), "; entrain submit leaves bad nodes out of the next job");
  }
  return out;
}

}  // namespace entrain::supervise
