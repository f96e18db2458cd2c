#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "checkpoint/digest.hpp"
#include "checkpoint/file_system.hpp"
#include "checkpoint/safetensors.hpp"

namespace entrain::checkpoint {

/// What a rank tells the others after writing its part: PREPARED with digests, or why not. Travels as text.
struct ShardVote {
  std::string file;  ///< "shard-0000.safetensors"; empty: this rank had nothing to write
  std::uint64_t bytes = 0;
  std::string sha256;
  std::string error;                                  ///< empty: fine
  std::vector<std::string> blocks;                    ///< XXH3-128 of each 4 MiB
  nlohmann::json tensors = nlohmann::json::object();  ///< name -> {dtype, shape} of what is in the file
  nlohmann::json span{};                              ///< this rank's part of a ledger's span; null: none

  std::string to_json() const;
  static ShardVote from_json(const std::string& text);  ///< CheckpointError: not a vote
};

/// Which of `all` rank `rank` of `world` writes: whole tensors, balanced by bytes (largest first to the
/// emptiest rank), each exactly once, the same on every rank. At most one writer per MiB: small states make
/// one file.
std::vector<std::size_t> shard_of(const std::vector<TensorView>& all, int rank, int world);

/// Writes and syncs FOLDER/shard-000R.safetensors and digests it on the way. CheckpointError.
ShardVote write_shard_file(FileSystem& files, const std::string& folder, int rank,
                           const std::vector<TensorView>& mine, const Metadata& metadata);

}  // namespace entrain::checkpoint
