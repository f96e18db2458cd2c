#pragma once
#include "worker/collectives/collectives.hpp"

namespace entrain::tests {

/// Passes every call on to the collectives it is given. What a test wants otherwise, it overrides.
class ForwardingCollectives : public worker::Collectives {
 public:
  explicit ForwardingCollectives(worker::Collectives& inner) : inner_(inner) {}
  int rank() const noexcept override { return inner_.rank(); }
  int size() const noexcept override { return inner_.size(); }
  int ranks_per_node() const noexcept override { return inner_.ranks_per_node(); }
  worker::GatheredRows all_gather_rows(const at::Tensor& rows) override {
    return inner_.all_gather_rows(rows);
  }
  at::Tensor all_to_all(const at::Tensor& send, const std::vector<std::int64_t>& send_counts,
                        const std::vector<std::int64_t>& receive_counts) override {
    return inner_.all_to_all(send, send_counts, receive_counts);
  }
  void all_reduce_sum_(at::Tensor t) override { inner_.all_reduce_sum_(std::move(t)); }
  std::int64_t all_reduce_max(std::int64_t value) override { return inner_.all_reduce_max(value); }
  std::vector<std::string> all_gather_text(const std::string& mine) override {
    return inner_.all_gather_text(mine);
  }
  void barrier() override { inner_.barrier(); }
  void abort(std::string_view reason) noexcept override { inner_.abort(reason); }

 protected:
  worker::Collectives& inner_;
};

}  // namespace entrain::tests
