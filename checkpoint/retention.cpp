#include "checkpoint/retention.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace entrain::checkpoint {
namespace {

// The first checkpoint of each span of the clock. A span is one of the clock's, not of the run's, so that what is
// kept does not depend on what was deleted before.
std::set<std::int64_t> one_per_span(const std::vector<Candidate>& all, double seconds) {
  std::map<double, std::int64_t> first;
  for (const Candidate& c : all) {
    const auto [span, inserted] = first.emplace(std::floor(c.time / seconds), c.step);
    if (!inserted) span->second = std::min(span->second, c.step);
  }
  std::set<std::int64_t> steps;
  for (const auto& [span, step] : first) steps.insert(step);
  return steps;
}

std::set<std::int64_t> best_of(std::vector<Candidate> all, std::int64_t count) {
  std::erase_if(all, [](const Candidate& c) { return !c.metric || !std::isfinite(*c.metric); });
  std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    return *a.metric != *b.metric ? *a.metric < *b.metric : a.step > b.step;
  });
  std::set<std::int64_t> steps;
  for (const Candidate& c : all)
    if (static_cast<std::int64_t>(steps.size()) < count) steps.insert(c.step);
  return steps;
}

}  // namespace

std::vector<std::int64_t> expired(std::vector<Candidate> older, const std::vector<Candidate>& newest,
                                  const Retention& keep) {
  std::vector<Candidate> all = newest;
  all.insert(all.end(), older.begin(), older.end());
  std::set<std::int64_t> stay;
  if (keep.every_seconds > 0) stay = one_per_span(all, keep.every_seconds);
  if (keep.best > 0) stay.merge(best_of(all, keep.best));
  std::vector<std::int64_t> gone;
  for (const Candidate& c : older)
    if (stay.count(c.step) == 0) gone.push_back(c.step);
  std::sort(gone.begin(), gone.end());
  return gone;
}

}  // namespace entrain::checkpoint
