// libnccl_standin.so: NCCL's calls between processes of one machine, over host memory and the stand-in's streams.
// ENTRAIN_STANDIN_NCCL_VERSION: what ncclGetVersion says.
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <set>

#include "configs/cat.hpp"
#include "tests/standin/nccl_calls.hpp"

namespace entrain::standin {
namespace {

struct OpenGroup {
  int depth = 0;
  ncclComm* comm = nullptr;
  CUstream_st* stream = nullptr;
  std::vector<Piece> pieces{};
};
thread_local OpenGroup open;

std::set<ncclComm*>& comms() {
  static auto& all = *new std::set<ncclComm*>;
  return all;
}

std::uint64_t nanoseconds() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

void require_comm(ncclComm* comm, const char* call) {
  if (comms().count(comm) == 0 || comm->state == ncclComm::State::kDestroyed)
    misuse(Misuse::kUseAfterEnd, cat(call, " with a communicator that is gone"));
  if (comm->state == ncclComm::State::kAborted)
    misuse(Misuse::kUseAfterEnd, cat(call, " with a communicator that was aborted"));
}

void require_no_group(const char* call) {
  if (open.depth > 0) misuse(Misuse::kGroup, cat(call, " in an open group: what it holds has not begun"));
}

void on_ordering(CUstream_st* stream, const char* call) {
  require_no_group(call);
  if (std::strcmp(call, "cudaEventRecord") != 0) return;
  for (const ncclComm* comm : comms())
    if (stream && comm->stream == stream && comm->unsettled > 0 && comm->state == ncclComm::State::kAlive)
      misuse(Misuse::kNotSettled,
             "an event is recorded while the communicator is still in progress: it may stand before "
             "the collective");
}

const bool hooked = [] {
  before_ordering = on_ordering;
  return true;
}();

std::string describe(const ncclComm& comm, const std::vector<Piece>& pieces) {
  return cat(name_of(pieces.front().kind), pieces.size() > 1 ? cat(" and ", pieces.size() - 1, " more") : "",
             " (group ", comm.groups, " of rank ", comm.rank, ")");
}

ncclResult_t launch(OpenGroup group) {
  if (group.pieces.empty()) return ncclSuccess;
  ncclComm& comm = *group.comm;
  const int number = ++comm.groups;
  if (number == comm.orders.crash) ::raise(SIGKILL);
  if (number == comm.orders.fail) return comm.async_error = static_cast<ncclResult_t>(comm.orders.fail_code);
  if (number == comm.orders.async)
    comm.error_at = nanoseconds() + 300'000'000;  // when the call has long returned
  const bool stuck = number == comm.orders.hang || number == comm.orders.async;
  const std::string what = describe(comm, group.pieces);
  require_behind_compute(group.stream, what);
  put(group.stream, make_group(&comm, std::move(group.pieces), what, stuck));
  comm.stream = group.stream;
  comm.unsettled = 2;
  return ncclInProgress;
}

ncclResult_t call(Piece piece, ncclComm_t comm, cudaStream_t stream) {
  const Lock lock(engine_mutex());
  require_comm(comm, name_of(piece.kind));
  require_stream(stream, name_of(piece.kind));
  if (comm->state == ncclComm::State::kFinalized)
    misuse(Misuse::kUseAfterEnd, cat(name_of(piece.kind), " with a communicator that is finalized"));
  if (comm->state == ncclComm::State::kJoining || comm->unsettled > 0)
    misuse(Misuse::kNotSettled, cat(name_of(piece.kind), " with a communicator that is still in progress"));
  if (piece.peer < 0 || piece.peer >= comm->size) return ncclInvalidArgument;
  if (comm->async_error != ncclSuccess) return comm->async_error;
  if (open.comm && open.depth > 0 && (open.comm != comm || open.stream != stream))
    misuse(Misuse::kUnsupported, "two communicators or streams in one group");
  piece.number = piece.kind == Piece::kSend      ? comm->sends[piece.peer]++
                 : piece.kind == Piece::kReceive ? comm->receives[piece.peer]++
                                                 : comm->collectives++;
  if (open.depth == 0) return launch({0, comm, stream, {piece}});
  open.comm = comm;
  open.stream = stream;
  open.pieces.push_back(piece);
  return ncclSuccess;
}

void try_to_join(ncclComm& comm) {
  if (!comm.world) {
    if (nanoseconds() < comm.join_at) return;
    comm.world = std::make_unique<World>(comm.where, comm.size);
    comm.world->rank(comm.rank).process = ::getpid();
  }
  for (int r = 0; r < comm.size; ++r)
    if (comm.world->rank(r).process == 0) return;
  comm.state = ncclComm::State::kAlive;
}

}  // namespace
}  // namespace entrain::standin

using namespace entrain::standin;  // NOLINT(google-build-using-namespace): NCCL's names are global

extern "C" {

ncclResult_t ncclGetVersion(int* version) {
  const char* text = ::getenv("ENTRAIN_STANDIN_NCCL_VERSION");
  *version = text ? std::atoi(text) : NCCL_VERSION_CODE;
  return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t result) {
  constexpr const char* kTexts[] = {"no error",
                                    "unhandled cuda error",
                                    "unhandled system error",
                                    "internal error",
                                    "invalid argument",
                                    "invalid usage",
                                    "remote process exited or there was a network error",
                                    "in progress"};
  return result < 8 ? kTexts[result] : "unknown result code";
}
const char* ncclGetLastError(ncclComm_t) { return "told by the stand-in"; }

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  *id = {};
  std::strncpy(id->internal, World::make().c_str(), sizeof id->internal - 1);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int nranks, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  const Lock lock(engine_mutex());
  require_no_group("ncclCommInitRankConfig");
  *comm = nullptr;
  if (nranks < 1 || nranks > kMostRanks || rank < 0 || rank >= nranks ||
      config->size != sizeof(ncclConfig_t) || config->magic != 0xcafebeef)
    return ncclInvalidArgument;
  if (config->blocking != 0) misuse(Misuse::kUnsupported, "a communicator that blocks");
  const Orders orders = orders_for(rank);
  if (orders.refuse) return ncclSystemError;
  comms().insert(*comm = new ncclComm);
  (*comm)->rank = rank;
  (*comm)->size = nranks;
  (*comm)->where = id.internal;
  (*comm)->orders = orders;
  (*comm)->join_at = nanoseconds() + static_cast<std::uint64_t>(orders.late_seconds * 1e9);
  (*comm)->sends.resize(nranks);
  (*comm)->receives.resize(nranks);
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  const Lock lock(engine_mutex());
  require_comm(comm, "ncclCommGetAsyncError");
  require_no_group("ncclCommGetAsyncError");
  if (comm->state == ncclComm::State::kJoining) try_to_join(*comm);
  if (comm->error_at != 0 && nanoseconds() > comm->error_at)
    comm->async_error = static_cast<ncclResult_t>(comm->orders.async_code);
  const bool busy = comm->state == ncclComm::State::kJoining || comm->unsettled > 0;
  if (comm->unsettled > 0) --comm->unsettled;
  *error = comm->async_error != ncclSuccess ? comm->async_error : busy ? ncclInProgress : ncclSuccess;
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  const Lock lock(engine_mutex());
  require_comm(comm, "ncclCommFinalize");
  require_no_group("ncclCommFinalize");
  require_waited_for(comm, nullptr);
  if (comm->world) comm->world->rank(comm->rank).left = true;
  comm->state = ncclComm::State::kFinalized;
  comm->unsettled = 2;
  return ncclInProgress;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  const Lock lock(engine_mutex());
  require_comm(comm, "ncclCommDestroy");
  require_no_group("ncclCommDestroy");
  if (comm->state != ncclComm::State::kFinalized)
    misuse(Misuse::kUnsupported, "ncclCommDestroy of a communicator that was not finalized");
  if (comm->unsettled > 0) misuse(Misuse::kNotSettled, "ncclCommDestroy while it is still being finalized");
  comm->state = ncclComm::State::kDestroyed;
  comm->world = nullptr;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  const Lock lock(engine_mutex());
  require_comm(comm, "ncclCommAbort");
  comm->state = ncclComm::State::kAborted;
  drop_work_of(comm);
  if (comm->world) comm->world->rank(comm->rank).aborted = true;
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  ++open.depth;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (open.depth == 0) misuse(Misuse::kGroup, "ncclGroupEnd without ncclGroupStart");
  if (--open.depth > 0) return ncclSuccess;
  const Lock lock(engine_mutex());
  return launch(std::exchange(open, {}));
}

ncclResult_t ncclAllGather(const void* send, void* receive, size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream) {
  return call({Piece::kAllGather, send, receive, count, type}, comm, stream);
}
ncclResult_t ncclAllReduce(const void* send, void* receive, size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream) {
  if (op != ncclSum) misuse(Misuse::kUnsupported, "a reduction that is not a sum");
  return call({Piece::kAllReduce, send, receive, count, type}, comm, stream);
}
ncclResult_t ncclBroadcast(const void* send, void* receive, size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  return call({Piece::kBroadcast, send, receive, count, type, root}, comm, stream);
}
ncclResult_t ncclSend(const void* send, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return call({Piece::kSend, send, nullptr, count, type, peer}, comm, stream);
}
ncclResult_t ncclRecv(void* receive, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return call({Piece::kReceive, nullptr, receive, count, type, peer}, comm, stream);
}

}  // extern "C"
