#include "worker/collectives/finish_tree.hpp"

#include <ATen/ATen.h>

#include <functional>
#include <numeric>

#include "configs/lane_subtrees.hpp"

namespace entrain::worker {
namespace {

// The sums of some chunks of the elements, one after the other in each sum_P.
struct Held {
  std::vector<int> chunks;
  std::vector<Subtree> sums;
};

// Ranks that hold the same chunks and share them out among themselves.
struct Round {
  std::vector<int> peers;                            // ascending, this rank among them
  std::function<bool(int chunk, int peer)> belongs;  // afterwards
  std::function<LaneBlock(int peer)> lanes;          // that a peer's sums are of, before
};

class Finish {
 public:
  Finish(Collectives& comm, std::int64_t lanes, std::int64_t elements)
      : comm_(comm), world_(comm.size()), lanes_(lanes), elements_(elements) {}

  Held start(const std::vector<Subtree>& mine) const {
    Held held{std::vector<int>(world_), mine};
    std::iota(held.chunks.begin(), held.chunks.end(), 0);
    return held;
  }

  std::vector<Round> rounds() const {
    const int n = comm_.ranks_per_node(), me = comm_.rank();
    const auto own_chunk = [](int chunk, int peer) { return chunk == peer; };
    if (n == 1 || n >= world_)
      return {{every(0, 1), own_chunk, [this](int peer) { return lanes_of_ranks(peer, 1); }}};
    const auto node = [n](int rank) { return rank / n * n; };
    std::vector<int> neighbours(n);
    std::iota(neighbours.begin(), neighbours.end(), node(me));
    return {
        {neighbours, [n](int chunk, int peer) { return chunk % n == peer % n; },
         [this](int peer) { return lanes_of_ranks(peer, 1); }},
        {every(me % n, n), own_chunk, [this, node, n](int peer) { return lanes_of_ranks(node(peer), n); }}};
  }

  Held exchange(const Held& held, const Round& round) const {
    const int me = comm_.rank();
    std::vector<std::int64_t> send_counts(world_), receive_counts(world_);
    std::vector<at::Tensor> pieces;
    for (const int peer : round.peers)
      for (const Subtree& tree : held.sums)
        each_chunk(held, [&](int chunk, std::int64_t at, std::int64_t count) {
          if (!round.belongs(chunk, peer)) return;
          pieces.push_back(tree.sum_P.narrow(0, at, count));
          send_counts[peer] += count;
        });
    Held out;
    std::int64_t size = 0;
    each_chunk(held, [&](int chunk, std::int64_t, std::int64_t count) {
      if (!round.belongs(chunk, me)) return;
      out.chunks.push_back(chunk);
      size += count;
    });
    std::vector<LaneBlock> trees;
    for (const int peer : round.peers) {
      const auto theirs = subtrees_of(round.lanes(peer));
      receive_counts[peer] = size * static_cast<std::int64_t>(theirs.size());
      trees.insert(trees.end(), theirs.begin(), theirs.end());
    }
    const at::Tensor received = comm_.all_to_all(at::cat(pieces), send_counts, receive_counts);
    for (std::size_t i = 0; i < trees.size(); ++i)
      add_subtree(out.sums, {trees[i].first, trees[i].count,
                             received.narrow(0, static_cast<std::int64_t>(i) * size, size)});
    return out;
  }

 private:
  std::vector<int> every(int first, int step) const {
    std::vector<int> ranks;
    for (int rank = first; rank < world_; rank += step) ranks.push_back(rank);
    return ranks;
  }

  LaneBlock lanes_of_ranks(int first, int count) const {
    const LaneBlock begin = lanes_of(first, world_, lanes_),
                    end = lanes_of(first + count - 1, world_, lanes_);
    return {begin.first, end.first + end.count - begin.first};
  }

  template <class Take>
  void each_chunk(const Held& held, const Take& take) const {
    std::int64_t at = 0;
    for (const int chunk : held.chunks) {
      const std::int64_t count = lanes_of(chunk, world_, elements_).count;
      take(chunk, at, count);
      at += count;
    }
  }

  Collectives& comm_;
  int world_;
  std::int64_t lanes_, elements_;
};

}  // namespace

// Equal heights are not enough to add: a block may begin at lane 21, whose left neighbour in the tree is
// another rank's. The lower subtree must begin where the sum of both does.
std::vector<at::Tensor> add_subtree(std::vector<Subtree>& stack, Subtree next) {
  std::vector<at::Tensor> free;
  stack.push_back(std::move(next));
  while (stack.size() > 1) {
    Subtree& right = stack[stack.size() - 1];
    Subtree& left = stack[stack.size() - 2];
    if (left.lanes != right.lanes || left.first % (2 * left.lanes) != 0) break;
    left.sum_P.add_(right.sum_P);
    left.lanes *= 2;
    free.push_back(std::move(right.sum_P));
    stack.pop_back();
  }
  return free;
}

at::Tensor finish_tree(Collectives& comm, std::int64_t lanes, const std::vector<Subtree>& mine) {
  const Finish finish(comm, lanes, mine.at(0).sum_P.numel());
  Held held = finish.start(mine);
  for (const Round& round : finish.rounds()) held = finish.exchange(held, round);
  TORCH_INTERNAL_ASSERT(held.sums.size() == 1 && held.sums[0].lanes == lanes, "the tree is not finished");
  return comm.all_gather_rows(held.sums[0].sum_P).all;
}

}  // namespace entrain::worker
