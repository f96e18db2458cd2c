#include "worker/collectives/bucket_reducer.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "worker/collectives/nccl.hpp"

namespace entrain::worker {

std::vector<Bucket> buckets_of(std::int64_t numel, std::int64_t element_bytes) {
  constexpr std::int64_t kFirstBytes = 1 << 20, kBytes = 25 << 20;
  std::vector<Bucket> buckets;
  for (std::int64_t end = numel; end > 0;) {
    const std::int64_t most = (buckets.empty() ? kFirstBytes : kBytes) / element_bytes;
    const std::int64_t count = std::min(end, most);
    buckets.push_back({end - count, count});
    end -= count;
  }
  return buckets;
}

BucketReducer::BucketReducer(NcclCollectives& comm, at::Tensor flat_P)
    : comm_(comm), flat_P_(std::move(flat_P)), buckets_(buckets_of(flat_P_.numel(), flat_P_.element_size())) {
  TORCH_CHECK(flat_P_.dim() == 1 && flat_P_.is_contiguous(), "BucketReducer: want a flat gradient");
}

void BucketReducer::complete_from(std::int64_t first) {
  for (; started_ < buckets_.size() && buckets_[started_].first >= first; ++started_)
    comm_.start_all_reduce_sum_(flat_P_.narrow(0, buckets_[started_].first, buckets_[started_].count));
}

void BucketReducer::finish() {
  complete_from(0);
  comm_.finish_sums();
}

}  // namespace entrain::worker
