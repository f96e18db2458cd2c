#include "coordinator/audit_checkpoints.hpp"

#include <algorithm>

#include "checkpoint/digest.hpp"
#include "checkpoint/find.hpp"
#include "checkpoint/manifest.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::coordinator {
namespace {

using checkpoint::Commit;

std::string start_of(const std::string& digest) { return digest.substr(0, 8) + ".."; }

// The newest commit of a step.
const Commit* commit_of(const checkpoint::LedgerPath& path, std::int64_t step) {
  const auto at = std::find_if(path.commits.rbegin(), path.commits.rend(),
                               [&](const Commit& c) { return c.step == step; });
  return at == path.commits.rend() ? nullptr : &*at;
}

class Comparison {
 public:
  Comparison(const checkpoint::LedgerText& ledger, const checkpoint::LedgerPath& path)
      : ledger_(ledger), path_(path) {}

  void compare(const std::string& name, const std::string& dir, const nlohmann::json& manifest,
               std::int64_t step) {
    const std::size_t behind = line_of_head(name, manifest);
    const Commit* commit = commit_of(path_, step);
    if (commit == nullptr || !commit->bad.empty()) {
      result.notes.push_back(
          commit == nullptr ? cat(name, " is not in the ledger; the next start promotes it if it is whole")
                            : cat(name, " is BAD in the ledger (", commit->bad,
                                  ") but stands in its place; the next start decides"));
      return;
    }
    const auto& record = ledger_.records[commit->record];
    const auto wrong = [&](const std::string& why) {
      result.wrong.push_back(cat(name, " and line ", commit->record + 1, " (its COMMIT) disagree: ", why));
    };
    const std::string have = checkpoint::digest_file(dir + "/manifest.json").sha256,
                      want = record.value("manifest_sha256", "");
    if (have != want)
      return wrong(cat("the manifest's SHA-256 is ", start_of(have), ", recorded is ", start_of(want)));
    for (const char* key : {"parent", "span", "weights_sha256"})
      if (manifest.contains(key) && (!record.contains(key) || record[key] != manifest[key]))
        return wrong(cat("the manifest's ", key, " is another"));
    if (behind > commit->record)
      return wrong(cat("it was committed behind line ", behind, ", which comes later"));
    result.on_disk.push_back(static_cast<std::size_t>(commit - path_.commits.data()));
    result.vouched_lines = std::max(result.vouched_lines, commit->record + 1);
  }

  DiskAudit result;

 private:
  // The line that was the last one when it was committed; 0: none was.
  std::size_t line_of_head(const std::string& name, const nlohmann::json& manifest) {
    if (!manifest.contains("ledger_head")) return 0;
    const auto head = manifest["ledger_head"].get<std::string>();
    if (head == std::string(64, '0')) return 0;
    const auto at = std::find(ledger_.digests.begin(), ledger_.digests.end(), head);
    if (at == ledger_.digests.end())
      result.wrong.push_back(
          cat(name, " was committed behind a line of SHA-256 ", start_of(head),
              ", which the ledger does not have: it lost lines at its end, or is another run's"));
    const auto line = static_cast<std::size_t>(at - ledger_.digests.begin()) + 1;
    if (at == ledger_.digests.end()) return 0;
    result.vouched_lines = std::max(result.vouched_lines, line);
    return line;
  }

  const checkpoint::LedgerText& ledger_;
  const checkpoint::LedgerPath& path_;
};

}  // namespace

DiskAudit audit_checkpoints(const std::string& run_dir, const checkpoint::LedgerText& ledger,
                            const checkpoint::LedgerPath& path) {
  Comparison comparison(ledger, path);
  for (const auto step : checkpoint::committed_steps(run_dir)) {
    const std::string name = checkpoint::step_name(step), dir = cat(run_dir, "/checkpoints/", name);
    try {
      comparison.compare(name, dir, checkpoint::read_manifest(dir), step);
    } catch (const std::exception& e) {
      comparison.result.wrong.push_back(cat(name, ": ", e.what()));
    }
  }
  DiskAudit& result = comparison.result;
  for (const auto& name : checkpoint::names_in(run_dir + "/checkpoints"))
    if (name.rfind("quarantine-", 0) == 0)
      result.notes.push_back(name + " was taken out of use and is kept to look at");
  if (!path.path.empty() &&
      std::find(result.on_disk.begin(), result.on_disk.end(), path.path.back()) == result.on_disk.end())
    result.notes.push_back(cat("the newest checkpoint of the ledger, of step ", path.last(),
                               ", is not on the disk: nothing vouches for the ledger's last lines"));
  return result;
}

}  // namespace entrain::coordinator
