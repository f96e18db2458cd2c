#pragma once
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace entrain::checkpoint {

/// A COMMIT of a ledger: steps parent + 1 .. step, trained from what `before` committed.
struct Commit {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::size_t record = 0;  ///< of the ledger's records; it stands in line record + 1
  std::int64_t step = 0, parent = 0, generation = 0;
  std::size_t before =
      kNone;  ///< index of the commit of `parent` that this one was trained from; kNone: the beginning
  bool counts = false;  ///< on the path that counts; else it was undone
  std::string bad;      ///< the reason of its BAD record; empty: none
};

/// Which steps of a run count. From the newest COMMIT that is not BAD, parent by parent, to the beginning: what is not
/// on this path was undone, its steps were trained again or not at all.
struct LedgerPath {
  std::vector<Commit> commits;  ///< all, in the order of the ledger
  std::vector<std::size_t>
      path;  ///< indices of those that count, first step first; their spans tile 1 .. last()
  std::vector<std::string>
      wrong;  ///< "line 12: COMMIT of step 24: its span begins at 18, not behind its parent 16"

  std::int64_t last() const { return path.empty() ? 0 : commits[path.back()].step; }
};

/// Of the records of read_ledger(). Never throws for what a record says: that is in `wrong`.
LedgerPath path_of(const std::vector<nlohmann::json>& records);

}  // namespace entrain::checkpoint
