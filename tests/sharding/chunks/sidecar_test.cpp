// An index is left beside the data, used again, and never used for other data.
#include "sharding/chunks/sidecar.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <tuple>

#include "configs/error.hpp"
#include "sharding/chunks/chunk_index.hpp"
#include "tests/sharding/chunks/read_whole.hpp"
#include "tests/sharding/hdf5_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::ChunkIndex;
using sharding::IndexKey;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class Sidecar : public ::testing::Test {
 protected:
  Sidecar() { ::setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1); }
  ~Sidecar() override { ::unsetenv("XDG_CACHE_HOME"); }

  // Row r holds first + r, in four bytes; written, so that it looks, `age` seconds ago.
  void write(std::uint8_t first, int age = 100, const std::string& name = "a.h5") {
    std::vector<std::uint8_t> values;
    for (int i = 0; i < 32; ++i) values.push_back(static_cast<std::uint8_t>(first + i / 4));
    TestFile(folder_ / name).array<std::uint8_t>("x", {8, 4}, values, H5T_STD_U8LE, {{1, 4}, 3, true});
    fs::last_write_time(folder_ / name, base_time_ - std::chrono::seconds(age));
  }
  std::string file() const { return folder_ / "a.h5"; }
  std::string sidecar() const { return sharding::sidecar_paths(IndexKey::of(file(), "x"))[0]; }
  static bool holds(const ChunkIndex& index, int first) {
    const auto all = read_whole(index);
    for (std::size_t i = 0; i < all.size(); ++i)
      if (std::to_integer<int>(all[i]) != first + static_cast<int>(i) / 4) return false;
    return all.size() == 32;
  }
  // Opens it and says what was logged.
  std::string log_of_open(bool from_sidecar) {
    ::testing::internal::CaptureStderr();
    const auto index = ChunkIndex::open(file(), "x", 0);
    std::string text = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(index.from_sidecar(), from_sidecar) << text;
    EXPECT_TRUE(holds(index, 10));
    return text;
  }

  TemporaryFolder folder_;
  const fs::file_time_type base_time_ = fs::file_time_type::clock::now();
};

TEST_F(Sidecar, TheSecondOpenNeedsNothingElse) {
  write(10);
  const auto built = ChunkIndex::open(file(), "x", 0);
  EXPECT_FALSE(built.from_sidecar());
  ASSERT_TRUE(fs::exists(sidecar()));
  const auto kept = ChunkIndex::open(file(), "x", 0);
  EXPECT_TRUE(kept.from_sidecar());
  EXPECT_EQ(kept.how(), built.how());
  EXPECT_TRUE(std::ranges::equal(kept.chunks().entries(), built.chunks().entries()));
  EXPECT_TRUE(holds(kept, 10));
  const auto &a = kept.storage(), &b = built.storage();
  EXPECT_EQ(std::tie(a.file, a.dims, a.chunk, a.kind, a.element_bytes, a.big_endian, a.type_name, a.fill,
                     a.layout, a.raw_edge_chunks, a.object_header, a.needs_library),
            std::tie(b.file, b.dims, b.chunk, b.kind, b.element_bytes, b.big_endian, b.type_name, b.fill,
                     b.layout, b.raw_edge_chunks, b.object_header, b.needs_library));
  ASSERT_EQ(a.filters.size(), 2U);
  for (const int i : {0, 1}) {
    EXPECT_EQ(a.filters[i].id, b.filters[i].id);
    EXPECT_EQ(a.filters[i].values, b.filters[i].values);
    EXPECT_EQ(a.filters[i].optional, b.filters[i].optional);
    EXPECT_EQ(a.filters[i].name, b.filters[i].name);
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 2) << "no temporary file, no cache";
}

TEST_F(Sidecar, AnotherContentIsSeenByItsTime) {
  write(10);
  ChunkIndex::open(file(), "x", 0);
  const auto size = fs::file_size(file());
  write(30, 99);
  ASSERT_EQ(fs::file_size(file()), size) << "else this would be no test of times";
  const auto index = ChunkIndex::open(file(), "x", 0);
  EXPECT_FALSE(index.from_sidecar());
  EXPECT_TRUE(holds(index, 30));
  EXPECT_TRUE(ChunkIndex::open(file(), "x", 0).from_sidecar())
      << "the index of the new content has replaced the old one";
}

TEST_F(Sidecar, AnotherContentIsSeenByItsSizeAndSuperblock) {
  write(10);
  ChunkIndex::open(file(), "x", 0);
  const auto key = IndexKey::of(file(), "x");
  auto longer = key, other = key, renamed = key;
  ++longer.state.bytes;
  other.superblock[40] ^= std::byte{1};
  renamed.dataset = "y";
  EXPECT_TRUE(sharding::read_sidecar(key));
  EXPECT_FALSE(sharding::read_sidecar(longer));
  EXPECT_FALSE(sharding::read_sidecar(other));
  EXPECT_FALSE(sharding::read_sidecar(renamed));
}

TEST_F(Sidecar, OfADatasetIsNoneOfItsNeighbour) {
  {
    TestFile both(file());
    both.array<std::uint8_t>("x", {2, 2}, {1, 2, 3, 4}, H5T_STD_U8LE, {{1, 2}});
    both.array<std::uint8_t>("y", {2, 2}, {5, 6, 7, 8}, H5T_STD_U8LE, {{1, 2}});
  }
  fs::last_write_time(file(), base_time_ - std::chrono::seconds(50));
  EXPECT_FALSE(ChunkIndex::open(file(), "x", 0).from_sidecar());
  EXPECT_FALSE(ChunkIndex::open(file(), "y", 0).from_sidecar());
  EXPECT_EQ(read_whole(ChunkIndex::open(file(), "y", 0))[0], std::byte{5});
  EXPECT_TRUE(ChunkIndex::open(file(), "x", 0).from_sidecar());
}

TEST_F(Sidecar, DataThatWereJustWrittenGetNone) {
  write(10, 0);
  EXPECT_FALSE(ChunkIndex::open(file(), "x", 0).from_sidecar());
  EXPECT_FALSE(fs::exists(sidecar()));
}

TEST_F(Sidecar, MovesWithItsData) {
  write(10);
  ChunkIndex::open(file(), "x", 0);
  fs::create_directory(folder_ / "there");
  const std::string index_name = fs::path(sidecar()).filename().string();
  fs::rename(sidecar(), folder_ / "there/" + index_name);
  fs::rename(file(), folder_ / "there/a.h5");
  const auto index = ChunkIndex::open(folder_ / "there/a.h5", "x", 0);
  EXPECT_TRUE(index.from_sidecar());
  EXPECT_TRUE(holds(index, 10));
}

TEST_F(Sidecar, IsSharedByEveryNameOfTheFile) {
  write(10);
  fs::create_symlink(file(), folder_ / "link.h5");
  EXPECT_FALSE(ChunkIndex::open(folder_ / "link.h5", "x", 0).from_sidecar());
  EXPECT_TRUE(ChunkIndex::open(file(), "x", 0).from_sidecar());
}

TEST_F(Sidecar, EveryByteThatChangedIsNoticed) {
  write(10);
  ChunkIndex::open(file(), "x", 0);
  const std::string good = read_file(sidecar());
  const std::size_t table = good.size() - 8 * sizeof(sharding::StoredChunk);
  int warned = 0;
  for (std::size_t at = 0; at < good.size(); at += at < 24 || at >= table ? 1 : 37) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    write_file(sidecar(), bad);
    const auto key = IndexKey::of(file(), "x");
    ::testing::internal::CaptureStderr();
    const auto read = sharding::read_sidecar(key);
    const std::string log = ::testing::internal::GetCapturedStderr();
    if (read) {  // only in the gap before the table
      EXPECT_LT(at, table);
      EXPECT_GT(at, table - 64);
      EXPECT_EQ(good[at], '\0');
    } else {
      EXPECT_THAT(log, HasSubstr("is not used and made again"));
      ++warned;
    }
  }
  EXPECT_GT(warned, 130);
}

TEST_F(Sidecar, OneThatIsCutOffIsMadeAgain) {
  write(10);
  ChunkIndex::open(file(), "x", 0);
  const std::string good = read_file(sidecar());
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{5}, std::size_t{23}, std::size_t{100}, good.size() - 1}) {
    write_file(sidecar(), good.substr(0, length));
    EXPECT_THAT(log_of_open(false), HasSubstr("is not used and made again")) << length;
    EXPECT_EQ(read_file(sidecar()), good);
  }
  EXPECT_EQ(log_of_open(true), "");
}

TEST_F(Sidecar, GoesToTheCacheWhereTheFolderCannotBeWritten) {
  write(10);
  const auto paths = sharding::sidecar_paths(IndexKey::of(file(), "x"));
  ASSERT_EQ(paths.size(), 2U);
  EXPECT_THAT(paths[1], HasSubstr(folder_ / "cache/entrain/index/"));
  fs::create_directory(paths[0]);  // root may write everywhere: what is in the way stops it too
  log_of_open(false);
  EXPECT_TRUE(fs::exists(paths[1]));
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(ChunkIndex::open(file(), "x", 0).from_sidecar());
  ::testing::internal::GetCapturedStderr();
}

TEST_F(Sidecar, WhereNoneCanBeKeptTheDataAreReadAllTheSame) {
  write(10);
  write_file(folder_ / "cache", "a file");
  fs::create_directory(sidecar());
  EXPECT_THAT(log_of_open(false), HasSubstr("cannot be kept for the next start"));
}

}  // namespace
}  // namespace entrain::tests
