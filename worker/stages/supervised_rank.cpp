#include "worker/stages/supervised_rank.hpp"

#include "configs/process.hpp"
#include "worker/stages/run_folder.hpp"

namespace entrain::worker {
namespace {

control::ProgressBoard joined_board(MpiCollectives& comm) {
  void* memory = comm.shared_memory(control::ProgressBoard::bytes_for(comm.local_size()));
  if (comm.local_rank() == 0) control::ProgressBoard::create(memory, comm.local_size());
  comm.barrier();
  const control::ProgressBoard board(memory, comm.local_size());
  control::use_board(board, comm.local_rank(), comm.rank());
  comm.barrier();  // all have joined
  return board;
}

}  // namespace

SupervisedRank::SupervisedRank(const control::Supervised& who, const std::string& run_dir,
                               MpiCollectives& comm)
    : board_(joined_board(comm)) {
  heartbeat_.emplace(control::progress());
  if (comm.local_rank() != 0) return;
  control::ClientOptions options;
  options.run_dir = run_dir;
  options.host = control::node_name();
  options.world = comm.size();
  options.generation = static_cast<std::uint32_t>(who.generation);
  options.build_digest = program_digest();
  client_.emplace(options, board_);
}

SupervisedRank::~SupervisedRank() {
  client_.reset();
  heartbeat_.reset();
  control::leave_board();
}

void SupervisedRank::bye(int code, const std::string& reason) {
  control::progress().set_phase(control::Phase::kDone);
  if (client_) client_->bye(code, reason);
}

}  // namespace entrain::worker
