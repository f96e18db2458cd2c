#include "sharding/chunks/chunk_index.hpp"

#include <filesystem>
#include <optional>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/chunks/chunk_list.hpp"
#include "sharding/chunks/sidecar.hpp"
#include "sharding/chunks/verification.hpp"
#include "sharding/filters/filter_pipeline.hpp"

namespace entrain::sharding {
namespace {
using Layout = StorageDescription::Layout;
constexpr std::uint64_t kLargestChunk = std::uint64_t{1} << 30;

// A file whose kind of superblock is not read here is still read by libhdf5.
std::optional<IndexKey> key_of(const std::string& path, const std::string& dataset, std::string& why_not) {
  try {
    return IndexKey::of(path, dataset);
  } catch (const DataError& e) {
    why_not = e.what();
    return std::nullopt;
  }
}
}  // namespace

void ChunkIndex::use_library(const std::string& reason) {
  way_ = Way::kLibrary;
  how_ = storage_.needs_library = reason;
}

void ChunkIndex::index_chunks(const StoredDataset& dataset) {
  const FilterPipeline filters(storage_.filters, storage_.chunk_bytes());
  if (!filters.needs_library().empty())
    return use_library(cat("its filter ", filters.needs_library(), " can only be undone by libhdf5"));
  if (storage_.chunk_bytes() > kLargestChunk)
    return use_library(
        cat("its chunks have ", storage_.chunk_bytes(), " bytes; ", kLargestChunk, " is the most"));
  grid_ = ChunkGrid(storage_.dims, storage_.chunk);
  const bool as_it_is = storage_.filters.empty();
  ChunkList list = list_chunks(dataset, grid_,
                               {as_it_is ? storage_.chunk_bytes() : 1,
                                as_it_is ? storage_.chunk_bytes() : filters.most_stored_bytes()});
  if (!list.chunks) return use_library(list.needs_library);
  const Verification check = verify_chunks(dataset, grid_, *list.chunks, filters);
  if (!check.mismatch.empty()) return use_library(check.mismatch);
  way_ = Way::kChunked;
  chunks_ = std::move(*list.chunks);
  verified_ = cat(list.source, ", ", check.verified);
  how_ = cat(chunks_.num_stored(), " of ", grid_.size(), " chunks by ", verified_);
}

void ChunkIndex::choose(const StoredDataset& dataset) {
  if (!storage_.needs_library.empty()) return use_library(storage_.needs_library);
  if (storage_.layout == Layout::kChunked) return index_chunks(dataset);
  if (storage_.layout == Layout::kCompact) {
    way_ = Way::kCompact;
    how_ = "compact: within the file's header";
    return;
  }
  const Verification check = verify_contiguous(dataset);
  if (!check.mismatch.empty()) return use_library(check.mismatch);
  way_ = Way::kContiguous;
  how_ =
      cat(storage_.layout == Layout::kExternal ? "external, in one piece: " : "contiguous: ", check.verified);
}

ChunkIndex ChunkIndex::open(const std::string& path, const std::string& dataset, std::size_t worth_keeping) {
  ChunkIndex index;
  std::string why_not;
  const auto key = key_of(path, dataset, why_not);
  if (auto kept = key ? read_sidecar(*key) : std::nullopt) {
    index.way_ = Way::kChunked;
    index.storage_ = std::move(kept->storage);
    index.grid_ = ChunkGrid(index.storage_.dims, index.storage_.chunk);
    index.chunks_ = std::move(kept->chunks);
    index.from_sidecar_ = true;
    index.how_ = cat(index.chunks_.num_stored(), " of ", index.grid_.size(), " chunks by ", kept->verified);
    return index;
  }
  const StoredDataset stored(path, dataset);
  index.storage_ = stored.storage();
  if (!key && index.storage_.needs_library.empty()) index.storage_.needs_library = why_not;
  try {
    const std::string lies_in = std::filesystem::canonical(index.storage_.file).string();
    index.storage_.file = lies_in;
    index.choose(stored);
    if (key && file_state(path) != key->state)
      throw DataError("the file changes while it is read; wait for its writer to end");
    if (index.way_ == Way::kChunked && index.chunks_.size() >= worth_keeping && key && lies_in == key->file)
      write_sidecar(*key, {index.storage_, index.chunks_, index.verified_});
  } catch (const DataError& e) {
    throw DataError(cat(path, ":", dataset, ": ", e.what()));
  }
  return index;
}

}  // namespace entrain::sharding
