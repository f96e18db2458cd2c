#pragma once
#include <nccl.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/standin/engine.hpp"
#include "tests/standin/orders.hpp"
#include "tests/standin/world.hpp"

struct ncclComm {
  enum class State { kJoining, kAlive, kFinalized, kDestroyed, kAborted };
  State state = State::kJoining;
  int rank = 0, size = 0;
  std::string where;  ///< its world's place
  std::unique_ptr<entrain::standin::World> world;
  entrain::standin::Orders orders;
  std::uint64_t join_at = 0;      ///< nanoseconds of the monotonic clock
  int groups = 0;                 ///< called so far
  int unsettled = 0;              ///< how often it will still say "in progress"
  CUstream_st* stream = nullptr;  ///< of the last group
  ncclResult_t async_error = ncclSuccess;
  std::uint64_t error_at = 0;                  ///< when an ordered error comes
  std::uint64_t collectives = 0;               ///< called so far
  std::vector<std::uint64_t> sends, receives;  ///< per peer, called so far
};

namespace entrain::standin {

/// One call of a group.
struct Piece {
  enum Kind { kAllGather, kAllReduce, kBroadcast, kSend, kReceive };
  Kind kind = kAllGather;
  const void* from = nullptr;
  void* to = nullptr;
  std::size_t count = 0;
  ncclDataType_t type = ncclInt8;
  int peer = 0;  ///< or the root
  std::uint64_t number =
      0;  ///< among the communicator's collectives, or its sends to or receives from the peer
};
const char* name_of(Piece::Kind kind);
std::size_t bytes_of(ncclDataType_t type);

/// The calls of one group, as work of a stream. `stuck`: it never gets anywhere.
std::unique_ptr<Work> make_group(ncclComm* comm, std::vector<Piece> pieces, const std::string& what,
                                 bool stuck);

}  // namespace entrain::standin
