#include "sharding/loader.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <stdexcept>
#include <thread>

#include "configs/error.hpp"
#include "tests/sharding/hdf5_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::Corpus;
using sharding::ImageBatch;
using sharding::Loader;
using sharding::SamplePlan;

class LoaderTest : public ::testing::Test {
 protected:
  static Corpus made_in(const std::string& path) {
    {
      TestFile f(path);
      write_plain_images(f, 50, 8);
    }
    return Corpus::open(data_of(path));
  }
  void expect_batch(const ImageBatch& batch, std::int64_t step, LaneBlock mine, std::int64_t lane_images) {
    const auto want = plan_.batch(step, mine.first * lane_images, mine.count * lane_images);
    EXPECT_EQ(batch.step, step);
    ASSERT_EQ(batch.slots, want);
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(want.size()); ++i)
      for (std::int64_t p = 0; p < 64; ++p)
        ASSERT_EQ(std::to_integer<int>(batch.image(i)[p]),
                  pixel(want[static_cast<std::size_t>(i)].sample, p / 8, p % 8, 0))
            << "slot " << i;
  }
  TemporaryFolder folder_;
  Corpus corpus_ = made_in(folder_ / "f.h5");
  SamplePlan plan_{50, 16, 4};
};

TEST_F(LoaderTest, GivesTheImagesOfItsSlotsInTheirOrder) {
  const LaneBlock mine{1, 2};
  Loader loader(corpus_, plan_, mine, 4, 3, 20, 2);
  ImageBatch batch;
  for (std::int64_t step = 3; step < 20; ++step) {
    batch = loader.next(std::move(batch));
    expect_batch(batch, step, mine, 4);
  }
  EXPECT_THROW(loader.next(), std::logic_error);
}

TEST_F(LoaderTest, UsesTheMemoryOfOldBatchesAgain) {
  Loader loader(corpus_, plan_, {0, 4}, 4, 0, 40, 2);
  std::set<const std::byte*> blocks;
  ImageBatch batch;
  for (int step = 0; step < 40; ++step) {
    batch = loader.next(std::move(batch));
    blocks.insert(batch.bytes.data());
  }
  EXPECT_LE(blocks.size(), 5U);
}

TEST_F(LoaderTest, ReadsAheadButNotWithoutBound) {
  Loader loader(corpus_, plan_, {0, 4}, 4, 0, 1000, 3);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const double before = loader.waited_seconds();
  const ImageBatch first = loader.next();  // was ready
  EXPECT_LT(loader.waited_seconds() - before, 0.1);
  EXPECT_EQ(first.step, 0);
}

TEST_F(LoaderTest, StopsWhenDestroyedEarly) {
  for (int i = 0; i < 20; ++i) {
    Loader loader(corpus_, plan_, {0, 4}, 4, 0, 100'000, 2);
    if (i % 2 == 1) {
      EXPECT_EQ(loader.next().step, 0);
    }
  }
}

TEST_F(LoaderTest, RethrowsWhatReadingThrew) {
  std::vector<std::uint8_t> values(50 * 256 * 256);  // more than the library caches
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * i / 5);
  {
    TestFile(folder_ / "g.h5")
        .array("/images", {50, 256, 256}, values, H5T_STD_U8LE, {.chunk = {1, 256, 256}, .gzip = 6});
  }
  const Corpus corpus = Corpus::open(data_of(folder_ / "g.h5"));
  std::string bytes = read_file(folder_ / "g.h5");  // now spoil every chunk behind its back
  for (std::size_t i = bytes.find("\x78\x9c"); i != std::string::npos; i = bytes.find("\x78\x9c", i))
    bytes[i] = '\x11', i += 2;
  {
    std::fstream out(folder_ / "g.h5", std::ios::in | std::ios::out | std::ios::binary);
    out << bytes;
  }
  Loader loader(corpus, plan_, {0, 4}, 4, 0, 10, 2);
  std::string text;
  try {
    for (int step = 0; step < 10; ++step) loader.next();
  } catch (const DataError& error) {
    text = error.what();
  }
  EXPECT_NE(text.find("g.h5:/images row"), std::string::npos) << text;
}

TEST_F(LoaderTest, APlanOfAnotherSizeIsABug) {
  const SamplePlan other(49, 16, 4);
  EXPECT_THROW(Loader(corpus_, other, {0, 4}, 4, 0, 1, 1), std::logic_error);
  EXPECT_THROW(Loader(corpus_, plan_, {0, 5}, 4, 0, 1, 1), std::logic_error);
}

}  // namespace
}  // namespace entrain::tests
