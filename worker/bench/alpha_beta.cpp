#include "worker/bench/alpha_beta.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

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
    fit.residual += off * off;
    if (off >= fit.worst) fit.worst = off, fit.worst_bytes = t.bytes;
  }
  return fit;
}

std::vector<AlphaBeta> fit_protocols(const std::string& operation, const std::vector<CollectiveTime>& times,
                                     int ranks) {
  constexpr std::size_t kLeast = 3;
  std::vector<CollectiveTime> mine;
  std::copy_if(times.begin(), times.end(), std::back_inserter(mine),
               [&](const CollectiveTime& t) { return t.operation == operation; });
  std::sort(mine.begin(), mine.end(), [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
  std::vector<AlphaBeta> best{fit_alpha_beta(operation, mine, ranks)};
  double residual = best[0].residual / 2;
  for (std::size_t split = kLeast; split + kLeast <= mine.size(); ++split) {
    const auto at = mine.begin() + static_cast<std::ptrdiff_t>(split);
    AlphaBeta small = fit_alpha_beta(operation, {mine.begin(), at}, ranks),
              large = fit_alpha_beta(operation, {at, mine.end()}, ranks);
    large.from_bytes = mine[split - 1].bytes + 1;
    if (small.residual + large.residual > residual) continue;
    residual = small.residual + large.residual;
    best = {std::move(small), std::move(large)};
  }
  return best;
}

const AlphaBeta& line_for(const std::vector<AlphaBeta>& lines, std::int64_t bytes) {
  return lines.size() > 1 && bytes >= lines[1].from_bytes ? lines[1] : lines.at(0);
}

}  // namespace entrain::worker
