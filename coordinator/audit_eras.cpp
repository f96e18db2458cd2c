#include "coordinator/audit_eras.hpp"

#include <algorithm>
#include <charconv>
#include <future>
#include <numeric>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/reader.hpp"
#include "sharding/batch_classes.hpp"
#include "sharding/order_choice.hpp"

namespace entrain::coordinator {
namespace {

using sharding::Corpus;
using sharding::SamplePlan;

std::vector<std::uint64_t> left_out_of(const nlohmann::json& facts) {
  std::vector<std::uint64_t> hashes;
  const auto excluded = facts.value("excluded", nlohmann::json::object());
  for (const auto& text : excluded.value("groups", std::vector<std::string>())) {
    std::uint64_t hash = 0;
    std::from_chars(text.data(), text.data() + text.size(), hash, 16);
    hashes.push_back(hash);
  }
  std::sort(hashes.begin(), hashes.end());
  return hashes;
}

std::vector<std::uint32_t> classes_without(RunCorpus& corpus, const std::vector<std::uint64_t>& left_out,
                                           int threads) {
  const Corpus& whole = corpus.whole();
  const auto& all = corpus.content_hashes(threads);
  std::vector<std::uint64_t> hashes;
  for (std::int64_t sample = 0; sample < whole.size(); ++sample)
    if (!std::binary_search(left_out.begin(), left_out.end(), whole.group_hash(sample)))
      hashes.push_back(all[static_cast<std::size_t>(sample)]);
  return sharding::batch_classes(corpus.without(left_out), hashes);
}

// What the START says of the corpus and is not so; empty: nothing.
std::string flaw_of_corpus(const Era& era, const Corpus& corpus, std::int64_t whole) {
  if (corpus.size() != era.settings.num_samples)
    return cat("its plan has ", era.settings.num_samples, " images but the corpus has ", corpus.size(),
               " of ", whole, era.left_out.empty() ? "" : " without the groups it leaves out");
  const auto excluded = era.facts.value("excluded", nlohmann::json::object());
  if (excluded.value("images", std::int64_t{0}) != corpus.excluded().images ||
      excluded.value("sha256", "") != corpus.excluded().sha256)
    return cat("its plan leaves out ", excluded.value("images", std::int64_t{0}),
               " images of groups of SHA-256 \"", excluded.value("sha256", ""), "\" but those groups are ",
               corpus.excluded().images, " images and have SHA-256 \"", corpus.excluded().sha256, '"');
  return "";
}

// Slabs as the run found them in its files, of the samples that the corpus has; empty without.
sharding::SlabSettings slabs_of(const Era& era, const Corpus& corpus, std::string& flaw) {
  const auto told = era.facts.find("slabs");
  if (told == era.facts.end()) return {};
  auto slabs = sharding::slab_settings(corpus, sharding::order_of_plan(era.facts), told->at("lane_images"));
  const std::string digest = sharding::digest_of_slabs(slabs.ends);
  if (digest != told->at("digest"))
    flaw = cat("its plan's slabs have digest ", told->at("digest"),
               " but the corpus gives slabs of digest \"", digest, '"');
  return slabs;
}

// Fills settings; `flaw`: what in the START is not so.
void settle(Era& era, RunCorpus& corpus, int threads, std::string& flaw) {
  const auto& facts = era.facts;
  era.left_out = left_out_of(facts);
  era.settings.num_samples = facts.at("num_samples");
  era.settings.global_batch = facts.at("global_batch");
  era.settings.seed = facts.at("seed");
  era.settings.first_step = facts.value("first_step", std::int64_t{0});
  era.settings.first_epoch = facts.value("first_epoch", std::int64_t{0});
  const bool forbid = facts.value("same_group", "allow") == "forbid", windows = facts.contains("slabs");
  try {
    if (forbid || windows || !era.left_out.empty())
      flaw = flaw_of_corpus(era, corpus.without(era.left_out), corpus.whole().size());
    if (!flaw.empty()) return;
    if (forbid) era.settings.classes = classes_without(corpus, era.left_out, threads);
    if (windows) era.settings.slabs = slabs_of(era, corpus.without(era.left_out), flaw);
    if (!flaw.empty()) return;
  } catch (const Error& e) {
    era.why_unchecked = e.what();
    if (forbid || windows) return;
  }
  const SamplePlan plan(era.settings);
  era.known = plan.digest() == facts.at("digest");
  if (!era.known)
    flaw = cat("its plan's digest is ", facts.at("digest").get<std::string>(), " but its settings give ",
               plan.digest());
}

}  // namespace

RunCorpus::RunCorpus(std::string run_dir, const std::vector<nlohmann::json>& ledger)
    : run_dir_(std::move(run_dir)) {
  for (const auto& record : ledger) {
    if (record.value("kind", "") != "START") continue;
    if (want_digest_.empty()) want_digest_ = record.value("corpus_digest", "");
    if (record.contains("data_files")) data_files_ = record["data_files"];
  }
}

DataSection RunCorpus::section() const {
  DataSection data = read_run_config(run_dir_ + "/config.resolved.yaml", {}).config.data;
  if (data_files_.is_array()) data.files = data_files_.get<std::vector<std::string>>();
  data.exclude_groups.clear();
  return data;
}

Corpus RunCorpus::of_all_splits() const {
  DataSection data = section();
  data.use_splits.clear();
  return Corpus::open(data);
}

const Corpus& RunCorpus::whole() {
  if (corpus_) return *corpus_;
  Corpus corpus = Corpus::open(section());
  if (corpus.digest() != want_digest_)
    throw DataError(cat("the data files are not those of the run: their corpus digest is ", corpus.digest(),
                        " but the ledger says ", want_digest_));
  corpus_.emplace(std::move(corpus));
  return *corpus_;
}

Corpus RunCorpus::without(const std::vector<std::uint64_t>& left_out) {
  return sharding::without_groups(
      whole(), {.sha256 = {}, .groups = left_out, .images = 0, .unknown = {}, .joined = {}});
}

const std::vector<std::uint64_t>& RunCorpus::content_hashes(int threads) {
  if (!hashes_.empty()) return hashes_;
  const Corpus& corpus = whole();
  const std::int64_t part = (corpus.size() + threads - 1) / threads;
  std::vector<std::future<std::vector<std::uint64_t>>> parts;
  for (std::int64_t first = 0; first < corpus.size(); first += part)
    parts.push_back(std::async(std::launch::async, [&corpus, first, part] {
      return sharding::content_hashes(corpus, first, std::min(part, corpus.size() - first));
    }));
  std::vector<std::uint64_t> all;
  for (auto& done : parts) {
    const auto hashes = done.get();
    all.insert(all.end(), hashes.begin(), hashes.end());
  }
  return hashes_ = std::move(all);
}

Eras eras_of(const std::vector<nlohmann::json>& ledger, RunCorpus& corpus, int threads,
             std::vector<std::string>& wrong) {
  Eras result;
  std::map<std::string, std::size_t> known;
  std::string corpus_digest;
  for (std::size_t i = 0; i < ledger.size(); ++i) {
    const auto& start = ledger[i];
    if (start.value("kind", "") != "START") continue;
    const auto disagrees = [&](const std::string& why) {
      wrong.push_back(cat("line ", i + 1, ": START: ", why));
    };
    try {
      const std::string digest = start.value("corpus_digest", "");
      if (corpus_digest.empty()) corpus_digest = digest;
      if (digest != corpus_digest)
        disagrees(cat("its corpus has digest ", digest, ", that of the first ", corpus_digest));
      const auto& facts = start.at("plan");
      if (!facts.is_object()) throw DataError("its plan is no object");
      const auto generation = start.value("generation", std::int64_t{0});
      if (start.at("lanes").get<std::int64_t>() * start.at("lane_images").get<std::int64_t>() !=
          facts.at("global_batch").get<std::int64_t>())
        throw DataError(cat(start.at("lanes"), " lanes of ", start.at("lane_images"),
                            " images are not a global batch of ", facts.at("global_batch")));
      if (start.at("lanes") < 1) throw DataError(cat("want lanes, got ", start.at("lanes")));
      const auto [at, is_new] = known.emplace(facts.dump(), result.eras.size());
      result.by_generation[generation] = at->second;
      if (!is_new) continue;
      result.eras.push_back(
          {.start = i, .facts = facts, .settings = {}, .left_out = {}, .known = false, .why_unchecked = {}});
      std::string flaw;
      settle(result.eras.back(), corpus, threads, flaw);
      if (!flaw.empty()) disagrees(flaw);
    } catch (const std::exception& e) {  // a field that is not there; a plan that cannot be
      disagrees(e.what());
    }
  }
  return result;
}

}  // namespace entrain::coordinator
