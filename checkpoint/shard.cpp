#include "checkpoint/shard.hpp"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::checkpoint {
namespace {
constexpr std::size_t kMinShardBytes = std::size_t{1} << 20;
}

std::string ShardVote::to_json() const {
  return nlohmann::json{{"file", file},     {"bytes", bytes},     {"sha256", sha256}, {"error", error},
                        {"blocks", blocks}, {"tensors", tensors}, {"span", span}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

ShardVote ShardVote::from_json(const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    return {json.at("file"),   json.at("bytes"),   json.at("sha256"), json.at("error"),
            json.at("blocks"), json.at("tensors"), json.at("span")};
  } catch (const nlohmann::json::exception& error) {
    throw CheckpointError(cat("a rank's vote cannot be read (", error.what(), "): ", text.substr(0, 200)));
  }
}

std::vector<std::size_t> shard_of(const std::vector<TensorView>& all, int rank, int world) {
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const std::size_t bytes_a = all[a].bytes(), bytes_b = all[b].bytes();
    return bytes_a != bytes_b ? bytes_a > bytes_b : all[a].name < all[b].name;
  });
  const std::size_t total =
      std::accumulate(all.begin(), all.end(), std::size_t{0},
                      [](std::size_t sum, const TensorView& t) { return sum + t.bytes(); });
  const std::size_t writers =
      std::clamp<std::size_t>((total + kMinShardBytes - 1) / kMinShardBytes, 1, world);
  std::vector<std::size_t> load(writers, 0), mine;
  for (const std::size_t i : order) {
    const auto emptiest = std::min_element(load.begin(), load.end());
    *emptiest += all[i].bytes();
    if (emptiest - load.begin() == rank) mine.push_back(i);
  }
  std::sort(mine.begin(), mine.end());
  return mine;
}

ShardVote write_shard_file(FileSystem& files, const std::string& folder, int rank,
                           const std::vector<TensorView>& mine, const Metadata& metadata) {
  char name[40];
  std::snprintf(name, sizeof name, "shard-%04d.safetensors", rank);
  std::vector<std::size_t> order;
  const std::string header = safetensors_header(mine, metadata, order);
  ShardVote vote;
  vote.file = name;
  const auto file = files.create(folder + '/' + name);
  FileDigester digester;
  const auto put = [&](const void* data, std::size_t bytes) {
    file->write(data, bytes);
    digester.add(data, bytes);
  };
  put(header.data(), header.size());
  for (const std::size_t i : order) {
    put(mine[i].data, mine[i].bytes());
    vote.tensors[mine[i].name] = {{"dtype", dtype_name(mine[i].dtype)}, {"shape", mine[i].shape}};
  }
  file->sync();
  file->close();
  const FileDigest digest = digester.finish();
  vote.bytes = digest.bytes;
  vote.sha256 = digest.sha256;
  vote.blocks = digest.blocks;
  return vote;
}

}  // namespace entrain::checkpoint
