#include <ATen/ATen.h>

#include <condition_variable>
#include <mutex>
#include <numeric>

#include "configs/error.hpp"
#include "worker/collectives/collectives.hpp"

namespace entrain::worker {
namespace {

// Where the threads meet: one exchange at a time, and a failing rank wakes the others.
class Meeting {
 public:
  explicit Meeting(int num_ranks) : in_(num_ranks) {}

  std::vector<at::Tensor> exchange(int rank, const at::Tensor& mine) {
    std::unique_lock lock(mutex_);
    if (!why_.empty()) throw CommError(why_);
    const auto round = round_;
    in_[rank] = mine;
    if (++arrived_ == static_cast<int>(in_.size())) {
      out_ = in_;
      arrived_ = 0;
      ++round_;
      all_here_.notify_all();
    } else {
      all_here_.wait(lock, [&] { return round_ != round || !why_.empty(); });
    }
    if (round_ == round) throw CommError(why_);
    return out_;
  }

  void abort(std::string_view reason) noexcept {
    const std::lock_guard lock(mutex_);
    if (why_.empty()) why_ = reason;
    all_here_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_here_;
  std::vector<at::Tensor> in_, out_;
  int arrived_ = 0;
  std::uint64_t round_ = 0;
  std::string why_;
};

class LocalCollectives final : public Collectives {
 public:
  LocalCollectives(int rank, int size, int ranks_per_node, std::shared_ptr<Meeting> meeting)
      : rank_(rank), size_(size), ranks_per_node_(ranks_per_node), meeting_(std::move(meeting)) {}

  int rank() const noexcept override { return rank_; }
  int size() const noexcept override { return size_; }
  int ranks_per_node() const noexcept override { return ranks_per_node_; }

  GatheredRows all_gather_rows(const at::Tensor& rows) override {
    const auto all = meeting_->exchange(rank_, rows.clone());  // the caller may write on while others read
    GatheredRows gathered;
    for (int r = 0; r < rank_; ++r) gathered.first += all[r].size(0);
    gathered.all = at::cat(all);
    return gathered;
  }

  at::Tensor all_to_all(const at::Tensor& send, const std::vector<std::int64_t>& send_counts,
                        const std::vector<std::int64_t>& receive_counts) override {
    const auto counts = meeting_->exchange(rank_, at::tensor(send_counts, at::kLong));
    const auto sent = meeting_->exchange(rank_, send.clone());
    std::vector<at::Tensor> pieces;
    for (int r = 0; r < size_; ++r) {
      const std::int64_t* c = counts[r].const_data_ptr<std::int64_t>();
      TORCH_CHECK(c[rank_] == receive_counts[r], "all_to_all: rank ", r, " sends ", c[rank_],
                  " elements, expected ", receive_counts[r]);
      pieces.push_back(sent[r].narrow(0, std::accumulate(c, c + rank_, std::int64_t{0}), c[rank_]));
    }
    return at::cat(pieces);
  }

  void all_reduce_sum_(at::Tensor t) override {
    const auto all = meeting_->exchange(rank_, t.clone());
    t.copy_(all[0]);
    for (int r = 1; r < size_; ++r) t.add_(all[r]);
  }

  std::int64_t all_reduce_max(std::int64_t value) override {
    std::int64_t largest = value;
    for (const at::Tensor& v : meeting_->exchange(rank_, at::scalar_tensor(value, at::kLong)))
      largest = std::max(largest, v.item<std::int64_t>());
    return largest;
  }

  std::vector<std::string> all_gather_text(const std::string& mine) override {
    const at::Tensor bytes = at::empty({static_cast<std::int64_t>(mine.size())}, at::kByte);
    std::copy(mine.begin(), mine.end(), bytes.mutable_data_ptr<std::uint8_t>());
    std::vector<std::string> texts;
    for (const at::Tensor& t : meeting_->exchange(rank_, bytes)) {
      const auto* first = t.const_data_ptr<std::uint8_t>();
      texts.emplace_back(first, first + t.numel());
    }
    return texts;
  }

  void barrier() override { meeting_->exchange(rank_, at::empty({0})); }
  void abort(std::string_view reason) noexcept override { meeting_->abort(reason); }

 private:
  int rank_, size_, ranks_per_node_;
  std::shared_ptr<Meeting> meeting_;
};

}  // namespace

std::vector<std::unique_ptr<Collectives>> make_local_collectives(int num_ranks, int ranks_per_node) {
  const auto meeting = std::make_shared<Meeting>(num_ranks);
  std::vector<std::unique_ptr<Collectives>> all;
  for (int r = 0; r < num_ranks; ++r)
    all.push_back(std::make_unique<LocalCollectives>(r, num_ranks, ranks_per_node, meeting));
  return all;
}

}  // namespace entrain::worker
