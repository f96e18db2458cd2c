#include "coordinator/audit_batches.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <optional>
#include <span>

#include "configs/cat.hpp"
#include "sharding/batch_digest.hpp"

// The work is cut into runs of consecutive steps, taken by the threads in turn, whatever epochs they cross: each keeps
// marks of its own, and what is left open at its ends is added up afterwards.
namespace entrain::coordinator {
namespace {

using checkpoint::Commit;
using sharding::BatchDigest;
using sharding::SamplePlan;
using sharding::Slot;

constexpr std::size_t kTold = 8;

// Steps first .. last of one commit.
struct Stretch {
  std::size_t commit, era;
  std::int64_t first, last, lane_images;
};
using Piece = std::vector<Stretch>;

struct Found {
  BatchAudit audit;
  std::size_t flaws = 0;  // `wrong` has the first of them
  std::vector<std::string> wrong;
};

std::string told(const Commit& commit) {
  return cat("line ", commit.record + 1, ": COMMIT of step ", commit.step, ": ");
}

// Else path_of() has said what is wrong with it.
bool tells_its_steps(const nlohmann::json& record, const Commit& commit) {
  const auto span = record.find("span");
  if (span == record.end() || !span->is_object() || commit.parent < 0 || commit.parent >= commit.step)
    return false;
  const auto batches = span->find("batches");
  return batches != span->end() && batches->is_array() &&
         batches->size() == static_cast<std::size_t>(commit.step - commit.parent);
}

BatchDigest digest_of(const std::vector<Slot>& slots, std::int64_t lane_images) {
  BatchDigest sum;
  const auto lane = static_cast<std::size_t>(lane_images);
  for (std::size_t at = 0; at < slots.size(); at += lane)
    sum += sharding::digest_of_lane(static_cast<std::int64_t>(at / lane), std::span(slots).subspan(at, lane));
  return sum;
}

void trace(const std::vector<Slot>& slots, const std::vector<std::int32_t>& group_of, std::int64_t step,
           std::size_t commit, BatchAudit& audit) {
  for (const Slot& slot : slots) {
    const std::int32_t group = group_of[static_cast<std::size_t>(slot.sample)];
    if (group < 0) continue;
    Hit& hit = audit.hits[{commit, static_cast<std::size_t>(group)}];
    if (hit.times++ == 0) hit.first_step = step, hit.first_epoch = slot.epoch;
    hit.last_step = step;
  }
}

class Auditor {
 public:
  Auditor(const std::vector<nlohmann::json>& ledger, const checkpoint::LedgerPath& path, const Eras& eras,
          const TracedSamples& traced)
      : ledger_(ledger), path_(path), eras_(eras), traced_(traced), plans_(eras.eras.size()) {}

  Found work(const std::vector<Piece>& pieces, std::atomic<std::size_t>& next) {
    Found found;
    for (const Era& era : eras_.eras) found.audit.marks.emplace_back(era.settings.num_samples);
    for (std::size_t i = next++; i < pieces.size(); i = next++)
      for (const Stretch& stretch : pieces[i]) check(stretch, found);
    return found;
  }

 private:
  // A thread's own plan: copies share a memory of the last few epochs, and would wait for each other.
  const SamplePlan& plan(std::size_t era) {
    if (!plans_[era]) plans_[era].emplace(eras_.eras[era].settings);
    return *plans_[era];
  }

  void check(const Stretch& stretch, Found& found) {
    const Commit& commit = path_.commits[stretch.commit];
    const auto& batches = ledger_[commit.record]["span"]["batches"];
    const SamplePlan& order = plan(stretch.era);
    const auto wrong = [&](std::int64_t step, const std::string& what) {
      ++found.flaws;
      if (found.wrong.size() < kTold) found.wrong.push_back(cat(told(commit), "step ", step, what));
    };
    for (std::int64_t step = stretch.first; step <= stretch.last; ++step) {
      const std::vector<Slot> slots = order.batch(step - 1);
      const auto& text = batches[static_cast<std::size_t>(step - commit.parent - 1)];
      const auto want = BatchDigest::from_hex(text.is_string() ? text.get_ref<const std::string&>() : "");
      const BatchDigest have = digest_of(slots, stretch.lane_images);
      if (!want || *want != have)
        wrong(step, cat(" trained on another batch than the plan's (digest ", text.dump(), ", the plan's ",
                        have.hex(), ')'));
      ++found.audit.checked;
      if (commit.counts)
        for (const Slot& slot : slots)
          if (!found.audit.marks[stretch.era].mark(slot.epoch, slot.sample))
            wrong(step, cat(" saw sample ", slot.sample, " again in epoch ", slot.epoch));
      if (!traced_.empty() && !traced_[stretch.era].empty())
        trace(slots, traced_[stretch.era], step, stretch.commit, found.audit);
    }
  }

  const std::vector<nlohmann::json>& ledger_;
  const checkpoint::LedgerPath& path_;
  const Eras& eras_;
  const TracedSamples& traced_;
  std::vector<std::optional<SamplePlan>> plans_;
};

// Those that count, in order, then the undone ones, in pieces of about `steps` steps.
std::vector<Piece> pieces_of(const std::vector<nlohmann::json>& ledger, const checkpoint::LedgerPath& path,
                             const Eras& eras, std::int64_t steps, std::vector<std::string>& wrong) {
  std::vector<std::size_t> order = path.path;
  for (std::size_t i = 0; i < path.commits.size(); ++i)
    if (!path.commits[i].counts) order.push_back(i);
  std::map<std::int64_t, std::int64_t> lane_images;
  for (const auto& record : ledger)
    if (record.value("kind", "") == "START")
      lane_images[record.value("generation", std::int64_t{0})] = record.value("lane_images", std::int64_t{0});
  std::vector<Piece> pieces(1);
  std::int64_t in_piece = 0;
  for (const std::size_t index : order) {
    const Commit& commit = path.commits[index];
    const auto era = eras.by_generation.find(commit.generation);
    if (era == eras.by_generation.end()) {
      wrong.push_back(cat(told(commit), "no START of generation ", commit.generation, " tells its plan"));
      continue;
    }
    if (!eras.eras[era->second].known || !tells_its_steps(ledger[commit.record], commit)) continue;
    if (const auto begins = eras.eras[era->second].settings.first_step; commit.parent < begins) {
      wrong.push_back(cat(told(commit), "step ", commit.parent + 1,
                          " comes before its plan, which begins at step ", begins + 1));
      continue;
    }
    for (std::int64_t first = commit.parent + 1; first <= commit.step;) {
      const std::int64_t last = std::min(commit.step, first + steps - in_piece - 1);
      pieces.back().push_back({index, era->second, first, last, lane_images[commit.generation]});
      in_piece += last - first + 1;
      first = last + 1;
      if (in_piece == steps) pieces.emplace_back(), in_piece = 0;
    }
  }
  return pieces;
}

void add(BatchAudit& sum, BatchAudit& part, std::vector<std::string>& wrong) {
  sum.checked += part.checked;
  for (std::size_t era = 0; era < part.marks.size(); ++era) {
    sum.marks[era].add(part.marks[era], [&](std::int64_t epoch, std::int64_t sample) {
      wrong.push_back(cat("epoch ", epoch, " saw sample ", sample, " in two parts of the run"));
    });
  }
  for (const auto& [key, hit] : part.hits) {
    Hit& all = sum.hits[key];
    if (all.times == 0 || hit.first_step < all.first_step)
      all.first_step = hit.first_step, all.first_epoch = hit.first_epoch;
    all.last_step = std::max(all.last_step, hit.last_step);
    all.times += hit.times;
  }
}

}  // namespace

BatchAudit audit_batches(const std::vector<nlohmann::json>& ledger, const checkpoint::LedgerPath& path,
                         const Eras& eras, const TracedSamples& traced, int threads,
                         std::vector<std::string>& wrong) {
  std::int64_t steps = 0;
  for (const Commit& commit : path.commits) steps += commit.step - commit.parent;
  const auto pieces = pieces_of(ledger, path, eras,
                                std::max<std::int64_t>(64, steps / (std::int64_t{4} * threads) + 1), wrong);
  std::atomic<std::size_t> next{0};
  std::vector<std::future<Found>> workers;
  for (int i = 0; i < threads; ++i)
    workers.push_back(std::async(std::launch::async,
                                 [&] { return Auditor(ledger, path, eras, traced).work(pieces, next); }));
  BatchAudit sum;
  for (const Era& era : eras.eras) sum.marks.emplace_back(era.settings.num_samples);
  Found all;
  for (auto& worker : workers) {
    Found found = worker.get();
    std::vector<std::string> twice;
    add(sum, found.audit, twice);
    all.flaws += found.flaws + twice.size();
    for (const auto* part : {&found.wrong, &twice})
      all.wrong.insert(all.wrong.end(), part->begin(), part->end());
  }
  if (all.wrong.size() > kTold) all.wrong.resize(kTold);
  wrong.insert(wrong.end(), all.wrong.begin(), all.wrong.end());
  if (all.flaws > all.wrong.size())
    wrong.push_back(cat("and ", all.flaws - all.wrong.size(), " more like these"));
  return sum;
}

}  // namespace entrain::coordinator
