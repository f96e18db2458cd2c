#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sharding/corpus.hpp"
#include "sharding/sample_plan.hpp"

namespace entrain::coordinator {

/// The corpus of a run as its configuration names it, nobody left out; opened when it is first asked for.
class RunCorpus {
 public:
  RunCorpus(std::string run_dir, const std::vector<nlohmann::json>& ledger);
  /// DataError or ConfigError: it cannot be opened, or is not the one the run began with.
  const sharding::Corpus& whole();
  /// The same files with the rows of all splits, nobody left out.
  sharding::Corpus of_all_splits() const;
  /// Without the patients whose hashes are in `left_out`, numbered as the run numbered them.
  sharding::Corpus without(const std::vector<std::uint64_t>& left_out);
  /// Of samples of whole(): XXH3-64 of the image. Reads them all, on `threads` threads, the first time.
  const std::vector<std::uint64_t>& content_hashes(int threads);

 private:
  DataSection section() const;

  std::string run_dir_, want_digest_;
  nlohmann::json data_files_;
  std::optional<sharding::Corpus> corpus_;
  std::vector<std::uint64_t> hashes_;
};

/// One plan that the ledger's STARTs name.
struct Era {
  std::size_t start = 0;  ///< record of the first START with it
  nlohmann::json facts;   ///< START's "plan"
  sharding::PlanSettings settings;
  std::vector<std::uint64_t> left_out;  ///< hashes of groups
  bool known = false;                   ///< `settings` gives the plan of the ledger
  std::string why_unchecked;            ///< what could not be looked at; empty: nothing
};

struct Eras {
  std::vector<Era> eras;
  std::map<std::int64_t, std::size_t> by_generation;
};

/// Recomputes the plans of a ledger and compares their digests; what disagrees is added to `wrong`.
Eras eras_of(const std::vector<nlohmann::json>& ledger, RunCorpus& corpus, int threads,
             std::vector<std::string>& wrong);

}  // namespace entrain::coordinator
