#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "coordinator/control/rank_progress.hpp"

namespace entrain::control {

/// The progress of all ranks of one node, in memory that they share. A handle: copies mean the same memory, which must
/// outlive them all, and is aligned for std::max_align_t.
class ProgressBoard {
 public:
  static std::size_t bytes_for(int local_ranks);
  /// Begins a board in `memory`. One process does this, before any other takes it up.
  static ProgressBoard create(void* memory, int local_ranks);
  /// Takes up the board that another process created in the same memory.
  ProgressBoard(void* memory, int local_ranks);

  int size() const { return local_ranks_; }
  RankProgress& rank(
      int local_index) const;  ///< not the number among all ranks; out of range: std::out_of_range

  // On all ranks of the node.
  void ask_stop(std::string_view reason) const;
  void want_stacks() const;
  void fence() const;

 private:
  RankProgress* ranks_;
  int local_ranks_;
};

/// Where this process's rank notes what it does: in memory of its own until use_board(). Always there, any thread.
RankProgress& progress();
/// Redirects progress() to the board and joins there as `rank`; a signal that was caught before goes with it.
void use_board(const ProgressBoard& board, int local_index, std::int32_t rank);
/// Before the board's memory goes: progress() is in memory of its own again. End Heartbeat and client before.
void leave_board();

}  // namespace entrain::control
