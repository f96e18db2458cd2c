#include "sharding/order_choice.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "configs/error.hpp"
#include "tests/sharding/hdf5_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::Corpus;
using sharding::OrderChoice;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OrderChoiceOf : public ::testing::Test {
 protected:
  // Images of 4 x 4 in chunks of so many rows; 0: contiguous.
  std::string write(const std::string& name, hsize_t rows, hsize_t chunk_rows, hsize_t chunk_side = 4) {
    TestFile file(folder_ / name);
    TestFile::Storage storage;
    if (chunk_rows > 0) storage.chunk = {chunk_rows, chunk_side, chunk_side};
    file.array("/images", {rows, 4, 4}, std::vector<std::uint8_t>(rows * 16, 3), H5T_STD_U8LE, storage);
    return folder_ / name;
  }
  static std::vector<std::string> warnings(const DataSection& data, std::int64_t batch,
                                           const std::string& same_group = "allow") {
    const Corpus corpus = Corpus::open(data);
    return order_warnings(corpus, choose_order(corpus, data.order, same_group, batch), data, same_group);
  }
  TemporaryFolder folder_;
};

TEST_F(OrderChoiceOf, ImagesByThemselvesAreFullyPermuted) {
  for (const hsize_t chunk_rows : {0, 1}) {
    auto data = data_of(write("one.h5", 100, chunk_rows));
    const Corpus corpus = Corpus::open(data);
    for (const char* order : {"auto", "full", "windows"}) {
      const OrderChoice choice = choose_order(corpus, order, "allow", 16);
      EXPECT_THAT(choice.rows_per_slab, IsEmpty());
      EXPECT_THAT(slab_settings(corpus, choice, 4).ends, IsEmpty());
      EXPECT_TRUE(sharding::order_facts(choice).is_null()) << "a plan as it was before there were slabs";
    }
    EXPECT_THAT(warnings(data, 16), IsEmpty());
    data.order = "windows";
    EXPECT_THAT(warnings(data, 16), ElementsAre(HasSubstr("data.order: windows changes nothing")));
  }
}

TEST_F(OrderChoiceOf, ImagesInCommonChunksAreSeenInWindows) {
  const auto data = data_of(write("k.h5", 1000, 8));
  const Corpus corpus = Corpus::open(data);
  for (const char* order : {"auto", "windows"}) {
    const OrderChoice choice = choose_order(corpus, order, "mask", 16);
    EXPECT_THAT(choice.rows_per_slab, ElementsAre(8));
    EXPECT_EQ(choice.open_slabs, 64);
    const auto slabs = slab_settings(corpus, choice, 4);
    EXPECT_EQ(slabs.ends.size(), 125U);
    EXPECT_EQ(slabs.ends[1], 16);
    EXPECT_EQ(slabs.lane_images, 4);
  }
  EXPECT_EQ(choose_order(corpus, "auto", "allow", 80).open_slabs, 100) << "ten batches of images";
  EXPECT_THAT(choose_order(corpus, "full", "allow", 16).rows_per_slab, IsEmpty());
  EXPECT_THAT(choose_order(corpus, "auto", "forbid", 16).rows_per_slab, IsEmpty());
  EXPECT_THROW(choose_order(corpus, "random", "allow", 16), ConfigError);
  EXPECT_THAT(warnings(data, 16), IsEmpty());
}

TEST_F(OrderChoiceOf, FilesMayDiffer) {
  auto data = data_of(write("a.h5", 100, 8));
  data.files.push_back(write("b.h5", 100, 0));
  const Corpus corpus = Corpus::open(data);
  const OrderChoice choice = choose_order(corpus, "auto", "allow", 16);
  EXPECT_THAT(choice.rows_per_slab, ElementsAre(8, 1));
  EXPECT_EQ(slab_settings(corpus, choice, 4).ends.size(), 26U);
  EXPECT_THROW(slab_settings(corpus, {{8, 8, 8}, 64}, 4), DataError);
}

TEST_F(OrderChoiceOf, ThePlanKeepsIt) {
  const OrderChoice choice{{8, 1}, 70},
      same = sharding::order_of_plan({{"slabs", sharding::order_facts(choice)}});
  EXPECT_EQ(same.rows_per_slab, choice.rows_per_slab);
  EXPECT_EQ(same.open_slabs, 70);
  EXPECT_THAT(sharding::order_of_plan(nlohmann::json::object()).rows_per_slab, IsEmpty())
      << "of a run before slabs";
  EXPECT_THAT(sharding::order_of_plan({{"slabs", sharding::order_facts({})}}).rows_per_slab, IsEmpty());
}

TEST_F(OrderChoiceOf, WhatIsBadIsSaidWithTheWayOut) {
  const auto repack = HasSubstr("h5repack -l /images:CHUNK=1x4x4 IN.h5 OUT.h5");
  auto data = data_of(write("few.h5", 500, 50, 2));
  EXPECT_THAT(warnings(data, 16), ElementsAre(AllOf(HasSubstr("only 10 slabs of up to 50 rows"), repack)));
  data = data_of(write("k.h5", 1000, 8));
  EXPECT_THAT(warnings(data, 16, "forbid"),
              ElementsAre(AllOf(HasSubstr("forbid has an order of its own"), repack)));
  data.order = "full";
  EXPECT_THAT(warnings(data, 16), ElementsAre(AllOf(HasSubstr("the decoding of up to 8 rows"), repack)));
}

TEST_F(OrderChoiceOf, SlabsThatFillTheMemoryAreNamed) {
  const auto summary = sharding::SlabSummary{.slabs = 100, .rows = 8192, .bytes = 226 << 20, .open = 64};
  EXPECT_EQ(sharding::memory_warning(summary),
            "the open slabs take 14464 MiB decoded and a rank keeps 1024: on fewer than 15 ranks they are "
            "decoded again "
            "and again");
  EXPECT_THAT(sharding::memory_warning({.slabs = 100, .rows = 9999, .bytes = 300 << 20, .open = 3}),
              HasSubstr("a slab of 9999 rows takes 300 MiB decoded"));
  EXPECT_EQ(sharding::memory_warning({.slabs = 100, .rows = 32, .bytes = 1 << 20, .open = 64}), "");
}

}  // namespace
}  // namespace entrain::tests
