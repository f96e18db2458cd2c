#include "coordinator/supervise/first_look.hpp"

#include <chrono>
#include <future>

#include "checkpoint/json_member.hpp"
#include "configs/cat.hpp"
#include "configs/section.hpp"
#include "coordinator/supervise/job_ending.hpp"
#include "coordinator/supervise/job_fleet.hpp"
#include "slurm/commands.hpp"

namespace entrain::supervise {
namespace {

using Clock = std::chrono::steady_clock;
using slurm::CommandResult;

constexpr double kSeconds = 60;
constexpr std::chrono::seconds kAskSlurm{3};  // how often, while there is no answer
constexpr std::chrono::seconds kTryNodes{
    15};  // Slurm may take minutes to call a node down: then a step on each, once
constexpr std::size_t kComplaint = 300;  // launchers are long-winded

// Waits for the step, and meanwhile for the news that a node is gone.
std::set<std::string> lost_meanwhile(const std::future<CommandResult>& step, const Fleet& fleet,
                                     const std::stop_token& stop) {
  const auto began = Clock::now();
  bool tried = false;
  while (step.wait_for(kAskSlurm) != std::future_status::ready && !stop.stop_requested()) {
    const bool try_nodes = !tried && Clock::now() - began >= kTryNodes;
    tried = tried || try_nodes;
    if (auto lost = try_nodes ? lost_nodes(fleet, stop) : down_nodes(fleet); !lost.empty()) return lost;
  }
  return {};
}

std::string complaint_of(const CommandResult& ran, const Placement& placement, int world) {
  std::string why = ran.complaint.substr(0, kComplaint);
  if (ran.end == CommandResult::End::kTimedOut) why = cat("no answer within ", kSeconds, " s");
  if (world != 0 && world != placement.ranks)
    why = cat("their world has ", world,
              " ranks; is srun's PMI the one that MPI was built with? slurm.launcher=mpirun does without it");
  if (why.starts_with("env: ")) why = why.substr(5);  // by which the launcher was started
  return cat(placement.ranks, placement.ranks == 1 ? " rank on " : " ranks on ", join(placement.nodes),
             placement.ranks == 1 ? " does not come up: " : " do not come up together: ", why);
}

}  // namespace

Look look_at(const Fleet& fleet, const Placement& placement, const Launch& launch,
             const std::stop_token& stop) {
  std::stop_source ending;
  const std::stop_callback passed_on(stop, [&ending] { ending.request_stop(); });
  auto step = std::async(std::launch::async, [&launch, token = ending.get_token()] {
    return slurm::run_command(with_environment(launch), kSeconds, "", token);
  });
  Look look;
  look.lost = lost_meanwhile(step, fleet, stop);
  if (!look.lost.empty()) ending.request_stop();
  const CommandResult ran = step.get();
  look.answer = checkpoint::last_object(ran.out);
  const int world = look.answer.is_object() ? look.answer.value("world", 0) : 0;
  // A rank whose disk hangs may not end, though it has said so.
  const bool answered = ran.ok() || ran.end == CommandResult::End::kTimedOut;
  if (answered && world == placement.ranks) {
    look.lost.clear();
    for (const auto& node : look.answer.value("nodes", nlohmann::json::array()))
      look.nodes.push_back(node_probe_of(node));
    return look;
  }
  look.complaint = complaint_of(ran, placement, world);
  look.stopped = stop.stop_requested() || step_was_stopped(ran.err) || job_is_ending();
  if (!look.stopped && look.lost.empty()) look.lost = lost_nodes(fleet, stop);
  return look;
}

}  // namespace entrain::supervise
