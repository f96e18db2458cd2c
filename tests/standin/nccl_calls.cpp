#include "tests/standin/nccl_calls.hpp"

#include <unistd.h>

#include <chrono>
#include <cstring>

#include "configs/cat.hpp"

namespace entrain::standin {
namespace {

using Clock = std::chrono::steady_clock;

template <typename Number>
void add(char* sum, const char* other, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    Number a, b;
    std::memcpy(&a, sum + i * sizeof a, sizeof a);
    std::memcpy(&b, other + i * sizeof b, sizeof b);
    a = static_cast<Number>(a + b);
    std::memcpy(sum + i * sizeof a, &a, sizeof a);
  }
}

void add_to(char* sum, const char* other, std::size_t count, ncclDataType_t type) {
  if (type == ncclFloat32) return add<float>(sum, other, count);
  if (type == ncclFloat64) return add<double>(sum, other, count);
  if (type == ncclInt32) return add<std::int32_t>(sum, other, count);
  if (type == ncclInt64) return add<std::int64_t>(sum, other, count);
  if (type == ncclUint8) return add<std::uint8_t>(sum, other, count);
  misuse(Misuse::kUnsupported, cat("a sum of type ", static_cast<int>(type)));
}

bool is_collective(const Piece& piece) { return piece.kind != Piece::kSend && piece.kind != Piece::kReceive; }

class Group final : public Work {
 public:
  Group(ncclComm* comm, std::vector<Piece> pieces, const std::string& name, bool stuck)
      : comm_(*comm), pieces_(std::move(pieces)), finished_(pieces_.size()), stuck_(stuck) {
    owner = comm;
    what = name;
    for (const Piece& piece : pieces_) {
      reads_.push_back(reads(piece) ? std::make_unique<Flight>(Use::kRead, piece.from, bytes(piece), what)
                                    : nullptr);
      if (reads_.back() && piece.from == piece.to) reads_.back()->end();  // in place: it is a result now
    }
    for (const Piece& piece : pieces_)
      writes_.push_back(piece.kind != Piece::kSend
                            ? std::make_unique<Flight>(Use::kWrite, piece.to, written(piece), what)
                            : nullptr);
  }

  bool step() override {
    if (stuck_ || comm_.async_error != ncclSuccess) return false;
    if (!begun_) require_untouched();
    bool sends_out = true, sends_taken = true;
    for (std::size_t i = 0; i < pieces_.size(); ++i)
      if (pieces_[i].kind == Piece::kSend) sends_out &= send(i);
    if (!sends_out) return false;
    for (std::size_t i = 0; i < pieces_.size(); ++i)
      if (is_collective(pieces_[i]) && !collect(i)) return false;
    bool received = true;
    for (std::size_t i = 0; i < pieces_.size(); ++i)
      if (pieces_[i].kind == Piece::kReceive) received &= receive(i);
    if (!received) return false;
    for (const Piece& piece : pieces_)
      if (piece.kind == Piece::kSend) sends_taken &= taken(piece);
    if (sends_taken) drop();
    return sends_taken;
  }

  void drop() override {
    mine().waiting = 0;
    for (auto& flight : reads_)
      if (flight) flight->end();
    for (auto& flight : writes_)
      if (flight) flight->end();
  }

 private:
  bool reads(const Piece& piece) const {
    return piece.kind != Piece::kReceive && (piece.kind != Piece::kBroadcast || piece.peer == comm_.rank);
  }
  std::size_t bytes(const Piece& piece) const { return piece.count * bytes_of(piece.type); }
  std::size_t written(const Piece& piece) const {
    return bytes(piece) * static_cast<std::size_t>(piece.kind == Piece::kAllGather ? comm_.size : 1);
  }
  RankSlot& mine() { return comm_.world->rank(comm_.rank); }

  void require_untouched() {
    begun_ = true;
    for (const auto& flight : reads_)
      if (flight) flight->require_unchanged();
    for (const auto& flight : writes_)
      if (flight) flight->require_unchanged();
  }

  // Always false: what a step answers while it waits for `peer`.
  bool wait(Waiting::Kind kind, int peer, std::uint64_t number) {
    RankSlot& other = comm_.world->rank(peer);
    mine().waiting = Waiting::pack(kind, peer, number);
    if (other.left && !other.aborted)
      misuse(Misuse::kOrder, cat("rank ", comm_.rank, " is at ", what, ", rank ", peer, " has left"));
    const std::uint64_t its = other.waiting;
    const auto at = Clock::now();
    if (its != its_waiting_ || peer != waiting_for_) {
      its_waiting_ = its;
      waiting_for_ = peer;
      since_ = at;
    } else if (at - since_ > std::chrono::milliseconds(700)) {
      since_ = at;
      if (!is_running(other.process)) comm_.async_error = ncclRemoteError;
      if (its != 0 && it_waits_for_me(its, peer, kind) && its == other.waiting)
        misuse(Misuse::kOrder, cat("rank ", comm_.rank, " is at ", what, " and waits there for rank ", peer,
                                   ", which waits for it in another call"));
    }
    return false;
  }

  // I wait for it here; does it wait for what I do only later?
  bool it_waits_for_me(std::uint64_t its, int peer, Waiting::Kind mine_kind) {
    const auto kind = static_cast<Waiting::Kind>(its & 15);
    const bool for_me = static_cast<int>(its >> 4 & 0xfff) == comm_.rank;
    const std::uint64_t number = its >> 16;
    if (mine_kind == Waiting::kCollective) return kind != Waiting::kCollective && for_me;
    if (kind == Waiting::kCollective) return mine().collectives <= number;
    return kind == Waiting::kReceive && for_me && comm_.world->channel(comm_.rank, peer).sent <= number;
  }

  bool send(std::size_t i) {
    const Piece& piece = pieces_[i];
    Channel& channel = comm_.world->channel(comm_.rank, piece.peer);
    if (finished_[i]) return true;
    if (channel.taken < piece.number) return wait(Waiting::kSend, piece.peer, piece.number);
    std::memcpy(comm_.world->channel_data(comm_.rank, piece.peer, bytes(piece)), reads_[i]->contents(),
                bytes(piece));
    channel.bytes = bytes(piece);
    channel.sent = piece.number + 1;
    return finished_[i] = true;
  }

  bool taken(const Piece& piece) {
    return comm_.world->channel(comm_.rank, piece.peer).taken > piece.number ||
           wait(Waiting::kSend, piece.peer, piece.number);
  }

  bool receive(std::size_t i) {
    const Piece& piece = pieces_[i];
    Channel& channel = comm_.world->channel(piece.peer, comm_.rank);
    if (finished_[i]) return true;
    if (channel.sent <= piece.number) return wait(Waiting::kReceive, piece.peer, piece.number);
    if (channel.bytes != bytes(piece))
      misuse(Misuse::kCounts, cat("rank ", comm_.rank, " receives ", bytes(piece), " bytes of rank ",
                                  piece.peer, ", which sends ", channel.bytes));
    writes_[i]->end();
    std::memcpy(piece.to, comm_.world->channel_data(piece.peer, comm_.rank, bytes(piece)), bytes(piece));
    channel.taken = piece.number + 1;
    return finished_[i] = true;
  }

  void publish(std::size_t i) {
    const Piece& piece = pieces_[i];
    Call& call = mine().calls[piece.number % 2];
    call = {};
    std::strncpy(call.name, name_of(piece.kind), sizeof call.name - 1);
    call.count = piece.count;
    call.type = piece.type;
    call.root = piece.peer;
    if (reads_[i])
      std::memcpy(comm_.world->collective_data(comm_.rank, piece.number, bytes(piece)), reads_[i]->contents(),
                  bytes(piece));
    mine().collectives = piece.number + 1;
  }

  bool collect(std::size_t i) {
    const Piece& piece = pieces_[i];
    if (finished_[i]) return true;
    if (mine().collectives <= piece.number) publish(i);
    for (int r = 0; r < comm_.size; ++r) {
      if (comm_.world->rank(r).collectives <= piece.number)
        return wait(Waiting::kCollective, r, piece.number);
      require_same(piece, r);
    }
    writes_[i]->end();
    auto* to = static_cast<char*>(piece.to);
    const auto data = [&](int r) { return comm_.world->collective_data(r, piece.number, bytes(piece)); };
    if (piece.kind == Piece::kBroadcast)
      std::memcpy(to, data(piece.peer), bytes(piece));
    else if (piece.kind == Piece::kAllReduce)
      std::memcpy(to, data(0), bytes(piece));
    for (int r = 0; r < comm_.size; ++r) {
      if (piece.kind == Piece::kAllGather) std::memcpy(to + r * bytes(piece), data(r), bytes(piece));
      if (piece.kind == Piece::kAllReduce && r > 0) add_to(to, data(r), piece.count, piece.type);
    }
    return finished_[i] = true;
  }

  void require_same(const Piece& piece, int r) {
    const Call& own = mine().calls[piece.number % 2];
    const Call& other = comm_.world->rank(r).calls[piece.number % 2];
    const auto text = [&](int rank, const Call& call) {
      return cat("rank ", rank, " calls ", call.name, " of ", call.count, " (type ", call.type, ", root ",
                 call.root, ")");
    };
    const std::string both =
        cat("collective ", piece.number + 1, ": ", text(comm_.rank, own), ", ", text(r, other));
    if (std::strcmp(own.name, other.name) != 0 || own.root != other.root) misuse(Misuse::kOrder, both);
    if (own.count != other.count || own.type != other.type) misuse(Misuse::kCounts, both);
  }

  ncclComm& comm_;
  std::vector<Piece> pieces_;
  std::vector<bool> finished_;
  std::vector<std::unique_ptr<Flight>> reads_, writes_;  // of each piece, or none
  bool stuck_, begun_ = false;
  std::uint64_t its_waiting_ = 0;
  int waiting_for_ = -1;
  Clock::time_point since_;
};

}  // namespace

const char* name_of(Piece::Kind kind) {
  constexpr const char* kNames[] = {"all-gather", "all-reduce", "broadcast", "send", "receive"};
  return kNames[kind];
}

std::size_t bytes_of(ncclDataType_t type) {
  switch (type) {
    case ncclInt8:
    case ncclUint8:
      return 1;
    case ncclFloat16:
    case ncclBfloat16:
      return 2;
    case ncclInt32:
    case ncclFloat32:
      return 4;
    case ncclInt64:
    case ncclFloat64:
      return 8;
  }
  misuse(Misuse::kUnsupported, cat("type ", static_cast<int>(type)));
}

std::unique_ptr<Work> make_group(ncclComm* comm, std::vector<Piece> pieces, const std::string& what,
                                 bool stuck) {
  return std::make_unique<Group>(comm, std::move(pieces), what, stuck);
}

}  // namespace entrain::standin
