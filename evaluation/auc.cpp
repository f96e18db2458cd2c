#include "evaluation/auc.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::evaluation {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kNormal975 = 1.959963984540054;  // 97.5 % point of the standard normal distribution

// Where each row stands among the other class: a positive's share of negatives below it (ties half), a negative's
// share of positives above it. Their means are the AUC. (DeLong's V10 and V01.)
struct Placements {
  std::vector<double> value;  // in row order
  double positives = 0, negatives = 0, auc = kNan;
};

Placements placements(std::span<const double> score, std::span<const std::uint8_t> positive) {
  if (score.size() != positive.size())
    throw DataError(cat("AUC: ", score.size(), " scores but ", positive.size(), " labels"));
  const std::vector<double> rank = midranks(score);
  std::vector<double> own[2];  // scores of negatives and of positives
  for (std::size_t i = 0; i < score.size(); ++i) own[positive[i] != 0].push_back(score[i]);
  const std::vector<double> rank_in[2] = {midranks(own[0]), midranks(own[1])};
  Placements p;
  p.negatives = static_cast<double>(own[0].size());
  p.positives = static_cast<double>(own[1].size());
  if (own[0].empty() || own[1].empty()) return p;
  std::size_t seen[2] = {0, 0};
  double sum = 0;
  for (std::size_t i = 0; i < score.size(); ++i) {
    const bool is_positive = positive[i] != 0;
    const double below = rank[i] - rank_in[is_positive][seen[is_positive]++];
    p.value.push_back(is_positive ? below / p.negatives : 1 - below / p.positives);
    if (is_positive) sum += p.value.back();
  }
  p.auc = sum / p.positives;
  return p;
}

AucEstimate with_interval(AucEstimate e) {
  if (std::isnan(e.auc) || std::isnan(e.variance)) {
    e.low = e.high = kNan;
    return e;
  }
  e.point = e.auc <= 0 || e.auc >= 1;
  if (e.point) {
    e.low = e.high = e.auc;
    return e;
  }
  const double logit = std::log(e.auc / (1 - e.auc));
  const double half = kNormal975 * std::sqrt(e.variance) / (e.auc * (1 - e.auc));
  e.low = 1 / (1 + std::exp(half - logit));
  e.high = 1 / (1 + std::exp(-half - logit));
  return e;
}

AucEstimate counted(const Placements& p, std::size_t cases) {
  AucEstimate e;
  e.auc = p.auc;
  e.variance = kNan;
  e.positives = static_cast<std::int64_t>(p.positives);
  e.negatives = static_cast<std::int64_t>(p.negatives);
  e.cases = static_cast<std::int64_t>(cases);
  return e;
}

// Sums over one group of how far its rows' placements lie from the AUC.
struct GroupSum {
  double positive = 0, negative = 0;
  bool has_positive = false, has_negative = false;
};

std::map<std::int64_t, GroupSum> sums_by_group(const Placements& p, std::span<const std::uint8_t> positive,
                                               std::span<const std::int64_t> group) {
  if (group.size() != positive.size())
    throw DataError(cat("AUC: ", positive.size(), " rows but ", group.size(), " groups"));
  std::map<std::int64_t, GroupSum> sums;
  for (std::size_t i = 0; i < positive.size(); ++i) {
    GroupSum& g = sums[group[i]];
    if (p.value.empty()) continue;  // one class is missing: only the groups are counted
    (positive[i] != 0 ? g.positive : g.negative) += p.value[i] - p.auc;
    (positive[i] != 0 ? g.has_positive : g.has_negative) = true;
  }
  return sums;
}

double covariance(const Placements& a, const Placements& b, std::span<const std::uint8_t> positive) {
  double sum[2] = {0, 0};
  for (std::size_t i = 0; i < positive.size(); ++i)
    sum[positive[i] != 0] += (a.value[i] - a.auc) * (b.value[i] - b.auc);
  return sum[1] / (a.positives - 1) / a.positives + sum[0] / (a.negatives - 1) / a.negatives;
}

}  // namespace

std::vector<double> midranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = 0; i < values.size(); ++i)
    if (std::isnan(values[i])) throw DataError(cat("the score of row ", i, " is NaN"));
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> rank(values.size());
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    for (std::size_t k = first; k < last; ++k) rank[order[k]] = static_cast<double>(first + 1 + last) / 2;
  }
  return rank;
}

double auc(std::span<const double> score, std::span<const std::uint8_t> positive) {
  return placements(score, positive).auc;
}

AucEstimate delong(std::span<const double> score, std::span<const std::uint8_t> positive) {
  const Placements p = placements(score, positive);
  AucEstimate e = counted(p, score.size());
  if (p.positives > 1 && p.negatives > 1) e.variance = covariance(p, p, positive);
  return with_interval(e);
}

// Var = S10 / M + S01 / N + 2 S11 / (M N), with M positives, N negatives, I10 groups that hold a positive, I01 that
// hold a negative, I in all, and sums over groups of the products of their summed deviations.
AucEstimate clustered_delong(std::span<const double> score, std::span<const std::uint8_t> positive,
                             std::span<const std::int64_t> group) {
  const Placements p = placements(score, positive);
  const auto sums = sums_by_group(p, positive, group);
  AucEstimate e = counted(p, sums.size());
  double i10 = 0, i01 = 0, s10 = 0, s01 = 0, s11 = 0;
  for (const auto& [unused, g] : sums) {
    i10 += g.has_positive;
    i01 += g.has_negative;
    s10 += g.positive * g.positive;
    s01 += g.negative * g.negative;
    s11 += g.positive * g.negative;
  }
  const double m = p.positives, n = p.negatives, i = static_cast<double>(sums.size());
  if (i10 > 1 && i01 > 1) {
    const double from_both = 2 * i / (i - 1) * s11 / (m * n);
    // The last term can be negative; the sum of the three is a variance only up to rounding.
    e.variance = std::max(0.0, i10 / (i10 - 1) * s10 / (m * m) + i01 / (i01 - 1) * s01 / (n * n) + from_both);
  }
  return with_interval(e);
}

AucEstimate macro_auc(const std::vector<std::vector<double>>& score,
                      const std::vector<std::vector<std::uint8_t>>& positive,
                      std::span<const std::int64_t> group, int& defined) {
  std::map<std::int64_t, double> influence;  // of a group, summed over classes
  double sum = 0;
  defined = 0;
  for (std::size_t c = 0; c < score.size(); ++c) {
    const Placements p = placements(score[c], positive[c]);
    if (std::isnan(p.auc)) continue;
    ++defined;
    sum += p.auc;
    for (const auto& [id, g] : sums_by_group(p, positive[c], group))
      influence[id] += g.positive / p.positives + g.negative / p.negatives;
  }
  AucEstimate e;
  e.cases = static_cast<std::int64_t>(influence.size());
  e.auc = defined > 0 ? sum / defined : kNan;
  e.variance = kNan;
  if (defined > 0 && influence.size() > 1) {
    double squares = 0;
    for (const auto& [unused, phi] : influence) squares += phi / defined * (phi / defined);
    e.variance = squares * static_cast<double>(e.cases) / static_cast<double>(e.cases - 1);
  }
  return with_interval(e);
}

PairedTest paired_delong(std::span<const double> a, std::span<const double> b,
                         std::span<const std::uint8_t> positive) {
  const Placements pa = placements(a, positive), pb = placements(b, positive);
  PairedTest t{.auc_a = pa.auc, .auc_b = pb.auc, .difference = pa.auc - pb.auc};
  if (!(pa.positives > 1 && pa.negatives > 1)) {
    t.variance = t.z = t.p = kNan;
    return t;
  }
  t.covariance_aa = covariance(pa, pa, positive);
  t.covariance_ab = covariance(pa, pb, positive);
  t.covariance_bb = covariance(pb, pb, positive);
  t.variance = t.covariance_aa + t.covariance_bb - 2 * t.covariance_ab;
  if (t.variance <= 1e-15) {  // the same ranking twice, up to rounding
    t.variance = 0;
    t.z = 0;
    t.p = std::abs(t.difference) <= 1e-12 ? 1 : 0;
    return t;
  }
  t.z = t.difference / std::sqrt(t.variance);
  t.p = std::erfc(std::abs(t.z) / std::sqrt(2.0));
  return t;
}

}  // namespace entrain::evaluation
