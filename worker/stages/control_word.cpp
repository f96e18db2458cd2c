#include "worker/stages/control_word.hpp"

#include <ATen/ATen.h>

namespace entrain::worker {
namespace {
constexpr int kBits = 20;  // a field of the sum holds a million ranks
}

Agreed agree(const ControlWord& mine, Collectives& comm) {
  const auto field = [](bool set, int index) { return static_cast<std::int64_t>(set) << (index * kBits); };
  const at::Tensor sum =
      at::full({1}, field(mine.stop, 0) + field(mine.commit, 1) + field(mine.busy, 2), at::kLong);
  comm.all_reduce_sum_(sum);
  const auto all = sum.item<std::int64_t>();
  const auto count = [&](int index) { return all >> (index * kBits) & ((1 << kBits) - 1); };
  return {count(0), count(1), count(2)};
}

}  // namespace entrain::worker
