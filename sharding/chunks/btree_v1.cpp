#include "sharding/chunks/btree_v1.hpp"

#include <algorithm>

namespace entrain::sharding {
namespace {
constexpr std::size_t kHeadBytes = 24;  // TREE, type, level, entries, two siblings
constexpr unsigned kDeepest = 32;

[[noreturn]] void damaged(std::uint64_t node, const std::string& how) {
  throw DataError(
      cat("the chunk index at byte ", node, ": ", how, "; the file is damaged, make or copy it again"));
}

std::string place(std::span<const std::uint64_t> offsets) {
  std::string text;
  for (const auto offset : offsets) text += cat(text.empty() ? "" : ", ", offset);
  return text;
}
}  // namespace

ChunkTree::ChunkTree(const FileView& file, std::uint64_t base, std::uint64_t root, const ChunkGrid& grid)
    : file_(file), base_(base), grid_(grid) {
  find_leaves(root);
}

ChunkTree::Node ChunkTree::read_node(std::uint64_t at) const {
  const auto head = file_.bytes(at, kHeadBytes, "a node of the chunk index");
  if (std::memcmp(head.data(), "TREE\1", 5) != 0) damaged(at, "there is no node of a chunk tree");
  const Node node{at, std::to_integer<unsigned>(head[5]), load<std::uint16_t>(&head[6])};
  if (node.level > kDeepest) damaged(at, cat("its level is ", node.level, ", above ", kDeepest));
  file_.bytes(at + kHeadBytes, node.entries * entry_bytes(), "a node of the chunk index");
  return node;
}

// Nodes cannot overlap, so a file has room for so many and a tree that claims more visits one twice: a circle, or one
// child under many parents, which would otherwise take time without end.
void ChunkTree::find_leaves(std::uint64_t root) {
  const std::uint64_t most = file_.size() / (kHeadBytes + entry_bytes()) + 1;
  std::vector<Node> waiting{read_node(root)};
  std::vector<std::uint64_t> seen{root};
  while (!waiting.empty()) {
    const Node node = waiting.back();
    waiting.pop_back();
    if (node.level == 0) {
      leaves_.push_back(node);
      num_chunks_ += node.entries;
      if (num_chunks_ > file_.size() / entry_bytes()) damaged(node.at, "leaves overlap");
      continue;
    }
    const auto entries = file_.bytes(node.at + kHeadBytes, node.entries * entry_bytes(), "");
    for (std::size_t i = 0; i < node.entries; ++i) {
      const auto address = load<std::uint64_t>(&entries[(i + 1) * entry_bytes() - 8]);
      if (address > file_.size())
        damaged(node.at, cat("its child ", i, " lies at byte ", address, ", beyond the file"));
      const Node child = read_node(base_ + address);
      if (child.level + 1 != node.level)
        damaged(child.at, cat("it has level ", child.level, " below one of level ", node.level));
      if (seen.size() == most) damaged(child.at, "nodes are reached more than once");
      seen.push_back(child.at);
      waiting.push_back(child);
    }
  }
  std::sort(seen.begin(), seen.end());
  if (const auto twice = std::adjacent_find(seen.begin(), seen.end()); twice != seen.end())
    damaged(*twice, "this node is reached more than once");
}

StoredChunk ChunkTree::read_entry(const std::byte* entry, const StoredSizes& sizes,
                                  std::size_t& position) const {
  const auto refuse = [&](const auto&... how) {
    std::vector<std::uint64_t> offsets(grid_.rank());
    std::memcpy(offsets.data(), entry + 8, 8 * offsets.size());
    throw DataError(cat("the chunk index says that the chunk at element (", place(offsets), ") ", how...,
                        "; the file is damaged, make or copy it again"));
  };
  position = 0;
  for (std::size_t axis = 0; axis < grid_.rank(); ++axis) {
    const auto offset = load<std::uint64_t>(entry + 8 + 8 * axis);
    const auto chunk = static_cast<std::uint64_t>(grid_.chunk()[axis]);
    const auto count = static_cast<std::size_t>(grid_.counts()[axis]);
    const std::uint64_t index = offset == 0 ? 0 : offset / chunk;
    if (index * chunk != offset) refuse("begins off the grid of chunks");
    if (index >= count) refuse("lies outside the dataset");
    position = position * count + index;
  }
  const std::byte* end = entry + 8 + 8 * grid_.rank();
  if (load<std::uint64_t>(end) != 0) refuse("begins inside an element");
  const auto address = load<std::uint64_t>(end + 8);
  const StoredChunk chunk{address + base_, load<std::uint32_t>(entry), load<std::uint32_t>(entry + 4)};
  if (chunk.bytes < sizes.least || chunk.bytes > sizes.most)
    refuse("has ", chunk.bytes, " bytes, which its filters cannot have made: ", sizes.least, " to ",
           sizes.most, " were expected");
  if (address > file_.size() || chunk.address > file_.size() || chunk.bytes > file_.size() - chunk.address)
    refuse("has ", chunk.bytes, " bytes from byte ", address, " on, beyond the file's end at ", file_.size());
  return chunk;
}

ChunkTable ChunkTree::table(const StoredSizes& sizes) const {
  std::vector<StoredChunk> entries(grid_.size());
  for (const Node& leaf : leaves_) {
    const auto stored = file_.bytes(leaf.at + kHeadBytes, leaf.entries * entry_bytes(), "");
    for (std::size_t i = 0; i < leaf.entries; ++i) {
      std::size_t position = 0;
      const StoredChunk chunk = read_entry(&stored[i * entry_bytes()], sizes, position);
      if (entries[position].bytes != 0) damaged(leaf.at, cat("chunk ", position, " is there twice"));
      entries[position] = chunk;
    }
  }
  return ChunkTable(std::move(entries));
}

}  // namespace entrain::sharding
