#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace entrain::worker {

/// How long one size of one operation took: the median of so many repetitions.
struct CollectiveTime {
  std::string operation;   ///< as in Collectives
  std::int64_t bytes = 0;  ///< all_gather_rows: of the result; else of one rank's buffer
  double seconds = 0;
  std::int64_t repetitions = 0;
};

/// time = alpha * hops + bytes * share / rate. What a rank of a ring does: W - 1 hops and (W - 1) / W of the bytes,
/// twice that in an all-reduce. So alpha and rate are a link's, whatever the number of ranks.
struct AlphaBeta {
  std::string operation;
  double hops = 1, share = 1;
  double alpha_s = 0;     ///< of one hop
  double s_per_byte = 0;  ///< of what passes one link; 0: only one size was measured, or size cost nothing
  double worst = 0;       ///< largest |fitted / measured - 1|
  std::int64_t worst_bytes = 0;

  double seconds(double bytes) const { return alpha_s * hops + s_per_byte * share * bytes; }
};

/// Least squares of the relative residuals over all times of `operation`, so that a size of microseconds counts as much
/// as one of seconds; neither coefficient below 0.
AlphaBeta fit_alpha_beta(const std::string& operation, const std::vector<CollectiveTime>& times, int ranks);

}  // namespace entrain::worker
