#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "configs/sha256.hpp"

namespace entrain::checkpoint {

/// What a manifest knows of a file: SHA-256 says that it is broken, XXH3-128 of each 4 MiB says where.
struct FileDigest {
  std::uint64_t bytes = 0;
  std::string sha256;  ///< 64 hex digits
  std::vector<std::string>
      blocks;  ///< XXH3-128 of each block of kBlockBytes, 32 hex digits (canonical order)
};

std::string sha256_of(const std::string& text);
std::string xxh3_128_of(const void* data, std::size_t bytes);  ///< 32 hex digits, canonical order

/// Both digests of a file whose bytes come in order.
class FileDigester {
 public:
  static constexpr std::size_t kBlockBytes = std::size_t{4} << 20;
  FileDigester();
  void add(const void* data, std::size_t bytes);
  FileDigest finish();

 private:
  void end_block();
  Sha256 sha_;
  std::shared_ptr<void> block_;  ///< XXH3_state_t
  std::size_t in_block_ = 0;
  FileDigest digest_;
};

/// Reads a file from the disk, start to end. CheckpointError if it cannot be read.
FileDigest digest_file(const std::string& path);

}  // namespace entrain::checkpoint
