#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace entrain::worker {

class NcclCollectives;

struct Bucket {
  std::int64_t first = 0, count = 0;  ///< elements of the flat gradient
};

/// The parts in which a flat gradient is summed, last part first (backward begins at the end): 1 MB, so that the network
/// starts early, then 25 MB each. Fixed by the two sizes: equal on all ranks and after a resume.
std::vector<Bucket> buckets_of(std::int64_t numel, std::int64_t element_bytes);

/// Sums a flat gradient over ranks while backward still computes the front of it: the same numbers as one
/// all_reduce_sum_ per bucket. One per step and gradient.
class BucketReducer {
 public:
  /// `flat_P`: contiguous, of the device.
  BucketReducer(NcclCollectives& comm, at::Tensor flat_P);
  /// All from element `first` on is computed, in the order of the compute stream: starts the buckets that lie there. Only
  /// ever smaller; in the same order on every rank. What lies there must not be touched until finish().
  void complete_from(std::int64_t first);
  /// Starts the rest; what is computed afterwards sees the sums.
  void finish();

 private:
  NcclCollectives& comm_;
  at::Tensor flat_P_;
  std::vector<Bucket> buckets_;
  std::size_t started_ = 0;
};

}  // namespace entrain::worker
