#include "worker/bench/alpha_beta.hpp"

#include <algorithm>
#include <cmath>

namespace entrain::worker {
namespace {

// Sums of the normal equations of (alpha x + beta y - 1) -> 0, where x = 1 / t and y = bytes / t.
struct Sums {
  double xx = 0, xy = 0, yy = 0, x = 0, y = 0;
};

}  // namespace

AlphaBeta fit_alpha_beta(const std::string& operation, const std::vector<CollectiveTime>& times, int ranks) {
  AlphaBeta fit;
  fit.operation = operation;
  const double W = ranks, rounds = operation == "all_reduce_sum_" ? 2 : 1;
  fit.hops = rounds * (W - 1), fit.share = rounds * (W - 1) / W;
  Sums s;
  for (const CollectiveTime& t : times) {
    if (t.operation != operation) continue;
    const double x = 1 / t.seconds, y = static_cast<double>(t.bytes) / t.seconds;
    s.xx += x * x, s.xy += x * y, s.yy += y * y, s.x += x, s.y += y;
  }
  if (s.xx == 0) return fit;
  const double determinant = s.xx * s.yy - s.xy * s.xy;
  double alpha = s.x / s.xx, beta = 0;
  if (determinant > 1e-9 * s.xx * s.yy) {
    alpha = (s.x * s.yy - s.y * s.xy) / determinant;
    beta = (s.y * s.xx - s.x * s.xy) / determinant;
    if (beta < 0) alpha = s.x / s.xx, beta = 0;
    if (alpha < 0) alpha = 0, beta = s.y / s.yy;
  }
  fit.alpha_s = alpha / fit.hops, fit.s_per_byte = beta / fit.share;
  for (const CollectiveTime& t : times) {
    if (t.operation != operation) continue;
    const double off = std::abs(fit.seconds(static_cast<double>(t.bytes)) / t.seconds - 1);
    if (off >= fit.worst) fit.worst = off, fit.worst_bytes = t.bytes;
  }
  return fit;
}

}  // namespace entrain::worker
