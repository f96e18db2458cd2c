#include "sharding/batch_classes.hpp"

#include <xxhash.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <unordered_map>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/hdf5_file.hpp"
#include "sharding/hdf5_writer.hpp"

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

// The hashes that ingest wrote beside the images, file by file.
class StoredHashes {
 public:
  std::optional<std::uint64_t> of(const Place& place) {
    if (place.dataset != "/images") return std::nullopt;  // they are of no other dataset
    if (last_ == files_.end() || last_->first != place.file) {
      last_ = files_.find(place.file);
      if (last_ == files_.end()) last_ = files_.emplace(place.file, read(place)).first;
    }
    const auto& hashes = last_->second;
    if (hashes.empty()) return std::nullopt;
    return hashes[static_cast<std::size_t>(place.row)];
  }

 private:
  using Files = std::unordered_map<std::string, std::vector<std::uint64_t>>;
  static std::vector<std::uint64_t> read(const Place& place) {
    // Moved since the corpus opened it, which then still reads the images.
    if (std::error_code none; !std::filesystem::exists(place.file, none)) return {};
    const Hdf5File file(place.file);
    if (!file.has(Hdf5Writer::kHashes)) return {};
    auto hashes = file.unsigned_integers(Hdf5Writer::kHashes);
    const auto images = static_cast<std::size_t>(file.info(place.dataset).dims[0]);
    if (hashes.size() != images)
      throw DataError(cat(place.file, ":", Hdf5Writer::kHashes, ": has ", hashes.size(),
                          " rows but there are ", images, " images; remove it, or ingest again"));
    return hashes;
  }
  Files files_;
  Files::const_iterator last_ = files_.end();
};

}  // namespace

// What is stored is trusted, but looked after: whoever changed the images without it shows in 64 of them.
std::vector<std::uint64_t> content_hashes(const Corpus& corpus, std::int64_t first, std::int64_t count) {
  std::vector<std::uint64_t> hashes;
  hashes.reserve(static_cast<std::size_t>(count));
  StoredHashes stored;
  std::vector<std::byte> image(corpus.shape().bytes());
  const auto hash = [&](std::int64_t sample) {
    corpus.read(sample, image.data());
    return XXH3_64bits(image.data(), image.size());
  };
  const std::int64_t looked_after = std::max<std::int64_t>(1, count / 64);
  for (std::int64_t sample = first; sample < first + count; ++sample) {
    const Place place = corpus.place(sample);
    const auto known = stored.of(place);
    hashes.push_back(known && (sample - first) % looked_after != 0 ? *known : hash(sample));
    if (known && hashes.back() != *known)
      throw DataError(cat(place.file, ":", Hdf5Writer::kHashes, " row ", place.row,
                          ": is not the hash of the image; remove it, or ingest again"));
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
