#include "coordinator/control/node_beat.hpp"

#include <fstream>
#include <iterator>
#include <utility>

#include "configs/cat.hpp"

namespace entrain::control {

bool is_stopped(std::int64_t pid) {
  std::ifstream in(cat("/proc/", pid, "/stat"), std::ios::binary);
  const std::string stat{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto name_end = stat.rfind(')');  // the name itself may hold anything
  if (name_end == stat.npos || name_end + 2 >= stat.size()) return false;
  const char state = stat[name_end + 2];
  return state == 'T' || state == 't';
}

NodeBeats::NodeBeats(ProgressBoard board, std::string host)
    : board_(board), host_(std::move(host)), stacks_sent_(static_cast<std::size_t>(board.size()), 0) {}

NodeBeat NodeBeats::next() {
  NodeBeat node{host_, committed(), {}};
  for (int i = 0; i < board_.size(); ++i) {
    const RankProgress& rank = board_.rank(i);
    if (rank.pid() == 0) continue;
    RankBeat beat = rank.snapshot();
    beat.stopped = is_stopped(beat.pid);
    std::uint32_t& sent = stacks_sent_[static_cast<std::size_t>(i)];
    if (const std::uint32_t number = rank.stack_number(); number != sent) {
      if (auto stack = rank.stack()) {
        beat.stack = std::move(*stack);
        sent = number;
      }
    }
    node.ranks.push_back(std::move(beat));
  }
  return node;
}

std::int64_t NodeBeats::committed() const {
  for (int i = 0; i < board_.size(); ++i) {
    const RankProgress& rank = board_.rank(i);
    if (rank.pid() != 0 && rank.rank() == 0) return rank.committed();
  }
  return -1;
}

}  // namespace entrain::control
