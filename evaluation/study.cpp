#include "evaluation/study.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstdio>
#include <limits>
#include <set>

#include "configs/cat.hpp"

namespace entrain::evaluation {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return values.empty() ? kNan : sum / static_cast<double>(values.size());
}

double deviation_of(const std::vector<double>& values) {
  if (values.size() < 2) return kNan;
  const double mean = mean_of(values);
  double sum = 0;
  for (const double v : values) sum += (v - mean) * (v - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

// Half the width of a 95 % t-interval of the mean; 0 for one value.
double t_half_width(double deviation, std::size_t count) {
  if (count < 2) return 0;
  const boost::math::students_t t(static_cast<double>(count - 1));
  return boost::math::quantile(t, 0.975) * deviation / std::sqrt(static_cast<double>(count));
}

int rank_of(const Arm& arm) {
  return (arm.init == "pretrained" ? 0 : arm.init == "scratch" ? 2 : 4) + (arm.mode == "full" ? 0 : 1);
}

std::vector<Arm> arms_of(const std::vector<const Result*>& results) {
  std::map<std::pair<std::string, std::string>, std::map<double, std::vector<const Result*>>> by_arm;
  for (const Result* r : results) by_arm[{r->mode, r->init}][r->fraction].push_back(r);
  std::vector<Arm> arms;
  for (const auto& [name, by_fraction] : by_arm) {
    arms.push_back({name.first, name.second, {}});
    for (const auto& [fraction, repeats] : by_fraction) arms.back().cells[fraction] = make_cell(repeats);
  }
  std::stable_sort(arms.begin(), arms.end(),
                   [](const Arm& a, const Arm& b) { return rank_of(a) < rank_of(b); });
  return arms;
}

Comparison compare_cells(const Cell& pretrained, const Cell& scratch) {
  Comparison c;
  c.pretrained = pretrained;
  c.scratch = scratch;
  std::vector<double> differences;
  for (const auto& [repeat, auc] : pretrained.auc)
    if (const auto other = scratch.auc.find(repeat); other != scratch.auc.end())
      differences.push_back(auc - other->second);
  c.pairs = static_cast<int>(differences.size());
  c.wins =
      static_cast<int>(std::count_if(differences.begin(), differences.end(), [](double d) { return d > 0; }));
  c.difference = differences.empty() ? pretrained.mean - scratch.mean : mean_of(differences);
  const double half =
      differences.size() < 2 ? kNan : t_half_width(deviation_of(differences), differences.size());
  c.low = c.difference - half;
  c.high = c.difference + half;
  c.spread = std::fmax(pretrained.deviation, scratch.deviation);  // fmax: a number beats NaN
  c.beyond_spread = c.difference > c.spread;
  return c;
}

}  // namespace

Cell make_cell(const std::vector<const Result*>& repeats) {
  Cell cell;
  std::vector<double> aucs, below, above;
  for (const Result* r : repeats) {
    aucs.push_back(r->auc);
    cell.auc[r->repeat] = r->auc;
    if (!std::isnan(r->low)) below.push_back(r->auc - r->low), above.push_back(r->high - r->auc);
    cell.train_groups = std::max(cell.train_groups, r->train_groups);
    cell.train_images = std::max(cell.train_images, r->train_images);
  }
  cell.repeats = static_cast<int>(aucs.size());
  cell.mean = mean_of(aucs);
  cell.deviation = deviation_of(aucs);
  const double draws = t_half_width(cell.deviation, aucs.size());
  if (below.empty() && draws == 0) {
    cell.low = cell.high = kNan;
    return cell;
  }
  cell.low = std::max(0.0, cell.mean - std::hypot(below.empty() ? 0 : mean_of(below), draws));
  cell.high = std::min(1.0, cell.mean + std::hypot(above.empty() ? 0 : mean_of(above), draws));
  return cell;
}

const Arm* CorpusStudy::find(const std::string& mode, const std::string& init) const {
  const auto found =
      std::find_if(arms.begin(), arms.end(), [&](const Arm& a) { return a.mode == mode && a.init == init; });
  return found == arms.end() ? nullptr : &*found;
}

Study make_study(std::vector<Result> results) {
  Study study;
  study.results = std::move(results);
  std::map<std::string, std::vector<const Result*>> by_corpus;
  std::set<double> fractions;
  for (const Result& r : study.results) {
    if (std::isnan(r.auc)) {
      study.left_out.push_back(
          cat(r.dir, ": its AUC is undefined (", r.n, " images, ", r.positives, " of them positive)"));
      continue;
    }
    by_corpus[r.corpus].push_back(&r);
    fractions.insert(r.fraction);
  }
  study.fractions.assign(fractions.begin(), fractions.end());
  for (const auto& [name, rows] : by_corpus) {
    CorpusStudy corpus;
    corpus.name = name;
    for (const Result* r : rows) {
      corpus.n = std::max(corpus.n, r->n);
      corpus.groups = std::max(corpus.groups, r->groups);
      corpus.positives = std::max(corpus.positives, r->positives);
      corpus.leakage = corpus.leakage || r->leakage;
    }
    corpus.arms = arms_of(rows);
    study.corpora.push_back(std::move(corpus));
  }
  const auto named = [&](const CorpusStudy& corpus) {
    std::size_t first = study.results.size();
    for (const Result* r : by_corpus[corpus.name]) first = std::min(first, r->given);
    return first;
  };
  std::stable_sort(study.corpora.begin(), study.corpora.end(),
                   [&](const CorpusStudy& a, const CorpusStudy& b) { return named(a) < named(b); });
  return study;
}

std::vector<Comparison> compare(const CorpusStudy& corpus) {
  std::vector<Comparison> all;
  for (const Arm& arm : corpus.arms) {
    const Arm* scratch = arm.init == "pretrained" ? corpus.find(arm.mode, "scratch") : nullptr;
    if (scratch == nullptr) continue;
    for (const auto& [fraction, cell] : arm.cells) {
      const auto other = scratch->cells.find(fraction);
      if (other == scratch->cells.end()) continue;
      Comparison c = compare_cells(cell, other->second);
      c.corpus = corpus.name;
      c.mode = arm.mode;
      c.fraction = fraction;
      for (const auto& [more, theirs] : scratch->cells)
        if (!c.same_from_scratch && more >= fraction && theirs.mean >= cell.mean) c.same_from_scratch = more;
      all.push_back(std::move(c));
    }
  }
  return all;
}

std::string fixed(double value, int digits) {
  if (std::isnan(value)) return "-";
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string percent(double fraction) {
  char text[48];
  std::snprintf(text, sizeof text, "%.3g %%", 100 * fraction);
  return text;
}

}  // namespace entrain::evaluation
