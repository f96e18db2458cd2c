// Files that h5py's interface does not make, written by libhdf5 here; what libhdf5 reads is the reference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <numeric>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/chunks/chunk_index.hpp"
#include "sharding/chunks/verification.hpp"
#include "sharding/filters/filter_pipeline.hpp"
#include "tests/sharding/chunks/read_whole.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::ChunkIndex;
using Way = ChunkIndex::Way;
using ::testing::HasSubstr;
using Dims = std::vector<hsize_t>;

class LibraryFile : public ::testing::Test {
 protected:
  struct Made {
    hid_t file, properties;
  };
  std::string path() const { return folder_ / "a.h5"; }

  // One dataset x of bytes 0, 1, 2, ... mod 251.
  std::vector<std::byte> write(const Dims& dims, const std::function<void(hid_t)>& change,
                               bool latest = false) {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS), made = H5Pcreate(H5P_DATASET_CREATE);
    if (latest) H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    const hid_t file = H5Fcreate(path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    change(made);
    const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
    const hid_t set = H5Dcreate2(file, "x", H5T_STD_U8LE, space, H5P_DEFAULT, made, H5P_DEFAULT);
    std::vector<std::byte> values(
        std::accumulate(dims.begin(), dims.end(), std::size_t{1}, std::multiplies<>()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::byte(i % 251);
    EXPECT_GE(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
    H5Dclose(set), H5Sclose(space), H5Fclose(file), H5Pclose(made), H5Pclose(access);
    return values;
  }
  ChunkIndex open() const { return ChunkIndex::open(path(), "x"); }
  TemporaryFolder folder_;
};

TEST_F(LibraryFile, ChunksThatReachBeyondTheDatasetMayLieUnfiltered) {
  const auto values = write(
      {10, 33},
      [](hid_t made) {
        const hsize_t chunk[] = {4, 16};
        H5Pset_chunk(made, 2, chunk);
        H5Pset_shuffle(made);
        H5Pset_deflate(made, 6);
        H5Pset_chunk_opts(made, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS);
      },
      true);
  const auto index = open();
  ASSERT_EQ(index.way(), Way::kChunked) << index.how();
  EXPECT_TRUE(index.storage().raw_edge_chunks);
  EXPECT_EQ(index.chunks().at(0)->mask, 0U);
  EXPECT_NE(index.chunks().at(0)->bytes, 64U) << "the others are filtered";
  for (const std::size_t edge : {2, 5, 6, 7, 8}) {
    EXPECT_EQ(index.chunks().at(edge)->mask, sharding::kNoFilters);
    EXPECT_EQ(index.chunks().at(edge)->bytes, 64U);
  }
  EXPECT_EQ(read_whole(index), values);
}

TEST_F(LibraryFile, AnExternalFileInOnePieceIsReadLikeAContiguousDataset) {
  const std::string raw = folder_ / "data.raw";
  const auto values =
      write({30, 20}, [&](hid_t made) { H5Pset_external(made, raw.c_str(), 100, H5F_UNLIMITED); });
  const auto index = open();
  ASSERT_EQ(index.way(), Way::kContiguous) << index.how();
  EXPECT_EQ(index.storage().offset, 100U);
  EXPECT_EQ(std::filesystem::path(index.storage().file).filename(), "data.raw");
  EXPECT_EQ(read_whole(index), values);
  std::filesystem::resize_file(raw, 500);
  EXPECT_THAT(open().how(), HasSubstr("data.raw, which is too short"));
  std::filesystem::remove(raw);
  EXPECT_THAT(open().how(), HasSubstr("data.raw, which is not there"));
}

TEST_F(LibraryFile, SeveralExternalFilesAreLeftToTheLibrary) {
  const std::string one = folder_ / "1.raw", two = folder_ / "2.raw";
  write({30, 20}, [&](hid_t made) {
    H5Pset_external(made, one.c_str(), 0, 300);
    H5Pset_external(made, two.c_str(), 0, 300);
  });
  EXPECT_EQ(open().way(), Way::kLibrary);
  EXPECT_THAT(open().how(), HasSubstr("2 external files"));
}

TEST_F(LibraryFile, TreesOfThreeLevelsAreWalked) {
  const auto values = write({100, 60}, [](hid_t made) {
    const hsize_t chunk[] = {1, 1};
    H5Pset_chunk(made, 2, chunk);
  });
  const auto index = open();
  ASSERT_EQ(index.way(), Way::kChunked) << index.how();
  EXPECT_EQ(index.chunks().num_stored(), 6000U);
  EXPECT_EQ(read_whole(index), values);
}

TEST_F(LibraryFile, ManyChunksInAnIndexThatIsNotReadHereAreLeftToTheLibrary) {
  const auto chunk_of = [](hsize_t rows) { return [rows](hid_t made) { H5Pset_chunk(made, 1, &rows); }; };
  if (sharding::StoredDataset::lists_chunks_fast()) GTEST_SKIP() << "this libhdf5 lists chunks fast";
  write({3001}, chunk_of(1), true);
  EXPECT_EQ(open().way(), Way::kLibrary);
  EXPECT_THAT(open().how(), HasSubstr("its 3001 chunks"));
  const auto values = write({3000}, chunk_of(1), true);
  EXPECT_EQ(open().way(), Way::kChunked) << open().how();
  EXPECT_EQ(read_whole(open()), values);
}

TEST_F(LibraryFile, AGridOfExabytesTakesNoMemory) {
  const hid_t file = H5Fcreate(path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t made = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk[] = {1, 8}, dims[] = {hsize_t{1} << 40, 8};
  H5Pset_chunk(made, 2, chunk);
  const hid_t space = H5Screate_simple(2, dims, nullptr);
  H5Dclose(H5Dcreate2(file, "x", H5T_STD_U8LE, space, H5P_DEFAULT, made, H5P_DEFAULT));
  H5Sclose(space), H5Pclose(made), H5Fclose(file);
  EXPECT_EQ(open().way(), Way::kLibrary);
  EXPECT_THAT(open().how(), HasSubstr("only 0 of its 1099511627776 chunks"));
}

// Every way in which a table can be wrong is seen by the comparison with libhdf5.
TEST_F(LibraryFile, ATableThatLeadsToOtherBytesIsNotBelieved) {
  write(
      {10, 33},
      [](hid_t made) {
        const hsize_t chunk[] = {4, 16};
        H5Pset_chunk(made, 2, chunk);
        H5Pset_deflate(made, 6);
        H5Pset_chunk_opts(made, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS);
      },
      true);
  const auto index = open();
  ASSERT_EQ(index.way(), Way::kChunked) << index.how();
  const sharding::StoredDataset dataset(path(), "x");
  const sharding::FilterPipeline filters(index.storage().filters, index.storage().chunk_bytes());
  const auto mismatch = [&](const std::function<void(std::vector<sharding::StoredChunk>&)>& change) {
    std::vector<sharding::StoredChunk> entries(index.chunks().entries().begin(),
                                               index.chunks().entries().end());
    change(entries);
    return sharding::verify_chunks(dataset, index.grid(), sharding::ChunkTable(std::move(entries)), filters)
        .mismatch;
  };
  using Entries = std::vector<sharding::StoredChunk>;
  EXPECT_EQ(mismatch([](Entries&) {}), "");
  EXPECT_THAT(mismatch([](Entries& e) { std::swap(e[0], e[1]); }),
              HasSubstr("the chunk at element (0, 0) has other"));
  EXPECT_THAT(mismatch([](Entries& e) { e[8].mask = 0; }), HasSubstr("(8, 32)")) << "an edge that is decoded";
  EXPECT_THAT(mismatch([](Entries& e) { e[0].mask = 1; }), HasSubstr("(0, 0)"))
      << "a filter that is left out";
  EXPECT_THAT(mismatch([](Entries& e) { e[8] = {}; }), HasSubstr("(8, 32) has other"))
      << "a chunk that is missing";
  EXPECT_THAT(mismatch([](Entries& e) {
                for (auto& chunk : e) chunk.address += 512;
              }),
              HasSubstr("(8, 32)"))
      << "a user block counted twice";
  EXPECT_THAT(mismatch([](Entries& e) { e[8].address = 1 << 30; }), HasSubstr("the file ends within"));
}

TEST_F(LibraryFile, ADamagedTreeIsRefusedWithFileAndDataset) {
  write({4, 64}, [](hid_t made) {
    const hsize_t chunk[] = {1, 64};
    H5Pset_chunk(made, 2, chunk);
  });
  std::string bytes = read_file(path());
  // The tree of chunks, type 1; that of the root group has type 0.
  const std::size_t at = bytes.find(std::string("TREE\1\0", 6));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 5] = 7;
  write_file(path(), bytes);
  try {
    open();
    FAIL() << "not refused";
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), HasSubstr(cat(path(), ":x: the chunk index at byte ")));
  }
}

TEST_F(LibraryFile, ACopyThatIsCutOffIsRefused) {
  write({100, 64}, [](hid_t) {});
  std::filesystem::resize_file(path(), std::filesystem::file_size(path()) - 1);
  try {
    open();
    FAIL() << "not refused";
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), HasSubstr("truncated file"));
  }
}

TEST_F(LibraryFile, WhatIsNotThereIsSaidAsEver) {
  write({4}, [](hid_t) {});
  EXPECT_THROW(ChunkIndex::open(folder_ / "none.h5", "x"), DataError);
  try {
    ChunkIndex::open(path(), "y");
    FAIL() << "not refused";
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), HasSubstr("no dataset y It has: /x"));
  }
}

}  // namespace
}  // namespace entrain::tests
