// Headers and chunk trees that libhdf5 would write, and those that nobody should.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "configs/error.hpp"
#include "tests/sharding/chunks/tree_file.hpp"

namespace entrain::tests {
namespace {
using sharding::StoredChunk;
using ::testing::HasSubstr;

std::string refusal(const TreeFile& file, std::uint64_t most = 100, std::uint64_t least = 1) {
  try {
    file.table(most, least);
  } catch (const DataError& e) {
    return e.what();
  }
  return "not refused";
}

class ChunkTreeStyle : public ::testing::TestWithParam<TreeFile::Style> {};

TEST_P(ChunkTreeStyle, EveryChunkIsFoundWhereItLies) {
  const TreeFile file = small_tree(GetParam());
  const auto table = file.table();
  ASSERT_EQ(table.size(), 6U);
  EXPECT_EQ(table.num_stored(), 5U);
  EXPECT_FALSE(table.at(3));
  const std::uint32_t bytes[] = {8, 5, 1, 0, 100, 8};
  for (const std::size_t position : {0, 1, 2, 4, 5}) {
    const StoredChunk chunk = table.at(position).value();
    EXPECT_EQ(chunk.bytes, bytes[position]);
    EXPECT_EQ(file.bytes.at(chunk.address), std::byte{0x5a});
    EXPECT_EQ(file.bytes.at(chunk.address + chunk.bytes - 1), std::byte{0x5a});
    EXPECT_NE(file.bytes.at(chunk.address + chunk.bytes), std::byte{0x5a}) << "the bytes of its neighbour";
  }
}

std::vector<TreeFile::Style> styles() {
  std::vector<TreeFile::Style> all;
  for (const unsigned superblock : {0U, 1U, 2U, 3U})
    for (const unsigned header : {1U, 2U})
      for (const std::uint64_t user_block : {0, 512, 4096})
        for (const bool continued : {false, true})
          for (const bool tracks : {false, true})
            all.push_back({superblock, header, user_block, continued, tracks});
  return all;
}
INSTANTIATE_TEST_SUITE_P(All, ChunkTreeStyle, ::testing::ValuesIn(styles()));

TEST(ChunkTree, MaskAndSizeAreOfTheirChunk) {
  TreeFile f({4}, {1}, {});
  auto a = f.chunk({2}, 3), b = f.chunk({0}, 4);
  a.mask = 5;
  f.finish(f.node(0, {a, b}));
  EXPECT_EQ(f.table().at(2), (StoredChunk{a.child, 3, 5}));
  EXPECT_EQ(f.table().at(0), (StoredChunk{b.child, 4, 0}));
}

TEST(ChunkTree, WithoutARootNothingWasWritten) {
  TreeFile f({4}, {1}, {});
  f.finish(~std::uint64_t{0});
  EXPECT_EQ(f.table().num_stored(), 0U);
}

// What one entry claims.
TreeFile with_entry(const std::function<void(TreeFile::Entry&)>& change) {
  TreeFile f({6, 7}, {2, 4}, {});
  auto good = f.chunk({0, 0}, 8), bad = f.chunk({2, 4}, 8);
  change(bad);
  f.finish(f.node(0, {good, bad}));
  return f;
}

TEST(ChunkTree, AChunkThatCannotBeIsRefusedByName) {
  using Entry = TreeFile::Entry;
  EXPECT_EQ(refusal(with_entry([](Entry&) {})), "not refused");
  EXPECT_THAT(refusal(with_entry([](Entry& e) {
                e.first = {2, 5};
              })),
              HasSubstr("(2, 5) begins off the grid"));
  EXPECT_THAT(refusal(with_entry([](Entry& e) { e.first = {6, 0}; })), HasSubstr("(6, 0) lies outside"));
  EXPECT_THAT(refusal(with_entry([](Entry& e) {
                e.first = {2, std::uint64_t{1} << 63};
              })),
              HasSubstr("lies outside"));
  EXPECT_THAT(refusal(with_entry([](Entry& e) { e.first = {0, 0}; })), HasSubstr("chunk 0 is there twice"));
  EXPECT_THAT(refusal(with_entry([](Entry& e) { e.bytes = 0; })), HasSubstr("has 0 bytes"));
  EXPECT_THAT(refusal(with_entry([](Entry& e) { e.bytes = 101; })),
              HasSubstr("has 101 bytes, which its filters"));
  EXPECT_THAT(refusal(with_entry([](Entry& e) { e.bytes = 0xffffffff; })), HasSubstr("has 4294967295 bytes"));
  EXPECT_THAT(refusal(with_entry([](Entry& e) { e.bytes = 7; }), 8, 8), HasSubstr("8 to 8 were expected"));
  EXPECT_THAT(refusal(with_entry([](Entry& e) { e.child = 1 << 30; })), HasSubstr("beyond the file's end"));
  EXPECT_THAT(refusal(with_entry([](Entry& e) { e.child = ~std::uint64_t{0}; })),
              HasSubstr("beyond the file's end"));
  EXPECT_THAT(refusal(with_entry([](Entry& e) { e.child = ~std::uint64_t{0} - 3; })),
              HasSubstr("beyond the file's end"));
}

TEST(ChunkTree, AChunkMayEndWithTheFileAndNotAfterIt) {
  TreeFile f({1}, {8}, {});
  f.finish(f.node(0, {{{0}, 8, 0, 0}}));
  const std::uint64_t key = f.bytes.size();
  f = TreeFile({1}, {8}, {});
  f.finish(f.node(0, {{{0}, 8, 0, key - 8}}));
  ASSERT_EQ(f.bytes.size(), key);
  EXPECT_EQ(refusal(f), "not refused");
  f.bytes.pop_back();
  EXPECT_NE(refusal(f), "not refused");
}

TEST(ChunkTree, CirclesAreRefusedByName) {
  TreeFile f({6, 7}, {2, 4}, {});
  const std::uint64_t self = f.here();
  f.finish(f.node(1, {{{0, 0}, 0, 0, self}}));
  EXPECT_THAT(refusal(f), HasSubstr("level 1 below one of level 1"));
  TreeFile twice({6, 7}, {2, 4}, {});
  const auto leaf = twice.node(0, {twice.chunk({0, 0}, 8)});
  twice.finish(twice.node(1, {{{0, 0}, 0, 0, leaf}, {{2, 0}, 0, 0, leaf}}));
  EXPECT_THAT(refusal(twice), HasSubstr(cat("at byte ", leaf, ": this node is reached more than once")));
}

// Each of 30 levels names the one below 200 times: 200^30 ways down.
TEST(ChunkTree, ALadderOfSharedChildrenEndsAtOnce) {
  TreeFile f({6}, {2}, {});
  std::uint64_t below = f.node(0, {f.chunk({0}, 2)});
  for (unsigned level = 1; level <= 30; ++level)
    below = f.node(level, std::vector<TreeFile::Entry>(200, {{0}, 0, 0, below}));
  f.finish(below);
  EXPECT_THAT(refusal(f), HasSubstr("nodes are reached more than once"));
}

TEST(ChunkTree, NodesThatAreNoneAreRefusedByName) {
  auto broken = [](std::size_t at_in_root, auto value) {
    TreeFile f({6, 7}, {2, 4}, {});
    const auto leaf = f.node(0, {f.chunk({0, 0}, 8)});
    const auto root = f.node(1, {{{0, 0}, 0, 0, leaf}});
    f.finish(root);
    f.put(root + at_in_root, value);
    return refusal(f);
  };
  EXPECT_EQ(broken(0, 'T'), "not refused");
  EXPECT_THAT(broken(0, 't'), HasSubstr("no node of a chunk tree"));
  EXPECT_THAT(broken(4, std::uint8_t{0}), HasSubstr("no node of a chunk tree"));  // a node of a group
  EXPECT_THAT(broken(5, std::uint8_t{2}), HasSubstr("level 0 below one of level 2"));
  EXPECT_THAT(broken(5, std::uint8_t{200}), HasSubstr("its level is 200"));
  EXPECT_THAT(broken(6, std::uint16_t{65535}), HasSubstr("but the file ends"));
  EXPECT_THAT(broken(24 + 8 + 24, std::uint64_t{1} << 40), HasSubstr("beyond the file"));
  EXPECT_THAT(broken(24 + 8 + 24, ~std::uint64_t{0}), HasSubstr("beyond the file"));
}

TEST(ObjectHeader, WhatIsNoneIsRefusedByName) {
  auto broken = [](TreeFile::Style style, std::int64_t at_in_header, auto value) {
    TreeFile f = small_tree(style);
    f.put(f.header + static_cast<std::uint64_t>(at_in_header), value);
    return refusal(f);
  };
  EXPECT_EQ(broken({}, 0, std::uint8_t{1}), "not refused");
  EXPECT_THAT(broken({}, 0, std::uint8_t{3}), HasSubstr("none of version 1 or 2"));
  EXPECT_THAT(broken({}, 8, std::uint32_t{16}), HasSubstr("it has no layout"));
  EXPECT_THAT(broken({}, 8, std::uint32_t{0xffffffff}), HasSubstr("but the file ends"));
  EXPECT_THAT(broken({}, 16 + 2, std::uint16_t{60000}), HasSubstr("has 60000 bytes where"));
  EXPECT_THAT(broken({}, 32 + 4, std::uint8_t{2}), HasSubstr("lies in another header"));
  EXPECT_THAT(broken({}, 40 + 1, std::uint8_t{9}), HasSubstr("of class 9"));
  EXPECT_THAT(broken({}, 40 + 2, std::uint8_t{200}), HasSubstr("were expected"));
  EXPECT_THAT(broken({0, 2}, 4, std::uint8_t{3}), HasSubstr("its version is 3"));
  EXPECT_THAT(broken({0, 1, 0, true}, 40, std::uint64_t{1} << 50), HasSubstr("but the file ends"));
  EXPECT_THAT(broken({0, 1, 0, true}, 40, ~std::uint64_t{0}), HasSubstr("which no file has"));
  EXPECT_THAT(broken({0, 2, 0, true}, 8 + 12 + 4 + 8, std::uint64_t{4}),
              HasSubstr("does not begin with OCHK"));
}

TEST(ObjectHeader, BlocksInACircleAreRefusedByName) {
  TreeFile f = small_tree({0, 1, 0, true});
  f.put(f.header + 40, f.header + 16);  // its second block is its first
  f.put(f.header + 48, std::uint64_t{40});
  EXPECT_THAT(refusal(f), HasSubstr("circle"));
}

TEST(Superblock, IsFoundWhereAUserBlockEndsAndNowhereElse) {
  for (const std::uint64_t at : {512, 1024, 2048, 65536})
    EXPECT_EQ(refusal(small_tree({0, 1, at})), "not refused");
  EXPECT_THAT(refusal(small_tree({0, 1, 768})), HasSubstr("no HDF5 signature"));
  TreeFile wide = small_tree();
  wide.put<std::uint8_t>(13, 4);
  EXPECT_THAT(refusal(wide), HasSubstr("addresses have 4"));
  TreeFile later = small_tree();
  later.put<std::uint8_t>(8, 4);
  EXPECT_THAT(refusal(later), HasSubstr("version 4"));
  TreeFile cut = small_tree();
  cut.bytes.resize(50);
  EXPECT_THAT(refusal(cut), HasSubstr("the superblock at byte 0 has 96 bytes, but the file ends"));
}

}  // namespace
}  // namespace entrain::tests
