#include "checkpoint/reader.hpp"

#include <cstring>

#include "checkpoint/digest.hpp"
#include "checkpoint/manifest.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::checkpoint {

CheckpointReader::CheckpointReader(const std::string& step_dir)
    : dir_(step_dir), manifest_(read_manifest(step_dir)) {
  for (const auto& [file, unused] : manifest_.at("files").items()) {
    shards_.emplace_back(cat(dir_, '/', file));
    for (const TensorView& tensor : shards_.back().tensors()) {
      const auto want = manifest_.at("tensors").find(tensor.name);
      if (want == manifest_.at("tensors").end() || want->at("shard") != file ||
          want->at("shape") != tensor.shape || want->at("dtype") != dtype_name(tensor.dtype))
        throw CheckpointError(
            cat(dir_, '/', file, ": tensor \"", tensor.name, "\" is not what manifest.json says"));
      tensors_.emplace(tensor.name, tensor);
    }
  }
  for (const auto& [name, want] : manifest_.at("tensors").items())
    if (!has(name))
      throw CheckpointError(
          cat(dir_, '/', want.at("shard"), ": tensor \"", name, "\" of manifest.json is missing"));
}

std::vector<std::string> CheckpointReader::names() const {
  std::vector<std::string> names;
  for (const auto& [name, unused] : tensors_) names.push_back(name);
  return names;
}

const TensorView& CheckpointReader::view(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end())
    throw CheckpointError(cat(dir_, ": no tensor \"", name, "\" among its ", tensors_.size()));
  return found->second;
}

void CheckpointReader::read(const std::string& name, std::byte* out, std::size_t bytes) const {
  const TensorView& tensor = view(name);
  if (tensor.bytes() != bytes)
    throw CheckpointError(
        cat(dir_, ": tensor \"", name, "\" has ", tensor.bytes(), " bytes, the model wants ", bytes));
  if (bytes > 0) std::memcpy(out, tensor.data, bytes);
}

std::string weights_digest(const std::map<std::string, TensorView>& tensors) {
  Sha256 sha;
  for (const auto& [name, tensor] : tensors) {
    if (name.rfind("optim.", 0) == 0 || name.rfind("lineage.", 0) == 0) continue;
    sha.add({tensor.data, tensor.bytes()});
  }
  return sha.hex();
}

}  // namespace entrain::checkpoint
