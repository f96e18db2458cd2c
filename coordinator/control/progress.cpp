#include "coordinator/control/progress.hpp"

#include <atomic>
#include <new>
#include <stdexcept>

#include "configs/cat.hpp"

namespace entrain::control {
namespace {

constinit RankProgress own;
constinit std::atomic<RankProgress*> current{&own};

}  // namespace

std::size_t ProgressBoard::bytes_for(int local_ranks) {
  return sizeof(RankProgress) * static_cast<std::size_t>(local_ranks);
}

ProgressBoard ProgressBoard::create(void* memory, int local_ranks) {
  for (int i = 0; i < local_ranks; ++i) new (static_cast<RankProgress*>(memory) + i) RankProgress;
  return {memory, local_ranks};
}

ProgressBoard::ProgressBoard(void* memory, int local_ranks)
    : ranks_(std::launder(static_cast<RankProgress*>(memory))), local_ranks_(local_ranks) {}

RankProgress& ProgressBoard::rank(int local_index) const {
  if (local_index < 0 || local_index >= local_ranks_)
    throw std::out_of_range(cat("local rank ", local_index, " of ", local_ranks_));
  return ranks_[local_index];
}

void ProgressBoard::ask_stop(std::string_view reason) const {
  for (int i = 0; i < local_ranks_; ++i) ranks_[i].ask_stop(reason);
}

void ProgressBoard::want_stacks() const {
  for (int i = 0; i < local_ranks_; ++i) ranks_[i].want_stack();
}

void ProgressBoard::fence() const {
  for (int i = 0; i < local_ranks_; ++i) ranks_[i].fence();
}

RankProgress& progress() { return *current.load(std::memory_order_acquire); }

void use_board(const ProgressBoard& board, int local_index, std::int32_t rank) {
  RankProgress& mine = board.rank(local_index);
  const RankBeat before = progress().snapshot();
  mine.caught_signal(before.signal);
  mine.set_phase(before.phase);
  mine.join(rank);
  current.store(&mine, std::memory_order_release);
}

void leave_board() { current.store(&own, std::memory_order_release); }

}  // namespace entrain::control
