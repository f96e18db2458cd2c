#pragma once
#include <string>

#include "coordinator/status/run_status.hpp"

namespace entrain::tests {

/// A run in the middle of training, every field filled.
inline status::RunStatus training(int ranks) {
  status::RunStatus s;
  s.run_dir = "runs/a";
  s.run_id = "a-1";
  s.stage = "pretrain";
  s.state = "training";
  s.supervisor_host = "node1";
  s.supervisor_pid = 4242;
  s.job_id = "77";
  s.generation = 2;
  s.world = ranks;
  s.started = "2026-03-02T09:00:00Z";
  s.now = "2026-03-02T10:04:11Z";
  s.step = 1200;
  s.total_steps = 5000;
  s.committed = 1150;
  s.loss = 3.25;
  s.views_per_second = 4863.5;
  s.step_seconds = 0.85;
  s.eta_seconds = 3230;
  s.deadline_seconds = 41300;
  s.goodput = 0.964;
  s.failures = 1;
  for (int r = 0; r < ranks; ++r) {
    status::RankStatus rank;
    rank.beat.rank = r;
    rank.beat.pid = 5000 + r;
    rank.beat.beats = 900;
    rank.beat.step = 1200;
    rank.beat.phase = control::Phase::kCollective;
    rank.beat.seconds_in_phase = 0.5;
    rank.beat.collectives = 2400;
    rank.beat.queue_depth = 3;
    rank.beat.memory_bytes = 3ULL << 30;
    rank.beat.step_seconds = 0.85;
    rank.host = "node" + std::to_string(1 + r / 8);
    rank.health = "alive";
    s.ranks.push_back(rank);
  }
  s.commits = {{1100, "2026-03-02T10:02:11Z"}, {1150, "2026-03-02T10:03:29Z"}};
  s.events = {{"2026-03-02T09:00:00Z", "launch", "generation 1"},
              {"2026-03-02T09:40:00Z", "dead", "rank 3 is silent for 10 s"},
              {"2026-03-02T10:03:29Z", "commit", "step 1150"}};
  for (int i = 1; i <= 400; ++i) {
    s.loss_curve.emplace_back(3 * i, 6.0 - 0.005 * i);
    s.speed_curve.emplace_back(3 * i, 4800.0 + i);
  }
  return s;
}

/// Text that an attacker would choose for a host name or a reason.
inline const std::string kHostile =
    "</script><img src=x onerror=alert(1)>\"\\\n\ndata: x\r\x1b[2J\xc2\x9b"
    "2J\xff";

}  // namespace entrain::tests
