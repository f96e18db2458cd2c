#include "worker/stages/finetune_sets.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"
#include "sharding/label_fraction.hpp"
#include "worker/stages/shared_corpus.hpp"

namespace entrain::worker {
namespace {

// "train (70 labelled images), test (20)"
std::string splits_of(const sharding::Corpus& corpus) {
  std::map<std::string, std::int64_t, std::less<>> counts;
  for (const std::int64_t i : labelled_samples(corpus)) ++counts[std::string(corpus.split(i))];
  std::string text;
  for (const auto& [name, count] : counts) {
    const std::string shown = name.empty() ? "\"\"" : name;
    text += text.empty() ? cat(shown, " (", count, " labelled images)") : cat(", ", shown, " (", count, ')');
  }
  return text.empty() ? "none with labelled images" : text;
}

sharding::Corpus labelled_of_split(const sharding::Corpus& corpus, const std::string& split,
                                   const std::string& key) {
  std::vector<std::int64_t> samples = corpus.samples_of_split(split);
  std::erase_if(samples, [&](std::int64_t i) { return corpus.label(i) < 0; });
  if (samples.empty())
    throw DataError(cat(corpus.place(0).file, ": no labelled image in split \"", split, "\" (", key,
                        "); splits here: ", splits_of(corpus), ". Set ", key,
                        " to one of them; data.use_splits hides the splits it does not name"));
  return corpus.subset(samples);
}

std::vector<std::int64_t> drawn_samples(const sharding::Corpus& pool, const RunConfig& config) {
  std::vector<std::uint64_t> groups;
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < pool.size(); ++i) {
    groups.push_back(pool.group_hash(i));
    labels.push_back(pool.label(i));
  }
  return sharding::draw_fraction(groups, labels, config.finetune.label_fraction, config.run.seed,
                                 static_cast<std::uint32_t>(config.finetune.repeat));
}

void require_two_classes(const sharding::Corpus& corpus, const std::string& split, const char* why) {
  std::set<std::int64_t> classes;
  for (std::int64_t i = 0; i < corpus.size(); ++i) classes.insert(corpus.label(i));
  if (classes.size() < 2)
    throw DataError(cat(corpus.place(0).file, ": the ", corpus.size(), " labelled images of split \"", split,
                        "\" are all \"", corpus.class_names()[static_cast<std::size_t>(*classes.begin())],
                        "\"; ", why));
}

}  // namespace

void require_utf8_classes(const sharding::Corpus& corpus) {
  for (const std::string& name : corpus.class_names())
    if (!is_utf8(name))
      throw DataError(cat(corpus.place(0).file, ": the label \"", printable(name),
                          "\" is not UTF-8; write the labels (or the attribute class_names) anew as UTF-8"));
}

FinetuneSets finetune_sets(const sharding::Corpus& corpus, const RunConfig& config) {
  const FinetuneSection& finetune = config.finetune;
  require_labels(corpus, config.data);
  require_utf8_classes(corpus);
  if (!corpus.has_splits())
    throw DataError(
        cat(corpus.place(0).file,
            ": no split column, so nothing says which patients train and which choose. Make one with "
            "`entrain ingest images ... --make-split 70/10/20` (by patient), or name a dataset of "
            "split names in data.split"));
  if (finetune.train_split == finetune.val_split)
    throw ConfigError(cat("finetune.val_split: want another split than finetune.train_split, got \"",
                          finetune.val_split, "\" for both; what was trained on cannot choose"));
  const sharding::Corpus pool = labelled_of_split(corpus, finetune.train_split, "finetune.train_split");
  sharding::Corpus val = labelled_of_split(corpus, finetune.val_split, "finetune.val_split");
  require_two_classes(pool, finetune.train_split, "a classifier needs two to learn from");
  require_two_classes(val, finetune.val_split, "an AUC needs two, and it is what chooses");
  sharding::Corpus train = pool.subset(drawn_samples(pool, config));
  const std::int64_t train_groups = num_groups(train), val_groups = num_groups(val);
  return {std::move(train), std::move(val), train_groups, val_groups};
}

}  // namespace entrain::worker
