#include "checkpoint/store.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "checkpoint/atomic_file.hpp"
#include "checkpoint/manifest.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"

namespace entrain::checkpoint {
namespace fs = std::filesystem;
namespace {

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

// What keeps a step from being resumed; empty: nothing. Fills `manifest`.
std::string why_not(const std::string& step_dir, nlohmann::json& manifest) {
  try {
    manifest = read_manifest(step_dir);
    std::string all;
    for (const auto& problem : problems_of(step_dir, manifest)) all += (all.empty() ? "" : "; ") + problem;
    return all;
  } catch (const CheckpointError& error) {
    return error.what();
  } catch (const nlohmann::json::exception& error) {
    return cat("manifest.json: ", error.what());
  }
}

}  // namespace

std::vector<std::int64_t> committed_steps(const std::string& run_dir) {
  std::vector<std::int64_t> steps;
  for (const auto& name : names_in(run_dir + "/checkpoints"))
    if (const auto step = parse_step_name(name)) steps.push_back(*step);
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

CheckpointStore::CheckpointStore(std::string run_dir, int keep, FileSystem& files)
    : run_dir_(std::move(run_dir)),
      folder_(run_dir_ + "/checkpoints"),
      keep_(std::max(keep, 2)),
      files_(files) {}

std::string CheckpointStore::folder_of(std::int64_t step) const { return cat(folder_, '/', step_name(step)); }
std::string CheckpointStore::half_of(std::int64_t step) const {
  return cat(folder_, "/.tmp-", step_name(step));
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

void CheckpointStore::commit(std::int64_t step, const std::vector<ShardVote>& votes,
                             const nlohmann::json& facts) {
  std::string failed;
  for (std::size_t rank = 0; rank < votes.size(); ++rank)
    if (!votes[rank].error.empty())
      failed += cat(failed.empty() ? "" : "; ", "rank ", rank, ": ", votes[rank].error);
  try {
    if (!failed.empty()) throw CheckpointError(failed);
    publish(step, votes, facts);
  } catch (const CheckpointError& error) {
    try {
      remove_all(half_of(step));
    } catch (const CheckpointError& also) {
      log(Level::kWarning, cat(also.what(), " (it is swept at the next start)"));
    }
    const auto steps = committed_steps(run_dir_);
    throw CheckpointError(cat("step ", step, " was not committed: ", error.what(),
                              steps.empty() ? "; nothing is committed yet"
                                            : cat("; the newest checkpoint is ", folder_of(steps[0]))));
  }
  known_whole_.insert(step);
  try {
    write_file_atomically(run_dir_ + "/LATEST", step_name(step) + '\n', files_);
    retain(step);
  } catch (const CheckpointError& error) {
    log(Level::kWarning, cat("step ", step, " is committed, but afterwards: ", error.what()));
  }
}

// Order is everything: a name must not be on the disk before what it names.
void CheckpointStore::publish(std::int64_t step, const std::vector<ShardVote>& votes,
                              const nlohmann::json& facts) {
  const std::string half = half_of(step),
                    manifest = manifest_text(step, static_cast<int>(votes.size()), votes, facts);
  std::set<std::string> voted;
  for (const auto& vote : votes) voted.insert(vote.file);
  for (const auto& name : names_in(half))  // left by a dead generation of more ranks
    if (voted.count(name) == 0) files_.remove_file(cat(half, '/', name));
  files_.make_folder(half);
  const auto file = files_.create(half + "/manifest.json.tmp");
  file->write(manifest.data(), manifest.size());
  file->sync();
  file->close();
  files_.rename(half + "/manifest.json.tmp", half + "/manifest.json");
  files_.sync_folder(half);
  if (fs::exists(folder_of(step))) to_trash(step_name(step));  // broken, or we would not be here again
  files_.rename(half, folder_of(step));
  files_.sync_folder(folder_);
}

std::optional<Found> CheckpointStore::newest_whole() const {
  Found found;
  for (const auto step : committed_steps(run_dir_)) {
    found.step = step;
    found.dir = folder_of(step);
    const std::string why = why_not(found.dir, found.manifest);
    if (why.empty()) return found;
    found.passed_over.push_back(cat(step_name(step), ": ", why));
  }
  return std::nullopt;
}

// Keeps the newest keep_ whole ones up to `newest` and whatever lies between them. Others are read back once
// before they count: a broken one must not be the reason to delete a whole one.
void CheckpointStore::retain(std::int64_t newest) {
  int whole = 0;
  for (const auto step : committed_steps(run_dir_)) {
    if (step > newest) continue;
    if (whole == keep_) {
      to_trash(step_name(step));
      known_whole_.erase(step);
      continue;
    }
    nlohmann::json manifest;
    if (known_whole_.count(step) != 0 || why_not(folder_of(step), manifest).empty()) {
      known_whole_.insert(step);
      ++whole;
    }
  }
}

void CheckpointStore::to_trash(const std::string& name) {
  const std::string trash = cat(folder_, "/.trash-", name);
  remove_all(trash);
  files_.rename(cat(folder_, '/', name), trash);
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
  for (const auto& name : names_in(folder_))
    if (name.rfind(".tmp-", 0) == 0 || name.rfind(".trash-", 0) == 0) remove_all(cat(folder_, '/', name));
}

Found open_checkpoint(const std::string& run_or_step_dir) {
  const std::string dir = fs::path(run_or_step_dir).lexically_normal();
  if (!fs::is_directory(dir)) throw CheckpointError(cat(dir, ": no such run or checkpoint folder"));
  if (fs::exists(dir + "/manifest.json")) {
    Found found{.dir = dir};
    const std::string why = why_not(dir, found.manifest);
    if (!why.empty()) throw CheckpointError(cat(dir, ": this checkpoint is broken: ", why));
    found.step = found.manifest.at("step");
    return found;
  }
  if (auto found = CheckpointStore(dir, 2).newest_whole()) return *found;
  std::string seen;
  for (const auto step : committed_steps(dir)) {
    nlohmann::json manifest;
    seen += cat("\n  ", step_name(step), ": ", why_not(cat(dir, "/checkpoints/", step_name(step)), manifest));
  }
  throw CheckpointError(cat(dir, ": looked for ", dir, "/checkpoints/step-*/manifest.json and found ",
                            seen.empty() ? "none" : "only broken ones:", seen));
}

}  // namespace entrain::checkpoint
