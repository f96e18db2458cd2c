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
  double residual = 0;          ///< sum of their squares
  std::int64_t from_bytes = 0;  ///< of sizes from here on

  double seconds(double bytes) const { return alpha_s * hops + s_per_byte * share * bytes; }
};

/// Least squares of the relative residuals over all times of `operation`, so that a size of microseconds counts as much
/// as one of seconds; neither coefficient below 0.
AlphaBeta fit_alpha_beta(const std::string& operation, const std::vector<CollectiveTime>& times, int ranks);

/// The same as one line or two, small sizes and large ones, where that halves the residuals: MPI sends a small message at
/// once and asks the receiver first before a large one. In order of from_bytes; at least three sizes each.
std::vector<AlphaBeta> fit_protocols(const std::string& operation, const std::vector<CollectiveTime>& times,
                                     int ranks);

/// The line for `bytes`.
const AlphaBeta& line_for(const std::vector<AlphaBeta>& lines, std::int64_t bytes);

}  // namespace entrain::worker
