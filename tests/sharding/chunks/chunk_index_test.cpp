// Every layout and trap in files of h5py: our addresses are its addresses, our bytes its bytes.
#include "sharding/chunks/chunk_index.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "configs/sha256.hpp"
#include "tests/sharding/chunks/read_whole.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::ChunkIndex;
using Way = ChunkIndex::Way;
namespace fs = std::filesystem;

nlohmann::json golden() {
  return nlohmann::json::parse(
      std::ifstream(ENTRAIN_SOURCE_DIR "/tests/reference/sharding/chunks/chunks.json"));
}

class H5pyFile : public ::testing::TestWithParam<nlohmann::json> {
 protected:
  // Copies: an index may be left beside the file, and a link leads to another one.
  ChunkIndex open() {
    for (const std::string& name : {want("file"), std::string("row_chunks_block.h5")})
      fs::copy_file(ENTRAIN_SOURCE_DIR "/tests/reference/sharding/chunks/" + name, folder_ / name,
                    fs::copy_options::skip_existing);
    return ChunkIndex::open(folder_ / want("file"), want("dataset"));
  }
  static std::string want(const char* key) { return GetParam().at(key); }
  TemporaryFolder folder_;
};

TEST_P(H5pyFile, IsReadTheExpectedWay) {
  const auto index = open();
  const std::map<std::string, Way> ways{{"Contiguous", Way::kContiguous},
                                        {"Compact", Way::kCompact},
                                        {"Chunked", Way::kChunked},
                                        {"Library", Way::kLibrary}};
  EXPECT_EQ(index.way(), ways.at(want("way"))) << index.how();
  EXPECT_THAT(index.how(), ::testing::HasSubstr(want("why")));
  EXPECT_EQ(index.storage().needs_library.empty(), want("way") != "Library");
  EXPECT_EQ(index.storage().dims, GetParam().at("dims").get<std::vector<std::int64_t>>());
  if (!GetParam().contains("big_endian")) return;
  EXPECT_EQ(index.storage().big_endian, GetParam().at("big_endian").get<bool>());
}

TEST_P(H5pyFile, HasTheSameElements) {
  const auto index = open();
  if (index.way() == Way::kLibrary) return;  // its reason was looked at above
  Sha256 sum;
  sum.add(read_whole(index));
  EXPECT_EQ(sum.hex(), want("sha256"));
}

TEST_P(H5pyFile, HasTheSameChunks) {
  const auto index = open();
  if (index.way() != Way::kChunked || !GetParam().contains("chunks")) return;
  std::size_t seen = 0;
  for (std::size_t position = 0; position < index.grid().size(); ++position) {
    const auto ours = index.chunks().at(position);
    const auto first = index.grid().first(position);
    for (const auto& theirs : GetParam().at("chunks"))
      if (theirs[0].get<std::vector<std::int64_t>>() == first) {
        ASSERT_TRUE(ours) << theirs;
        EXPECT_EQ(ours->address, theirs[1].get<std::uint64_t>()) << theirs;
        EXPECT_EQ(ours->bytes, theirs[2].get<std::uint64_t>()) << theirs;
        EXPECT_EQ(ours->mask, theirs[3].get<std::uint64_t>()) << theirs;
        ++seen;
      }
  }
  EXPECT_EQ(seen, GetParam().at("chunks").size());
  EXPECT_EQ(seen, index.chunks().num_stored());
}

INSTANTIATE_TEST_SUITE_P(All, H5pyFile, ::testing::ValuesIn(golden().get<std::vector<nlohmann::json>>()),
                         [](const auto& test) {
                           return fs::path(test.param.at("file").template get<std::string>()).stem().string();
                         });

TEST(H5pyFiles, AreThere) { EXPECT_GT(golden().size(), 50U); }

}  // namespace
}  // namespace entrain::tests
