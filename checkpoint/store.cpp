#include "checkpoint/store.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <list>
#include <set>
#include <utility>

#include "checkpoint/atomic_file.hpp"
#include "checkpoint/digest.hpp"
#include "checkpoint/find.hpp"
#include "checkpoint/manifest.hpp"
#include "checkpoint/reader.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"

namespace entrain::checkpoint {
namespace fs = std::filesystem;
namespace {

// Reads the shards back: what is on the disk opens, and holds these weights.
std::string digest_of_written(const std::string& folder, const std::vector<ShardVote>& votes) {
  std::list<SafetensorsFile> shards;
  std::map<std::string, TensorView> tensors;
  for (const ShardVote& vote : votes) {
    if (vote.file.empty()) continue;
    shards.emplace_back(cat(folder, '/', vote.file));
    for (const TensorView& tensor : shards.back().tensors()) tensors.emplace(tensor.name, tensor);
  }
  return weights_digest(tensors);
}

// An operation on the way out of another failure: the first one is to be told.
template <typename Act>
void if_possible(Act act) {
  try {
    act();
  } catch (const CheckpointError& also) {
    log(Level::kWarning, also.what());
  }
}

}  // namespace

CheckpointStore::CheckpointStore(std::string run_dir, Retention keep, FileSystem& files)
    : run_dir_(std::move(run_dir)), folder_(run_dir_ + "/checkpoints"), keep_(keep), files_(files) {
  keep_.last = std::max<std::int64_t>(keep_.last, 2);
}

std::string CheckpointStore::folder_of(std::int64_t step) const { return cat(folder_, '/', step_name(step)); }
std::string CheckpointStore::half_of(std::int64_t step) const {
  char generation[32];
  std::snprintf(generation, sizeof generation, "-g%04lld", static_cast<long long>(generation_));
  return cat(folder_, "/.tmp-", step_name(step), generation);
}

ShardVote CheckpointStore::write_shard(std::int64_t step, const std::vector<TensorView>& mine, int rank,
                                       int world) {
  try {
    if (mine.empty()) return {};
    files_.make_folder(half_of(step));
    const Metadata metadata{{"format", "pt"}, {"step", cat(step)}, {"shard", cat(rank, " of ", world)}};
    return write_shard_file(files_, half_of(step), rank, mine, metadata);
  } catch (const std::exception& error) {
    ShardVote vote;
    vote.error = error.what();
    return vote;
  }
}

void CheckpointStore::commit(std::int64_t step, const std::vector<ShardVote>& votes, nlohmann::json facts,
                             Ledger* ledger) {
  std::string failed;
  for (std::size_t rank = 0; rank < votes.size(); ++rank)
    if (!votes[rank].error.empty())
      failed += cat(failed.empty() ? "" : "; ", "rank ", rank, ": ", votes[rank].error);
  try {
    if (!failed.empty()) throw CheckpointError(failed);
    facts["generation"] = generation_;
    facts["time"] = std::time(nullptr);
    if (ledger != nullptr) facts["ledger_head"] = ledger->head();
    publish(step, votes, facts);
    if (ledger != nullptr) record(step, facts, *ledger);
  } catch (const CheckpointError& error) {
    if_possible([&] { remove_all(half_of(step)); });  // else it is swept at the next start
    if_possible([&] {
      if (ledger != nullptr) ledger->append({{"kind", "ABORT"}, {"step", step}, {"reason", error.what()}});
    });
    const auto steps = committed_steps(run_dir_);
    throw CheckpointError(cat("step ", step, " was not committed: ", error.what(),
                              steps.empty() ? "; nothing is committed yet"
                                            : cat("; the newest checkpoint is ", folder_of(steps[0]))));
  }
  known_whole_.insert(step);
  if_possible([&] { write_file_atomically(run_dir_ + "/LATEST", step_name(step) + '\n', files_); });
  if_possible([&] { retain(step); });
}

// Order is everything: a name must not be on the disk before what it names.
void CheckpointStore::publish(std::int64_t step, const std::vector<ShardVote>& votes, nlohmann::json& facts) {
  const std::string half = half_of(step);
  std::set<std::string> voted;
  for (const auto& vote : votes) voted.insert(vote.file);
  for (const auto& name : names_in(half))  // of an earlier try, on more ranks
    if (voted.count(name) == 0) files_.remove_file(cat(half, '/', name));
  files_.make_folder(half);
  facts["weights_sha256"] = digest_of_written(half, votes);
  const std::string manifest = manifest_text(step, static_cast<int>(votes.size()), votes, facts);
  const auto file = files_.create(half + "/manifest.json.tmp");
  file->write(manifest.data(), manifest.size());
  file->sync();
  file->close();
  files_.rename(half + "/manifest.json.tmp", half + "/manifest.json");
  files_.sync_folder(half);
  fence_();
  if (fs::exists(folder_of(step))) to_trash(step_name(step));  // broken, or we would not be here again
  files_.rename(half, folder_of(step));
  files_.sync_folder(folder_);
}

// A checkpoint that the ledger cannot tell of is none: the spans behind it would hang in the air.
void CheckpointStore::record(std::int64_t step, const nlohmann::json& facts, Ledger& ledger) {
  fence_();
  try {
    ledger.append(commit_record(folder_of(step), facts));
  } catch (const CheckpointError&) {
    if_possible([&] { to_trash(step_name(step)); });
    throw;
  }
}

nlohmann::json commit_record(const std::string& step_dir, const nlohmann::json& manifest) {
  nlohmann::json record{{"kind", "COMMIT"},
                        {"step", *parse_step_name(fs::path(step_dir).filename())},
                        {"manifest_sha256", digest_file(step_dir + "/manifest.json").sha256}};
  for (const char* key : {"epoch", "generation", "parent", "span", "weights_sha256"})
    if (manifest.contains(key)) record[key] = manifest[key];
  return record;
}

std::string CheckpointStore::quarantine(std::int64_t step, const std::string& reason, Ledger* ledger) {
  std::string name = cat("quarantine-", step_name(step));
  for (int again = 2; fs::exists(cat(folder_, '/', name)); ++again)
    name = cat("quarantine-", step_name(step), '-', again);
  if (ledger != nullptr)
    ledger->append({{"kind", "BAD"}, {"step", step}, {"reason", reason}, {"moved_to", name}});
  files_.rename(folder_of(step), cat(folder_, '/', name));
  files_.sync_folder(folder_);
  known_whole_.erase(step);
  return name;
}

Candidate CheckpointStore::candidate(std::int64_t step) {
  const auto known = candidates_.find(step);
  if (known != candidates_.end()) return known->second;
  Candidate c{.step = step};
  try {
    const auto manifest = read_manifest(folder_of(step));
    c.time = manifest.value("time", 0.0);
    if (manifest.contains("metric") && manifest["metric"].is_number()) c.metric = manifest["metric"];
  } catch (const CheckpointError&) {  // broken: neither hourly nor best
  }
  return candidates_[step] = c;
}

// The newest keep_.last whole ones up to `newest`, and whatever lies between them, are never looked at again. Others
// are read back once before they count: a broken one must not be the reason to delete a whole one.
void CheckpointStore::retain(std::int64_t newest) {
  std::int64_t whole = 0;
  std::vector<Candidate> older, kept;
  for (const auto step : committed_steps(run_dir_)) {
    if (step > newest) continue;
    (whole == keep_.last ? older : kept).push_back(candidate(step));
    if (whole == keep_.last) continue;
    nlohmann::json manifest;
    if (known_whole_.count(step) != 0 || why_broken(folder_of(step), manifest).empty()) {
      known_whole_.insert(step);
      ++whole;
    }
  }
  for (const auto step : expired(older, kept, keep_)) {
    to_trash(step_name(step));
    known_whole_.erase(step);
    candidates_.erase(step);
  }
}

void CheckpointStore::to_trash(const std::string& name) {
  const std::string trash = cat(folder_, "/.trash-", name);
  remove_all(trash);
  files_.rename(cat(folder_, '/', name), trash);
  files_.sync_folder(folder_);  // else a crash could bring the name back without its manifest
  remove_all(trash);
}

// The manifest first: what is left of an interrupted deletion must not look committed.
void CheckpointStore::remove_all(const std::string& folder) {
  if (!fs::exists(folder)) return;
  files_.remove_file(folder + "/manifest.json");
  for (const auto& name : names_in(folder)) files_.remove_file(cat(folder, '/', name));
  files_.remove_folder(folder);
}

void CheckpointStore::sweep() {
  if (fs::exists(folder_) && !fs::is_directory(folder_))
    throw CheckpointError(cat(folder_, ": is not a folder, so nothing could be committed; move it away"));
  for (const auto& name : names_in(folder_))
    if (name.rfind(".tmp-", 0) == 0 || name.rfind(".trash-", 0) == 0) remove_all(cat(folder_, '/', name));
}

}  // namespace entrain::checkpoint
