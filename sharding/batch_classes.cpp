#include "sharding/batch_classes.hpp"

#include <xxhash.h>

#include <numeric>
#include <unordered_map>

namespace entrain::sharding {
namespace {

// Union-find over samples; the root of a set is its first sample.
class Sets {
 public:
  explicit Sets(std::size_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), 0U); }
  std::uint32_t root(std::uint32_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void unite(std::uint32_t a, std::uint32_t b) {
    a = root(a), b = root(b);
    if (a < b)
      parent_[b] = a;
    else
      parent_[a] = b;
  }

 private:
  std::vector<std::uint32_t> parent_;
};

}  // namespace

std::vector<std::uint64_t> content_hashes(const Corpus& corpus, std::int64_t first, std::int64_t count) {
  std::vector<std::uint64_t> hashes;
  hashes.reserve(static_cast<std::size_t>(count));
  std::vector<std::byte> image(corpus.shape().bytes());
  for (std::int64_t sample = first; sample < first + count; ++sample) {
    corpus.read(sample, image.data());
    hashes.push_back(XXH3_64bits(image.data(), image.size()));
  }
  return hashes;
}

std::vector<std::uint32_t> batch_classes(const Corpus& corpus, std::span<const std::uint64_t> content) {
  const auto count = static_cast<std::uint32_t>(corpus.size());
  Sets sets(count);
  std::unordered_map<std::uint64_t, std::uint32_t> of_group, of_content;
  for (std::uint32_t sample = 0; sample < count; ++sample) {
    sets.unite(sample, of_group.emplace(corpus.group_hash(sample), sample).first->second);
    sets.unite(sample, of_content.emplace(content[sample], sample).first->second);
  }
  std::vector<std::uint32_t> classes(count);
  std::uint32_t next = 0;
  for (std::uint32_t sample = 0; sample < count; ++sample) {
    const std::uint32_t root = sets.root(sample);
    classes[sample] = root == sample ? next++ : classes[root];
  }
  return classes;
}

}  // namespace entrain::sharding
