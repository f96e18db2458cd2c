#include "coordinator/audit_groups.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"
#include "sharding/exclusion.hpp"

namespace entrain::coordinator {
namespace {

[[noreturn]] void unknown(const std::string& group, const sharding::Corpus& corpus) {
  std::set<std::string> known;
  for (std::int64_t sample = 0; sample < corpus.size(); ++sample) known.emplace(corpus.group(sample));
  const std::string near = nearest(group, {known.begin(), known.end()});
  throw DataError(cat("the corpus of this run has no group \"", group, "\"",
                      near.empty() ? "" : cat("; did you mean \"", near, "\"?"), " (it has ", known.size(),
                      ", such as \"", *known.begin(), "\")"));
}

// Groups without a row here may stand in another split; if all asked for stand nowhere, it is a slip of the pen.
void look_elsewhere(RunCorpus& corpus, std::vector<GroupTrace>& traces) {
  if (std::all_of(traces.begin(), traces.end(), [](const auto& trace) { return trace.rows > 0; })) return;
  const sharding::Corpus all = corpus.of_all_splits();
  std::set<std::string, std::less<>> names;
  for (std::int64_t sample = 0; sample < all.size(); ++sample) names.emplace(all.group(sample));
  for (auto& trace : traces) trace.known = !trace.kept_under.empty() || names.count(trace.group) > 0;
  if (std::none_of(traces.begin(), traces.end(),
                   [](const auto& trace) { return trace.known || trace.ancestor; }))
    unknown(traces.front().group, all);
}

}  // namespace

void add_groups_kept_under(RunCorpus& corpus, std::vector<GroupTrace>& traces) {
  for (std::size_t i = 0, asked = traces.size(); i < asked; ++i) {
    traces[i].kept_under = corpus.whole().kept_under(traces[i].group);
    for (const auto& kept : std::vector<std::string>(traces[i].kept_under))
      if (std::none_of(traces.begin(), traces.end(), [&](const auto& t) { return t.group == kept; }))
        traces.push_back({.group = kept, .plans = {}, .saw = {}, .did_not = {}, .kept_under = {}});
  }
}

void mark_ancestors(const checkpoint::AncestorGroups& began, std::vector<GroupTrace>& traces) {
  for (auto& trace : traces)
    trace.ancestor =
        std::binary_search(began.groups.begin(), began.groups.end(), sharding::hash_of_group(trace.group));
}

TracedSamples samples_of_groups(const Eras& eras, RunCorpus& corpus, std::vector<GroupTrace>& traces) {
  const sharding::Corpus& whole = corpus.whole();
  if (!whole.has_groups())
    throw DataError("the corpus of this run has no groups (data.group), so nobody can be traced in it");
  std::map<std::string, std::int32_t, std::less<>> index;
  for (const auto& trace : traces) index.emplace(trace.group, static_cast<std::int32_t>(index.size()));
  const auto group_of = [&](const sharding::Corpus& in, std::int64_t sample) {
    const auto at = index.find(in.group(sample));
    return at == index.end() ? -1 : at->second;
  };
  for (std::int64_t sample = 0; sample < whole.size(); ++sample)
    if (const auto group = group_of(whole, sample); group >= 0)
      ++traces[static_cast<std::size_t>(group)].rows;
  look_elsewhere(corpus, traces);

  TracedSamples traced(eras.eras.size());
  for (std::size_t era = 0; era < eras.eras.size(); ++era) {
    for (auto& trace : traces) trace.plans.push_back({.plan = era});
    const sharding::Corpus here = corpus.without(eras.eras[era].left_out);
    if (here.size() != eras.eras[era].settings.num_samples) continue;  // eras_of() has said so
    traced[era].resize(static_cast<std::size_t>(here.size()));
    for (std::int64_t sample = 0; sample < here.size(); ++sample) {
      const auto group = traced[era][static_cast<std::size_t>(sample)] = group_of(here, sample);
      if (group >= 0) ++traces[static_cast<std::size_t>(group)].plans.back().rows;
    }
  }
  return traced;
}

void trace_groups(const BatchAudit& batches, const Eras& eras, const checkpoint::LedgerPath& path,
                  std::vector<GroupTrace>& traces) {
  for (std::size_t g = 0; g < traces.size(); ++g) {
    GroupTrace& trace = traces[g];
    std::vector<bool> saw(path.commits.size());
    for (std::size_t c = 0; c < path.commits.size(); ++c) {
      const auto& commit = path.commits[c];
      const auto hit = batches.hits.find({c, g});
      saw[c] = trace.ancestor || hit != batches.hits.end() ||
               (commit.before != checkpoint::Commit::kNone && saw[commit.before]);
      (saw[c] ? trace.saw : trace.did_not).push_back(c);
      const auto era = eras.by_generation.find(commit.generation);
      if (hit == batches.hits.end() || !commit.counts || era == eras.by_generation.end()) continue;
      GroupInPlan& in_plan = trace.plans[era->second];
      if (in_plan.first_epoch < 0)
        in_plan.first_step = hit->second.first_step, in_plan.first_epoch = hit->second.first_epoch;
      in_plan.last_step = hit->second.last_step;
      in_plan.times += hit->second.times;
    }
    for (std::size_t era = 0; era < eras.eras.size() && trace.excluded_line == 0; ++era)
      if (trace.rows > 0 && trace.plans[era].rows == 0) trace.excluded_line = eras.eras[era].start + 1;
  }
}

}  // namespace entrain::coordinator
