#include "coordinator/supervise/preflight.hpp"

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "configs/cat.hpp"
#include "configs/log.hpp"
#include "configs/section.hpp"
#include "coordinator/supervise/bad_nodes.hpp"
#include "coordinator/supervise/first_look.hpp"
#include "coordinator/supervise/job_ending.hpp"
#include "coordinator/supervise/job_fleet.hpp"
#include "coordinator/supervise/launch_words.hpp"
#include "coordinator/supervise/node_verdict.hpp"

namespace entrain::supervise {
namespace {

// One rank per slot of every node that is there, spares too: whoever is started later has been looked at.
Placement everywhere(Fleet fleet, const std::set<std::string>& lost) {
  fleet.nodes_wanted = static_cast<int>(fleet.nodes.size());
  fleet.max_ranks = fleet.nodes_wanted * fleet.ranks_per_node;
  fleet.min_ranks = 1;
  return place(fleet, lost);
}

std::string sum_text(const nlohmann::json& answer, const Placement& placement) {
  return cat(placement.ranks, placement.ranks == 1 ? " rank on " : " ranks on ", placement.nodes.size(),
             placement.nodes.size() == 1 ? " node" : " nodes", ": sum of ",
             static_cast<int>(answer.value("megabytes", 0.0)), " MB right in ",
             static_cast<int>(1e3 * answer.value("seconds", 0.0)) + 1, " ms");
}

// So that later jobs of this run do not get them again.
void note(const std::vector<BadNode>& found, const std::string& run_dir, Preflight& out) {
  if (found.empty()) return;
  const char* job = std::getenv("SLURM_JOB_ID");
  std::vector<NotedNode> noted;
  for (const auto& node : found) noted.push_back({node.host, node.why, job == nullptr ? "" : job, utc_now()});
  try {
    note_nodes(run_dir, noted);
  } catch (const CheckpointError& e) {
    out.warnings.push_back(cat(e.what(), "; a later job of this run may get the same nodes again"));
  }
}

// Notes the bad nodes and takes them out, those that have a name in this job.
void leave_out_bad(const std::vector<BadNode>& bad, const Fleet& fleet, const std::string& run_dir,
                   Preflight& out) {
  std::vector<BadNode> ours;
  for (const auto& node : bad) {
    const bool known = std::find(fleet.nodes.begin(), fleet.nodes.end(), node.host) != fleet.nodes.end();
    out.warnings.push_back(cat("node ", node.host, " is bad: ", node.why,
                               known ? "" : "; no node of this job has that name, so it cannot be left out"));
    if (known) out.lost.insert(node.host), ours.push_back(node);
  }
  note(ours, run_dir, out);
}

// Of the nodes that may still be had.
Fleet rest_of(Fleet fleet, const std::set<std::string>& lost) {
  std::erase_if(fleet.nodes, [&](const std::string& node) { return lost.count(node) > 0; });
  return fleet;
}

// One preflight: the looks that it takes until all who are left have answered.
class Looking {
 public:
  Looking(const Fleet& fleet, const std::string& run_dir, std::function<Launch(const Placement&)> launch,
          const std::stop_token& stop, Preflight& out)
      : fleet_(fleet), run_dir_(run_dir), launch_(std::move(launch)), stop_(stop), out_(out) {}

  /// False: the job cannot go on, and `out` says why.
  bool try_each_node() {
    const auto lost = lost_nodes(fleet_, stop_);
    if (stop_.stop_requested() || (!lost.empty() && job_is_ending())) return stopped();
    return lost.empty() || leave_out(lost, "no step starts there");
  }
  bool look(Look& look) {
    while (true) {
      placement_ = everywhere(fleet_, out_.lost);
      look = look_at(rest_of(fleet_, out_.lost), placement_, launch_(placement_), stop_);
      if (look.complaint.empty()) return true;
      if (look.stopped) return stopped();
      if (look.lost.empty()) return nobody_to_blame(look.complaint);
      if (!leave_out(look.lost, "it died in the first look, or starts no step any more")) return false;
    }
  }
  const Placement& placement() const { return placement_; }

 private:
  bool leave_out(const std::set<std::string>& lost, const std::string& why) {
    std::vector<BadNode> found;
    for (const auto& node : lost) found.push_back({node, why});
    out_.warnings.push_back(cat("left out, since ", why, ": ", join({lost.begin(), lost.end()})));
    out_.lost.insert(lost.begin(), lost.end());
    note(found, run_dir_, out_);
    if (place(fleet_, out_.lost).ranks > 0) return true;
    // Nodes that are dead are not given out again: the next start has others, or waits for them.
    out_.code = ExitCode::kComm;
    out_.text =
        cat("fewer than ", fleet_.min_ranks, " ranks (fault.min_ranks) fit on the nodes that are left");
    return false;
  }
  bool stopped() {
    out_.code = ExitCode::kRequeue;
    out_.text = "preempted or cancelled in the first look at the nodes";
    return false;
  }
  bool nobody_to_blame(const std::string& complaint) {
    out_.code = ExitCode::kPreflight;
    out_.text =
        placement_.nodes.size() == 1
            ? complaint
            : cat(complaint, "; each of these nodes starts a step alone, so look at what is between them (",
                  "network, firewall, MPI's choice of interface), or leave one out with slurm.exclude");
    return false;
  }

  const Fleet& fleet_;
  const std::string& run_dir_;
  std::function<Launch(const Placement&)> launch_;
  const std::stop_token& stop_;
  Preflight& out_;
  Placement placement_;
};

// Once the bad ones are out.
void require_enough(const Fleet& fleet, Preflight& out) {
  if (place(fleet, out.lost).ranks > 0) return;
  out.code = ExitCode::kPreflight;
  out.text =
      cat("fewer than ", fleet.min_ranks, " ranks (fault.min_ranks) fit on ",
          out.lost.empty() ? cat("the nodes of this job, ", join(fleet.nodes))
                           : cat("the good nodes; left out: ", join({out.lost.begin(), out.lost.end()}),
                                 "; entrain submit leaves bad nodes out of the next job"));
}

}  // namespace

Preflight preflight(const Fleet& fleet, const std::string& launcher, const SlurmSection& slurm,
                    const std::string& worker, const std::string& run_dir, const std::string& device,
                    const std::stop_token& stop) {
  Preflight out;
  if (fleet.nodes.front().empty()) return out;
  const auto launch = [&](const Placement& placement) {
    return launch_words(placement, launcher, slurm, {worker, "preflight", run_dir, device}, "0", 0);
  };
  Looking looking(fleet, run_dir, launch, stop, out);
  Look looked;
  if (!looking.try_each_node() || !looking.look(looked)) return out;
  NodeVerdict verdict = judge(looked.nodes);
  // A node is only blamed for slow links if they are slow twice.
  if (std::any_of(verdict.bad.begin(), verdict.bad.end(), [](const BadNode& b) { return b.slow; })) {
    if (Look again; looking.look(again)) {
      verdict = confirmed(verdict, judge(again.nodes));
      looked = std::move(again);
    } else if (out.code != ExitCode::kPreflight) {
      return out;
    } else {  // it came to nothing: what the first one saw stands
      out.code = ExitCode::kDone;
    }
  }
  const auto& nodes = looked.nodes;
  if (verdict.no_folder) {
    out.code = ExitCode::kCheckpoint;
    out.text = cat("no node of this job can use the run's folder ", run_dir, ": ", nodes.front().write_error,
                   "; is its file system full, over quota, or not mounted on the compute nodes?");
    return out;
  }
  leave_out_bad(verdict.bad, fleet, run_dir, out);
  out.warnings.insert(out.warnings.end(), verdict.warnings.begin(), verdict.warnings.end());
  out.text = cat(sum_text(looked.answer, looking.placement()), ", ", summary(nodes, verdict));
  require_enough(fleet, out);
  return out;
}

}  // namespace entrain::supervise
