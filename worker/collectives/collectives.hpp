#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace entrain::worker {

/// Rows of all ranks in rank order; `first` is where this rank's own rows begin, so nobody computes rank * B.
struct GatheredRows {
  at::Tensor all;
  std::int64_t first = 0;
};

/// What all ranks do together. Every rank makes the same calls in the same order with equal dtypes and row
/// shapes. Called from one thread only. A failure of one rank is a CommError on all of them; nobody is left
/// waiting. Only copies cross the network in strict mode: no sum of the library's can change a bit.
class Collectives {
 public:
  virtual ~Collectives() = default;
  virtual int rank() const noexcept = 0;
  virtual int size() const noexcept = 0;
  /// Ranks of a node where all nodes have as many and the ranks of each follow one another: ranks 0 .. n - 1 share a node,
  /// and so on. 1 where that is not so.
  virtual int ranks_per_node() const noexcept { return 1; }

  /// Ranks may hold different numbers of rows (8 lanes on 3 ranks: 3, 3, 2), also none. Carries no gradient.
  /// `rows` is contiguous, of at least one dimension, on the CPU or on the device of these ranks; the result is there, too.
  virtual GatheredRows all_gather_rows(const at::Tensor& rows) = 0;

  /// Sends send[offset_r ...] of send_counts[r] elements to rank r and returns what the others sent here, in
  /// rank order. `send` is flat; both count vectors have size() entries and agree across ranks.
  virtual at::Tensor all_to_all(const at::Tensor& send, const std::vector<std::int64_t>& send_counts,
                                const std::vector<std::int64_t>& receive_counts) = 0;

  /// t := sum over ranks, in place, in the library's order: for `numerics: fast` and for integers.
  virtual void all_reduce_sum_(at::Tensor t) = 0;

  /// The largest of the ranks' values: how ranks agree to stop or to commit.
  virtual std::int64_t all_reduce_max(std::int64_t value) = 0;

  /// Every rank's text, in rank order: digests, votes, host names.
  virtual std::vector<std::string> all_gather_text(const std::string& mine) = 0;

  virtual void barrier() = 0;

  /// Makes every pending and later call on every rank throw CommError(reason), or ends the other processes
  /// where a call cannot be interrupted. Any thread may call.
  virtual void abort(std::string_view reason) noexcept = 0;
};

/// N ranks as N threads of this process, for tests and for tools that need no MPI: one object per rank. They take
/// themselves for ranks of nodes of `ranks_per_node`.
std::vector<std::unique_ptr<Collectives>> make_local_collectives(int num_ranks, int ranks_per_node = 1);

}  // namespace entrain::worker
