#include "tests/worker/stages/small_study.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "checkpoint/reader.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/philox.hpp"
#include "sharding/hdf5_writer.hpp"
#include "tests/support/ranks.hpp"

namespace entrain::tests {
namespace {

constexpr std::int64_t kSide = 32;

std::string split_of(std::int64_t patient) {
  // The class changes with every patient, the split with every other: both classes in each.
  const std::int64_t place = patient / 2 % 6;
  return place < 4 ? "train" : place == 4 ? "val" : "test";
}

// A bar of 5 x 16 somewhere, lying or standing, brighter than the noise around it.
void draw(std::vector<std::byte>& out, bool lying, std::int64_t channels, Draws& draws) {
  const auto top = static_cast<std::int64_t>(draws.below(kSide - 16)),
             left = static_cast<std::int64_t>(draws.below(kSide - 16));
  for (std::int64_t y = 0; y < kSide; ++y)
    for (std::int64_t x = 0; x < kSide; ++x) {
      const std::int64_t along = lying ? x - left : y - top, across = lying ? y - top : x - left;
      const bool in_bar = 0 <= along && along < 16 && 0 <= across && across < 5;
      const double grey = 60 + 40 * draws.uniform_double() + (in_bar ? 120 : 0);
      for (std::int64_t c = 0; c < channels; ++c) out.push_back(static_cast<std::byte>(std::lround(grey)));
    }
}

}  // namespace

void write_corpus(const std::string& path, const SmallCorpus& corpus) {
  std::vector<std::byte> bytes;
  std::vector<std::string> groups, splits;
  std::vector<std::int64_t> labels;
  for (std::int64_t patient = 0; patient < corpus.patients; ++patient) {
    const std::string split = split_of(patient);
    const std::uint64_t seed = corpus.seed + (split == corpus.redraw_split ? 1000 : 0);
    const bool finding =
        Draws(seed, Purpose::kSplit, patient / 2).below(2) == static_cast<std::uint64_t>(patient % 2);
    if (!corpus.only_class.empty() && corpus.only_class != (finding ? "finding" : "normal")) continue;
    for (std::uint32_t image = 0; image < 2; ++image) {
      Draws draws(seed, Purpose::kPhantom, patient, image);
      draw(bytes, finding, corpus.channels, draws);
      groups.push_back(corpus.prefix + std::to_string(1000 + patient).substr(1));
      splits.push_back(split);
      const std::string name = finding ? "finding" : "normal";
      const auto at = std::find(corpus.class_names.begin(), corpus.class_names.end(), name);
      labels.push_back(at == corpus.class_names.end() ? (finding ? 1 : 0) : at - corpus.class_names.begin());
    }
  }
  sharding::Hdf5Writer writer(path, true);
  const auto rows = static_cast<std::int64_t>(groups.size());
  writer.create_images("/images", {kSide, kSide, corpus.channels, sharding::ElementType::kU8}, rows,
                       sharding::Hdf5Writer::Storage::kContiguous);
  writer.append_images(bytes.data(), rows);
  if (corpus.groups) writer.texts("/group", groups);
  if (corpus.splits) writer.texts("/split", splits);
  if (corpus.labels) {
    writer.integers("/label", labels);
    writer.attribute("/label", "class_names", corpus.class_names);
  }
  writer.commit();
}

SmallStudy::SmallStudy() { write_corpus(folder_ / "a.h5", {}); }

ResolvedConfig SmallStudy::config(const std::string& run, std::vector<std::string> overrides) const {
  std::vector<std::string> all = {"run.dir=" + (folder_ / run),
                                  "run.seed=5",
                                  "model.name=bit_r14x0.5",
                                  "model.head_dim=16",
                                  "model.head_hidden=16",
                                  "views.preset=xray",
                                  "views.crop_pixels=32",
                                  "batch.lanes=4",
                                  "batch.lane_images=2",
                                  "optim.name=sgd",
                                  "optim.lr=0.01",
                                  "schedule.name=constant",
                                  "schedule.warmup_steps=0",
                                  "schedule.scaling=none",
                                  "train.steps=2"};
  const auto sets = [&](const std::string& key) {
    for (const std::string& text : overrides)
      if (text.rfind(key, 0) == 0) return true;
    return false;
  };
  if (!sets("data.files=")) all.push_back("data.files=" + (folder_ / "a.h5"));
  std::erase_if(all, [&](const std::string& text) { return sets(text.substr(0, text.find('=') + 1)); });
  all.insert(all.end(), overrides.begin(), overrides.end());
  return read_run_config("", all);
}

int SmallStudy::run(int (*stage)(worker::Stage&), const ResolvedConfig& config, int num_ranks) const {
  int code = -1;
  run_ranks(num_ranks, [&](worker::Collectives& comm) {
    worker::LaneThreads threads(1);
    const auto device = worker::open_cpu();
    worker::Stage on_rank{config, comm, *device, threads, threads};
    const int mine = stage(on_rank);
    if (comm.rank() == 0) code = mine;
  });
  return code;
}

std::string SmallStudy::refusal(int (*stage)(worker::Stage&), const ResolvedConfig& config,
                                int num_ranks) const {
  try {
    return std::to_string(run(stage, config, num_ranks));
  } catch (const Error& e) {
    return cat(static_cast<int>(e.code()), ' ', e.what());
  }
}

nlohmann::json SmallStudy::metrics(const std::string& run) const {
  return nlohmann::json::parse(read_file(folder_ / (run + "/metrics.json")));
}

std::string SmallStudy::weights(const std::string& run) const {
  const checkpoint::CheckpointReader reader(checkpoint::open_checkpoint(folder_ / run).dir);
  return checkpoint::weights_digest(reader.tensors());
}

std::vector<std::int64_t> SmallStudy::lineage(const std::string& run, const std::string& name) const {
  const checkpoint::CheckpointReader reader(checkpoint::open_checkpoint(folder_ / run).dir);
  std::vector<std::int64_t> hashes(reader.view(name).bytes() / sizeof(std::int64_t));
  reader.read(name, reinterpret_cast<std::byte*>(hashes.data()), hashes.size() * sizeof(std::int64_t));
  return hashes;
}

}  // namespace entrain::tests
