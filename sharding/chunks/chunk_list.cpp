#include "sharding/chunks/chunk_list.hpp"

#include "sharding/chunks/data_file.hpp"
#include "sharding/chunks/mapped_file.hpp"
#include "sharding/chunks/object_header.hpp"

namespace entrain::sharding {
namespace {
constexpr std::size_t kFewChunks = 3000;  // listing them one by one takes time in proportion to their square

// A few bytes can declare more chunks than any memory holds entries for.
std::string too_sparse(const ChunkGrid& grid, std::size_t stored) {
  constexpr std::size_t kAlways = std::size_t{1} << 20, kPerStored = 64;
  if (grid.size() <= kAlways || grid.size() / kPerStored <= stored) return "";
  return cat("only ", stored, " of its ", grid.size(), " chunks were ever written");
}

ChunkList from_tree(const FileView& file, const Superblock& superblock, const DataLayout& layout,
                    const StorageDescription& storage, const ChunkGrid& grid, const StoredSizes& sizes) {
  std::vector<std::uint32_t> expected(storage.chunk.begin(), storage.chunk.end());
  expected.push_back(static_cast<std::uint32_t>(storage.element_bytes));
  if (layout.kind != DataLayout::Kind::kChunked || layout.chunk != expected)
    throw DataError("its layout says other chunks than libhdf5; the file is damaged, make or copy it again");
  std::optional<ChunkTree> tree;
  if (layout.address) tree.emplace(file, superblock.base, *layout.address, grid);
  ChunkList list{std::nullopt, "chunk tree", too_sparse(grid, tree ? tree->num_chunks() : 0)};
  if (list.needs_library.empty())
    list.chunks = tree ? tree->table(sizes) : ChunkTable(std::vector<StoredChunk>(grid.size()));
  return list;
}

std::size_t position_of(std::span<const std::int64_t> first, const ChunkGrid& grid) {
  std::size_t position = 0;
  for (std::size_t axis = 0; axis < grid.rank(); ++axis) {
    const std::int64_t index = first[axis] / grid.chunk()[axis];
    if (first[axis] < 0 || index >= grid.counts()[axis] || index * grid.chunk()[axis] != first[axis])
      throw DataError("libhdf5 lists a chunk that is not on the dataset's grid; the file is damaged");
    position = position * static_cast<std::size_t>(grid.counts()[axis]) + static_cast<std::size_t>(index);
  }
  return position;
}

// Releases before 2.0 leave the user block out of the addresses of chunks, others count it: a chunk tells.
std::uint64_t missing_base(const StoredDataset& dataset, const ChunkGrid& grid, std::size_t position,
                           const StoredChunk& chunk, std::uint64_t base) {
  const auto stored = dataset.stored_chunk(grid.first(position));
  if (base == 0 || !stored) return 0;
  const DataFile file(dataset.storage().file);
  std::vector<std::byte> bytes(stored->first.size());
  file.read(chunk.address, bytes);
  return bytes == stored->first ? 0 : base;
}

ChunkList from_library(const StoredDataset& dataset, const ChunkGrid& grid, const StoredSizes& sizes,
                       std::uint64_t base) {
  const StorageDescription& storage = dataset.storage();
  std::vector<StoredChunk> entries(grid.size());
  std::optional<std::size_t> any;
  dataset.each_chunk([&](std::span<const std::int64_t> first, StoredChunk chunk) {
    const std::size_t position = position_of(first, grid);
    // Releases to 1.10.8 may leave size and mask of a dataset's only chunk unset.
    if (storage.filters.empty()) chunk = {chunk.address, static_cast<std::uint32_t>(sizes.most), 0};
    if (storage.raw_edge_chunks && grid.is_edge(position)) chunk.mask = kNoFilters;
    if (entries[position].bytes != 0) throw DataError("libhdf5 lists a chunk twice; the file is damaged");
    if (chunk.bytes < sizes.least || chunk.bytes > sizes.most)
      throw DataError(cat("libhdf5 lists a chunk of ", chunk.bytes, " bytes where ", sizes.least, " to ",
                          sizes.most, " are possible; the file is damaged"));
    entries[position] = chunk;
    any = position;
  });
  const std::uint64_t shift = any ? missing_base(dataset, grid, *any, entries[*any], base) : 0;
  const std::uint64_t file_bytes = file_state(storage.file).bytes;
  for (StoredChunk& chunk : entries) {
    if (chunk.bytes == 0) continue;
    if (chunk.address > file_bytes || chunk.bytes > file_bytes - chunk.address ||
        (chunk.address += shift) > file_bytes - chunk.bytes)
      throw DataError(cat("a chunk has ", chunk.bytes, " bytes from byte ", chunk.address,
                          " on, beyond the file's end at ", file_bytes, "; the file is damaged"));
  }
  return {ChunkTable(std::move(entries)), "list of libhdf5", ""};
}
}  // namespace

ChunkList list_chunks(const StoredDataset& dataset, const ChunkGrid& grid, const StoredSizes& sizes) {
  const StorageDescription& storage = dataset.storage();
  const MappedFile mapped(storage.file);
  const FileView file(mapped.bytes());
  const Superblock superblock = read_superblock(file);
  const DataLayout layout = read_layout(file, superblock, storage.object_header);
  if (layout.version == 3) return from_tree(file, superblock, layout, storage, grid, sizes);
  const std::size_t stored = dataset.num_chunks();
  std::string reason = too_sparse(grid, stored);
  if (reason.empty() && stored > kFewChunks && !StoredDataset::lists_chunks_fast())
    reason = cat("its ", stored, " chunks are indexed in a way (layout version ", layout.version,
                 ") that libhdf5 ", hdf5_version(),
                 " lists too slowly; 1.14 does not, and h5repack --high=V18 changes the file");
  if (!reason.empty()) return {std::nullopt, "", reason};
  return from_library(dataset, grid, sizes, superblock.base);
}

}  // namespace entrain::sharding
