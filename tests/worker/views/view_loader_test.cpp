#include "worker/views/view_loader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "configs/error.hpp"
#include "tests/sharding/hdf5_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::Corpus;
using sharding::SamplePlan;
using testing::HasSubstr;
using worker::ViewBatch;
using worker::ViewLoader;
using worker::ViewLoading;

constexpr std::int64_t kImages = 4, kViews = 2, kSide = 6, kLanes = 4;

class ViewLoaderTest : public ::testing::Test {
 protected:
  static Corpus made_in(const std::string& path) {
    {
      TestFile f(path);
      write_plain_images(f, 50, 8);
    }
    return Corpus::open(data_of(path));
  }
  // Lanes `mine` of 4 x 4 images; `num_buffers` whole batches of memory.
  ViewLoading loading(LaneBlock mine, std::int64_t first, std::int64_t end, int threads,
                      std::size_t num_buffers) {
    ViewLoading l;
    l.views.crop_pixels = kSide;
    l.seed = 7;
    l.mine = mine, l.lane_images = kImages, l.num_views = kViews;
    l.first_step = first, l.end_step = end, l.threads = threads;
    memory_.assign(num_buffers, std::vector<float>(rows(mine) * values_));
    for (auto& buffer : memory_) l.buffers.push_back(buffer.data());
    return l;
  }
  static std::size_t rows(LaneBlock mine) { return static_cast<std::size_t>(mine.count * kViews * kImages); }

  // The rows of a batch as the renderer makes them one by one, in the order (lane, view, image).
  std::vector<float> expected(const ViewBatch& batch, const ViewLoading& l) {
    worker::ViewRenderer renderer(l.views, corpus_.shape(), 0, 0);
    std::vector<std::byte> image(corpus_.shape().bytes());
    std::vector<float> views(rows(l.mine) * values_);
    float* row = views.data();
    for (std::int64_t lane = 0; lane < l.mine.count; ++lane)
      for (int view = 0; view < kViews; ++view)
        for (std::int64_t i = 0; i < kImages; ++i, row += values_) {
          const sharding::Slot slot = batch.slots[static_cast<std::size_t>(lane * kImages + i)];
          corpus_.read(slot.sample, image.data());
          renderer.render(image.data(),
                          worker::draw_view(l.views, corpus_.shape(), l.seed, slot.epoch,
                                            static_cast<std::uint64_t>(slot.sample), view),
                          row);
        }
    return views;
  }

  TemporaryFolder folder_;
  Corpus corpus_ = made_in(folder_ / "f.h5");
  SamplePlan plan_{50, kLanes* kImages, 4};
  std::size_t values_ = static_cast<std::size_t>(kSide * kSide);
  std::vector<std::vector<float>> memory_;
};

TEST_F(ViewLoaderTest, MakesTheViewsOfItsSlotsInTheirOrderOnAnyNumberOfThreads) {
  for (const int threads : {1, 2, 5}) {
    const ViewLoading l = loading({1, 2}, 3, 20, threads, 3);
    ViewLoader loader(corpus_, plan_, l);
    for (std::int64_t step = 3; step < 20; ++step) {
      const ViewBatch batch = loader.next();
      EXPECT_EQ(batch.step, step);
      ASSERT_EQ(batch.slots, plan_.batch(step, kImages, 2 * kImages));
      const auto want = expected(batch, l);
      ASSERT_NE(want, std::vector<float>(want.size())) << "nothing was drawn";
      ASSERT_EQ(memory_[batch.buffer], want) << "step " << step << ", " << threads << " threads";
      loader.release(batch);
    }
    EXPECT_THROW(loader.next(), std::logic_error);
  }
}

TEST_F(ViewLoaderTest, ABatchStaysAsItIsUntilItIsReleased) {
  const ViewLoading l = loading({0, kLanes}, 0, 100, 3, 3);
  ViewLoader loader(corpus_, plan_, l);
  const ViewBatch held = loader.next();
  const auto before = memory_[held.buffer];
  for (int step = 1; step < 30; ++step) {
    const ViewBatch batch = loader.next();
    ASSERT_NE(batch.buffer, held.buffer);
    loader.release(batch);
  }
  EXPECT_EQ(memory_[held.buffer], before);
}

TEST_F(ViewLoaderTest, MakesAheadButOnlyAsFarAsThereIsMemory) {
  const ViewLoading l = loading({0, kLanes}, 0, 1000, 2, 3);
  ViewLoader loader(corpus_, plan_, l);
  std::vector<ViewBatch> taken;
  for (int i = 0; i < 3; ++i) taken.push_back(loader.next());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(loader.try_next()) << "there is no memory for a fourth";
  loader.release(taken[0]);
  const ViewBatch fourth = loader.next();
  EXPECT_EQ(fourth.step, 3);
  EXPECT_EQ(fourth.buffer, taken[0].buffer);
  EXPECT_GT(loader.clocks().idle, 0);
  EXPECT_GT(loader.clocks().render, 0);
  EXPECT_GT(loader.clocks().read, 0);
}

TEST_F(ViewLoaderTest, TryNextGivesABatchThatIsMade) {
  const ViewLoading l = loading({0, kLanes}, 0, 10, 1, 3);
  ViewLoader loader(corpus_, plan_, l);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::optional<ViewBatch> batch;
  while (!(batch = loader.try_next())) ASSERT_LT(std::chrono::steady_clock::now(), until);
  EXPECT_EQ(batch->step, 0);
  ASSERT_EQ(batch->slots.size(), static_cast<std::size_t>(kLanes * kImages));
  const auto now = memory_[batch->buffer];
  EXPECT_EQ(now, expected(*batch, l));
  EXPECT_EQ(loader.next().step, 1);
}

TEST_F(ViewLoaderTest, ARankWithoutLanesHasEmptyBatches) {
  ViewLoader loader(corpus_, plan_, loading({kLanes, 0}, 0, 5, 2, 2));
  for (int step = 0; step < 5; ++step) {
    const ViewBatch batch = loader.next();
    EXPECT_EQ(batch.step, step);
    EXPECT_TRUE(batch.slots.empty());
    loader.release(batch);
  }
}

TEST_F(ViewLoaderTest, StopsWhenDestroyedEarly) {
  for (int i = 0; i < 20; ++i) {
    ViewLoader loader(corpus_, plan_, loading({0, kLanes}, 0, 100'000, 3, 2));
    if (i % 2 == 1) {
      EXPECT_EQ(loader.next().step, 0);
    }
  }
}

TEST_F(ViewLoaderTest, RethrowsWhatReadingThrewInItsStep) {
  const std::string path = folder_ / "g.h5";
  std::vector<std::uint8_t> values(50 * 64);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * i / 5);
  TestFile(path).array("/images", {50, 8, 8}, values, H5T_STD_U8LE, {.chunk = {1, 8, 8}, .gzip = 6});
  const Corpus corpus = Corpus::open(data_of(path));
  std::string bytes = read_file(path);  // now spoil one chunk behind its back
  std::size_t at = 0;
  for (int chunk = 0; chunk < 30; ++chunk) at = bytes.find("\x78\x9c", at + 1);
  ASSERT_NE(at, std::string::npos);
  bytes[at] = '\x11';
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary) << bytes;
  std::vector<std::int64_t> bad;
  std::vector<std::byte> image(corpus.shape().bytes());
  for (std::int64_t row = 0; row < corpus.size(); ++row) try {
      corpus.read(row, image.data());
    } catch (const DataError&) {
      bad.push_back(row);
    }
  ASSERT_EQ(bad.size(), 1U);
  const auto has_it = [&](std::int64_t step) {
    for (const sharding::Slot& slot : plan_.batch(step))
      if (slot.sample == bad[0]) return true;
    return false;
  };
  std::int64_t step = 0;
  while (!has_it(step)) ++step;
  ASSERT_LT(step, 4) << "an epoch has four steps";

  ViewLoader loader(corpus, plan_, loading({0, kLanes}, 0, 10, 2, 2));
  for (std::int64_t before = 0; before < step; ++before) loader.release(loader.next());
  std::string text;
  try {
    loader.next();
  } catch (const DataError& error) {
    text = error.what();
  }
  EXPECT_THAT(text, HasSubstr("g.h5:/images row " + std::to_string(bad[0])));
}

TEST_F(ViewLoaderTest, APlanOfAnotherSizeIsABug) {
  const SamplePlan other(49, 16, 4);
  EXPECT_THROW(ViewLoader(corpus_, other, loading({0, 4}, 0, 1, 1, 1)), std::logic_error);
  EXPECT_THROW(ViewLoader(corpus_, plan_, loading({0, 5}, 0, 1, 1, 1)), std::logic_error);
}

}  // namespace
}  // namespace entrain::tests
