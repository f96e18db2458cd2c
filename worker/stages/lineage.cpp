#include "worker/stages/lineage.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <span>
#include <unordered_set>

#include "checkpoint/digest.hpp"
#include "checkpoint/find.hpp"
#include "configs/cat.hpp"
#include "worker/stages/committer.hpp"

namespace entrain::worker {
namespace {

constexpr std::size_t kNamed = 5;

std::span<const std::int64_t> values_of(const at::Tensor& hashes) {
  if (!hashes.defined()) return {};
  return {hashes.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(hashes.numel())};
}

// Without patients a "group" is an image: named by its place.
std::string name_of(const sharding::Corpus& corpus, std::int64_t sample) {
  if (corpus.has_groups()) return std::string(corpus.group(sample));
  const sharding::Place place = corpus.place(sample);
  return cat(place.file, " row ", place.row);
}

}  // namespace

at::Tensor read_groups(const checkpoint::CheckpointReader& reader, const char* name) {
  if (!reader.has(name)) return {};
  const at::Tensor groups = at::empty(reader.view(name).shape, at::kLong);
  load_tensors(reader, {{name, groups}});
  return groups;
}

at::Tensor united(const at::Tensor& a, const at::Tensor& b) {
  const auto left = values_of(a), right = values_of(b);
  std::vector<std::int64_t> both;
  std::set_union(left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(both));
  return at::tensor(both, at::kLong);
}

Ancestry read_ancestry(const std::string& from) {
  if (from == "scratch") return {{{"from", from}, {"lineage", "none"}}, {}};
  if (std::filesystem::is_regular_file(from))
    return {{{"from", from}, {"lineage", "unknown"}, {"sha256", checkpoint::digest_file(from).sha256}}, {}};
  const auto found = checkpoint::open_checkpoint(from);
  const checkpoint::CheckpointReader reader(found.dir);
  const at::Tensor groups = united(read_groups(reader, kPretrainGroups), read_groups(reader, kTrainGroups));
  const auto began = found.manifest.find("began_from");
  const bool unknown = found.manifest.value("lineage", "") == "unknown" ||
                       (began != found.manifest.end() && began->value("lineage", "") == "unknown");
  return {{{"from", found.dir},
           {"lineage", unknown ? "unknown" : "known"},
           {"weights_sha256", checkpoint::weights_digest(reader.tensors())},
           {"groups", groups.numel()}},
          groups};
}

SeenGroups seen_groups(const sharding::Corpus& corpus, const at::Tensor& hashes) {
  const auto known = values_of(hashes);
  SeenGroups seen;
  std::unordered_set<std::uint64_t> counted;
  for (std::int64_t i = 0; i < corpus.size(); ++i) {
    const std::uint64_t hash = corpus.group_hash(i);
    if (!std::binary_search(known.begin(), known.end(), static_cast<std::int64_t>(hash))) continue;
    ++seen.images;
    if (!counted.insert(hash).second) continue;
    ++seen.groups;
    if (seen.first.size() < kNamed) seen.first.push_back(name_of(corpus, i));
  }
  return seen;
}

}  // namespace entrain::worker
