#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "checkpoint/safetensors.hpp"

namespace entrain::checkpoint {

/// The tensors of one committed checkpoint, whoever wrote it on however many ranks. Maps the shards; holds
/// their headers against the manifest, but does not read back the bytes (newest_whole() and open_checkpoint()
/// do).
class CheckpointReader {
 public:
  explicit CheckpointReader(const std::string& step_dir);
  const std::string& dir() const { return dir_; }
  const nlohmann::json& manifest() const { return manifest_; }
  std::vector<std::string> names() const;  ///< sorted
  bool has(const std::string& name) const { return tensors_.count(name) != 0; }
  /// Mapped; valid as long as this object. CheckpointError: no such tensor.
  const TensorView& view(const std::string& name) const;
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  /// Copies a whole tensor. CheckpointError unless `bytes` is its size.
  void read(const std::string& name, std::byte* out, std::size_t bytes) const;

 private:
  std::string dir_;
  nlohmann::json manifest_;
  std::vector<SafetensorsFile> shards_;
  std::map<std::string, TensorView> tensors_;
};

/// SHA-256 over the bytes of all weights, in name order: of every tensor whose name does not begin with
/// "optim." or "lineage.". The same for any number of ranks and shards.
std::string weights_digest(const std::map<std::string, TensorView>& tensors);

}  // namespace entrain::checkpoint
