#include "tests/sharding/chunks/tree_file.hpp"

namespace entrain::tests {
namespace {
constexpr std::uint64_t kUndefined = ~std::uint64_t{0};
}

TreeFile::TreeFile(std::vector<std::int64_t> dims, std::vector<std::int64_t> chunk, Style style)
    : base(style.user_block), grid(std::move(dims), std::move(chunk)), style_(style) {
  bytes.resize(base, std::byte{'u'});
  text("\x89HDF\r\n\x1a\n");
  add(static_cast<std::uint8_t>(style.superblock));
  const std::size_t length = style.superblock == 0 ? 96 : style.superblock == 1 ? 100 : 48;
  bytes.resize(base + length);
  const std::size_t widths = style.superblock < 2 ? 13 : 9;
  put<std::uint8_t>(widths, 8);
  put<std::uint8_t>(widths + 1, 8);
  put<std::uint64_t>(style.superblock == 0 ? 24 : style.superblock == 1 ? 28 : 12, base);
}

std::uint64_t TreeFile::node(unsigned level, const std::vector<Entry>& entries) {
  const std::uint64_t at = here();
  text("TREE\1");
  add(static_cast<std::uint8_t>(level));
  add(static_cast<std::uint16_t>(entries.size()));
  add(kUndefined), add(kUndefined);
  for (const Entry& e : entries) {
    add(e.bytes), add(e.mask);
    for (const auto offset : e.first) add(offset);
    add(std::uint64_t{0});
    add(e.child);
  }
  bytes.resize(bytes.size() + 16 + 8 * grid.rank());  // the key after the last
  return at;
}

TreeFile::Entry TreeFile::chunk(std::vector<std::uint64_t> first, std::uint32_t stored_bytes) {
  const Entry entry{std::move(first), stored_bytes, 0, here()};
  bytes.resize(bytes.size() + stored_bytes, std::byte{0x5a});
  bytes.push_back(std::byte{0});  // so that one that is read too far is seen
  return entry;
}

std::vector<std::byte> TreeFile::layout_message(std::uint64_t root) const {
  TreeFile m({}, {}, {});
  m.bytes.clear();
  m.add<std::uint8_t>(3), m.add<std::uint8_t>(2), m.add(static_cast<std::uint8_t>(grid.rank() + 1));
  m.add(root);
  for (const auto c : grid.chunk()) m.add(static_cast<std::uint32_t>(c));
  m.add<std::uint32_t>(1);
  if (style_.header == 1) m.bytes.resize((m.bytes.size() + 7) / 8 * 8);
  return m.bytes;
}

void TreeFile::message(unsigned type, const std::vector<std::byte>& data) {
  if (style_.header == 1)
    add(static_cast<std::uint16_t>(type)), add(static_cast<std::uint16_t>(data.size())),
        add(std::uint32_t{0});
  else
    add(static_cast<std::uint8_t>(type)), add(static_cast<std::uint16_t>(data.size())), add(std::uint8_t{0});
  if (style_.header == 2 && style_.tracks_order) add(std::uint16_t{7});
  bytes.insert(bytes.end(), data.begin(), data.end());
}

void TreeFile::finish(std::uint64_t root) {
  const bool first = style_.header == 1;
  std::uint64_t second = 0, second_bytes = 0;
  if (style_.continued) {
    second = here();
    if (!first) text("OCHK");
    message(0x08, layout_message(root));
    if (!first) add(std::uint32_t{0});  // a checksum, which only libhdf5 looks at
    second_bytes = here() - second;
  }
  header = here();
  if (first) {
    add<std::uint8_t>(1), add<std::uint8_t>(0), add<std::uint16_t>(2), add<std::uint32_t>(1);
    add(std::uint32_t{0}), add(std::uint32_t{0});
  } else {
    text("OHDR\2");
    add(static_cast<std::uint8_t>(style_.tracks_order ? 0x24 | 1 : 1));
    if (style_.tracks_order) bytes.resize(bytes.size() + 16);
    add(std::uint16_t{0});
  }
  const std::uint64_t start = here();
  message(0x05, std::vector<std::byte>(8));  // another message comes first
  if (style_.continued) {
    std::vector<std::byte> data(16);
    std::memcpy(&data[0], &second, 8);
    std::memcpy(&data[8], &second_bytes, 8);
    message(0x10, data);
  } else {
    message(0x08, layout_message(root));
  }
  if (first)
    put(header + 8, static_cast<std::uint32_t>(here() - start));
  else
    put(start - 2, static_cast<std::uint16_t>(here() - start)), add(std::uint32_t{0});
}

sharding::ChunkTable TreeFile::table(std::uint64_t most, std::uint64_t least) const {
  const sharding::FileView file(bytes);
  const auto superblock = sharding::read_superblock(file);
  const auto layout = sharding::read_layout(file, superblock, header);
  if (!layout.address) return sharding::ChunkTable(std::vector<sharding::StoredChunk>(grid.size()));
  return sharding::ChunkTree(file, superblock.base, *layout.address, grid).table({least, most});
}

TreeFile small_tree(TreeFile::Style style) {
  TreeFile f({6, 7}, {2, 4}, style);
  const auto left = f.node(0, {f.chunk({0, 0}, 8), f.chunk({0, 4}, 5), f.chunk({4, 4}, 8)});
  const auto right = f.node(0, {f.chunk({2, 0}, 1), f.chunk({4, 0}, 100)});
  f.finish(f.node(1, {{{0, 0}, 0, 0, left}, {{2, 0}, 0, 0, right}}));
  return f;
}

}  // namespace entrain::tests
