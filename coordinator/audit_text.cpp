#include <algorithm>
#include <iomanip>
#include <sstream>

#include "checkpoint/manifest.hpp"
#include "configs/cat.hpp"
#include "configs/section.hpp"
#include "coordinator/audit.hpp"
#include "coordinator/number_text.hpp"

namespace entrain::coordinator {
namespace {

constexpr std::size_t kListed = 6, kWide = 28;

std::string row(const std::string& name, const std::string& value, std::size_t width = 13) {
  return cat("  ", name, std::string(name.size() < width ? width - name.size() : 1, ' '), value, '\n');
}

std::string plural(std::int64_t count, const char* what) {
  return cat(grouped(count), ' ', what, count == 1 ? "" : "s");
}

std::string listed(const std::vector<std::string>& all) {
  if (all.size() <= kListed) return join(all);
  return cat(join({all.begin(), all.begin() + kListed}), " and ", all.size() - kListed, " more");
}

std::vector<std::string> texts(const std::vector<std::int64_t>& numbers) {
  std::vector<std::string> all;
  for (const auto n : numbers) all.push_back(cat(n));
  return all;
}

std::string commits_text(const AuditReport& r) {
  std::int64_t counting = 0;
  std::vector<std::string> undone;
  for (const auto& c : r.commits) {
    counting += c.counts;
    if (!c.counts) undone.push_back(cat(c.step, c.bad.empty() ? "" : " BAD"));
  }
  std::string text = cat("1 to ", grouped(r.last_step), " in ", plural(counting, "commit"));
  if (!undone.empty()) text += cat("; ", undone.size(), " undone (step ", listed(undone), ")");
  return text;
}

std::string open_text(const OpenEpoch& open, std::int64_t of) {
  return cat("epoch ", open.epoch, open.cut ? " cut: " : " not over: ", grouped(open.seen), " of ",
             grouped(of));
}

std::string plan_table(const AuditReport& r) {
  std::ostringstream out;
  out << "\n  " << std::left << std::setw(19) << "steps" << std::right << std::setw(12) << "images"
      << std::setw(8) << "batch"
      << "  " << std::left << std::setw(10) << "same group" << std::right << std::setw(10) << "left out"
      << std::setw(16) << "whole epochs"
      << "  besides\n";
  for (const auto& p : r.plans) {
    std::string besides = p.why_unchecked.empty() ? "" : "not checked, see below";
    for (const auto& open : p.open)
      besides += cat(besides.empty() ? "" : "; ", open_text(open, p.num_samples));
    out << "  " << std::left << std::setw(19)
        << (p.last == 0 ? std::string("none that counts") : cat(grouped(p.first), " - ", grouped(p.last)))
        << std::right << std::setw(12) << grouped(p.num_samples) << std::setw(8) << grouped(p.global_batch)
        << "  " << std::left << std::setw(10) << p.same_group << std::right << std::setw(10)
        << (p.images_left_out == 0 ? "-" : grouped(p.images_left_out)) << std::setw(16)
        << grouped(p.whole_epochs) << (besides.empty() ? "" : "  ") << besides << '\n';
  }
  return out.str();
}

// "12 commits, the first of step 8; on the disk step-00000096, step-00000104"
std::string commits_of(const AuditReport& r, const std::vector<std::size_t>& which, bool from) {
  if (which.empty()) return "none";
  std::vector<std::string> on_disk;
  std::int64_t first = r.commits[which.front()].step, last = first;
  for (const std::size_t c : which) {
    first = std::min(first, r.commits[c].step);
    last = std::max(last, r.commits[c].step);
    if (r.commits[c].on_disk) on_disk.push_back(checkpoint::step_name(r.commits[c].step));
  }
  return cat(plural(static_cast<std::int64_t>(which.size()), "checkpoint"),
             from ? ", the first of step " : ", the last of step ", from ? first : last,
             on_disk.empty() ? "; none on the disk" : "; on the disk ", join(on_disk));
}

std::string group_text(const AuditReport& r, const GroupTrace& g) {
  std::string out = cat("\ngroup ", g.group, ": ",
                        g.rows > 0              ? cat(plural(g.rows, "image"), " in the corpus")
                        : !g.kept_under.empty() ? "no image under this id in the corpus"
                        : g.known               ? "in the files, but in none of the splits that this run used"
                                                : "not in the corpus; is the id right?",
                        '\n');
  if (!g.kept_under.empty())
    out += row("equal images", cat("kept once, under ", join(g.kept_under), ": see there"), kWide);
  if (g.ancestor)
    out += row("before step 1", cat("seen by the weights it began from, ", r.began_from), kWide);
  for (const auto& p : g.plans) {
    const auto& plan = r.plans[p.plan];
    const std::string steps =
        plan.last == 0 ? "no step" : cat("steps ", grouped(plan.first), " - ", grouped(plan.last));
    std::string text = g.rows == 0 ? "no image of it" : cat("left out by the START in line ", plan.line);
    if (p.rows > 0)
      text = p.times == 0 ? "not seen"
                          : cat("first seen in step ", grouped(p.first_step), " (epoch ", p.first_epoch,
                                "), last in step ", grouped(p.last_step), ", ", plural(p.times, "time"));
    out += row(steps, text, kWide);
  }
  return out + row("saw it", commits_of(r, g.saw, true), kWide) +
         row("did not", commits_of(r, g.did_not, false), kWide);
}

std::string verdict(const AuditReport& r) {
  if (!r.wrong.empty())
    return cat("NOT PROVEN: ", r.wrong.size() == 1 ? "one thing disagrees" : "things disagree");
  if (!r.unchecked.empty()) return "NOT PROVEN: not everything could be checked";
  return cat("proven: steps 1 to ", grouped(r.last_step),
             " tile without gap or overlap, and every whole epoch saw each image exactly once");
}

}  // namespace

std::string audit_text(const AuditReport& r) {
  std::string out = cat("audit of ", r.run, "\n\n");
  if (r.lines > 0) {
    out += row("ledger", cat(plural(static_cast<std::int64_t>(r.lines), "line"), " in one chain, ", r.from,
                             " to ", r.until));
    out += row("generations", cat(r.generations, ", on ", listed(texts(r.worlds)), " ranks"));
    if (r.last_step > 0) out += row("steps", commits_text(r));
    out += row("batches", cat(grouped(r.checked_steps), " computed again from the plan, image by image"));
    out += row(
        "checkpoints",
        cat(r.checkpoints_on_disk, " on the disk, manifests as recorded (entrain verify reads every byte)",
            r.vouched_lines == 0 ? "" : cat("; they vouch for lines 1 to ", r.vouched_lines)));
    out += plan_table(r);
  }
  for (const auto& g : r.groups) out += group_text(r, g);
  out += '\n';
  for (const auto& text : r.wrong) out += row("WRONG", text);
  for (const auto& text : r.unchecked) out += row("not checked", text);
  for (const auto& text : r.notes) out += row("mind", text);
  return out + verdict(r) + '\n';
}

}  // namespace entrain::coordinator
