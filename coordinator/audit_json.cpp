#include <algorithm>

#include "coordinator/audit.hpp"

namespace entrain::coordinator {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kMissingListed = 10'000;

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json to_json(const OpenEpoch& open, std::int64_t of) {
  const auto listed = std::min(open.missing.size(), kMissingListed);
  return {{"epoch", open.epoch},
          {"seen", open.seen},
          {"of", of},
          {"why", open.cut ? "cut: other groups are left out from then on" : "not over"},
          {"not_seen", std::vector<std::int64_t>(open.missing.begin(),
                                                 open.missing.begin() + static_cast<std::ptrdiff_t>(listed))},
          {"not_seen_all_listed", listed == open.missing.size()}};
}

Json to_json(const AuditedPlan& p) {
  Json open = Json::array();
  for (const auto& epoch : p.open) open.push_back(to_json(epoch, p.num_samples));
  return {{"line", p.line},
          {"first_step", p.first},
          {"last_step", p.last},
          {"images", p.num_samples},
          {"global_batch", p.global_batch},
          {"seed", p.seed},
          {"same_group", p.same_group},
          {"groups_left_out", p.groups_left_out},
          {"images_left_out", p.images_left_out},
          {"whole_epochs", p.whole_epochs},
          {"open_epochs", open},
          {"not_checked", or_null(p.why_unchecked)}};
}

Json to_json(const AuditReport& r, const GroupTrace& g) {
  Json plans = Json::array();
  for (const auto& p : g.plans)
    plans.push_back({{"plan_of_line", r.plans[p.plan].line},
                     {"images", p.rows},
                     {"first_step", p.times == 0 ? Json() : Json(p.first_step)},
                     {"first_epoch", p.times == 0 ? Json() : Json(p.first_epoch)},
                     {"last_step", p.times == 0 ? Json() : Json(p.last_step)},
                     {"times", p.times}});
  const auto commits = [&](const std::vector<std::size_t>& which) {
    Json all = Json::array();
    for (const std::size_t c : which)
      all.push_back(
          {{"step", r.commits[c].step}, {"line", r.commits[c].line}, {"on_disk", r.commits[c].on_disk}});
    return all;
  };
  return {{"group", g.group},
          {"images", g.rows},
          {"known", g.known},
          {"kept_under", g.kept_under},
          {"seen_by_ancestor", g.ancestor},
          {"plans", plans},
          {"saw", commits(g.saw)},
          {"did_not_see", commits(g.did_not)},
          {"left_out_by_line", g.excluded_line == 0 ? Json() : Json(g.excluded_line)}};
}

}  // namespace

Json audit_json(const AuditReport& r) {
  Json plans = Json::array(), commits = Json::array(), groups = Json::array();
  for (const auto& p : r.plans) plans.push_back(to_json(p));
  for (const auto& c : r.commits)
    commits.push_back({{"line", c.line},
                       {"step", c.step},
                       {"generation", c.generation},
                       {"counts", c.counts},
                       {"on_disk", c.on_disk},
                       {"bad", or_null(c.bad)}});
  for (const auto& g : r.groups) groups.push_back(to_json(r, g));
  return {{"run", r.run},
          {"proven", r.exit_code() == 0},
          {"wrong", r.wrong},
          {"not_checked", r.unchecked},
          {"notes", r.notes},
          {"ledger",
           {{"lines", r.lines},
            {"from", r.from},
            {"until", r.until},
            {"vouched_lines", r.vouched_lines},
            {"torn", or_null(r.torn)}}},
          {"generations", r.generations},
          {"worlds", r.worlds},
          {"last_step", r.last_step},
          {"checked_steps", r.checked_steps},
          {"checkpoints_on_disk", r.checkpoints_on_disk},
          {"plans", plans},
          {"commits", commits},
          {"groups", groups}};
}

}  // namespace entrain::coordinator
