#include "worker/stages/shared_corpus.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "configs/section.hpp"
#include "sharding/hdf5_file.hpp"
#include "worker/stages/together.hpp"

namespace entrain::worker {

namespace {

void tell_exclusion(const sharding::Exclusion& excluded, const std::string& file) {
  constexpr std::size_t kNamed = 5;
  if (!excluded.groups.empty())
    log(Level::kInfo,
        cat(file, ": ", excluded.groups.size(), " groups, ", excluded.images, " images, left out"));
  if (!excluded.joined.empty())
    log(Level::kInfo,
        cat(file, ": equal images are kept once, so these leave with the group they stand under: ",
            join(excluded.joined)));
  if (excluded.unknown.empty()) return;
  std::vector<std::string> first(excluded.unknown.begin(),
                                 excluded.unknown.begin() + std::min(kNamed, excluded.unknown.size()));
  log(Level::kWarning, cat(file, ": the corpus has no image of ", excluded.unknown.size(),
                           " of its groups, e.g. ", join(first)));
}

}  // namespace

sharding::Corpus open_corpus(Stage& stage) {
  std::optional<sharding::Corpus> corpus;
  together(stage.comm, [&] { corpus = sharding::Corpus::open(stage.config().data); });
  const sharding::Exclusion& excluded = corpus->excluded();
  const std::string mine =
      excluded.sha256.empty() ? corpus->digest() : cat(corpus->digest(), " without ", excluded.sha256);
  const auto digests = stage.comm.all_gather_text(mine);
  together(stage.comm, [&] {
    if (mine != digests[0])
      throw DataError(cat("this rank sees a corpus of digest ", mine, ", rank 0 one of ", digests[0],
                          "; do all nodes see the same files?"));
  });
  if (stage.leads()) tell_exclusion(excluded, stage.config().data.exclude_groups);
  return std::move(*corpus);
}

sharding::OrderChoice agreed_order(Stage& stage, const std::function<sharding::OrderChoice()>& choose) {
  const std::string mine = found_together(stage.comm, [&] { return sharding::order_facts(choose()).dump(); });
  return sharding::order_of_plan({{"slabs", nlohmann::json::parse(stage.comm.all_gather_text(mine)[0])}});
}

void require_labels(const sharding::Corpus& corpus, const DataSection& data) {
  const std::string file = corpus.place(0).file;
  if (!corpus.has_labels())
    throw DataError(cat(
        file, ": no label column", data.label == "auto" ? " /label" : "",
        "; this command needs a class per image. The file has: ", join(sharding::Hdf5File(file).datasets(20)),
        ". Name one of them in data.label, or ingest with --label-column"));
  if (corpus.class_names().size() < 2)
    throw DataError(cat(file, ": labels of one class only (", join(corpus.class_names()),
                        "); two are needed to tell them apart"));
}

std::vector<std::int64_t> labelled_samples(const sharding::Corpus& corpus) {
  std::vector<std::int64_t> samples;
  for (std::int64_t i = 0; i < corpus.size(); ++i)
    if (corpus.label(i) >= 0) samples.push_back(i);
  return samples;
}

std::int64_t num_groups(const sharding::Corpus& corpus) {
  std::unordered_set<std::uint64_t> groups;
  for (std::int64_t i = 0; i < corpus.size(); ++i) groups.insert(corpus.group_hash(i));
  return static_cast<std::int64_t>(groups.size());
}

}  // namespace entrain::worker
