#include "sharding/slab_ends.hpp"

#include <gmock/gmock.h>

#include <numeric>

#include "configs/error.hpp"

namespace entrain::tests {
namespace {
using sharding::slab_ends;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Numbers = std::vector<std::int64_t>;

Numbers all_rows(std::int64_t count) {
  Numbers rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  return rows;
}

TEST(SlabEnds, RowsByThemselvesHaveNone) {
  EXPECT_THAT(slab_ends(all_rows(10), Numbers{0, 4, 10}, Numbers{1, 1}), IsEmpty());
  EXPECT_THAT(slab_ends(all_rows(10), Numbers{0, 4, 10}, Numbers{1}), IsEmpty());
}

TEST(SlabEnds, ASlabEndsWhereItsFileDoes) {
  EXPECT_THAT(slab_ends(all_rows(10), Numbers{0, 10}, Numbers{4}), ElementsAre(4, 8, 10));
  EXPECT_THAT(slab_ends(all_rows(12), Numbers{0, 5, 12}, Numbers{4, 4}), ElementsAre(4, 5, 9, 12));
  EXPECT_THAT(slab_ends(all_rows(12), Numbers{0, 5, 12}, Numbers{4}), ElementsAre(4, 5, 9, 12));
}

TEST(SlabEnds, RowsThatAreLeftOutMakeItSmallerOrNone) {
  EXPECT_THAT(slab_ends(Numbers{0, 3, 5, 12, 13, 19}, Numbers{0, 20}, Numbers{4}), ElementsAre(2, 3, 5, 6));
}

TEST(SlabEnds, SmallerSlabsAreTakenTogether) {
  EXPECT_THAT(slab_ends(all_rows(20), Numbers{0, 10, 20}, Numbers{3, 8}), ElementsAre(6, 10, 18, 20));
  EXPECT_THAT(slab_ends(all_rows(20), Numbers{0, 10, 20}, Numbers{8, 1}), ElementsAre(8, 10, 18, 20));
}

TEST(SlabEnds, ARowThatComesAgainIsOfAnotherSlab) {
  EXPECT_THAT(slab_ends(Numbers{0, 1, 2, 0, 1, 2}, Numbers{0, 3}, Numbers{2}), ElementsAre(2, 3, 5, 6));
}

TEST(SlabEnds, NumbersOfOtherFilesAreRefused) {
  EXPECT_THROW(slab_ends(all_rows(12), Numbers{0, 5, 12}, Numbers{4, 4, 4}), DataError);
  EXPECT_THROW(slab_ends(all_rows(12), Numbers{0, 5, 12}, Numbers{4, 0}), DataError);
}

}  // namespace
}  // namespace entrain::tests
