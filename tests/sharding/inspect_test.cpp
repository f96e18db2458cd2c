#include "sharding/inspect.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/sharding/hdf5_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::inspect_files;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Inspect : public ::testing::Test {
 protected:
  sharding::Inspection of(const std::function<void(TestFile&)>& write) {
    {
      TestFile f(path_);
      write(f);
    }
    return inspect_files({path_});
  }
  TemporaryFolder folder_;
  std::string path_ = folder_ / "f.h5";
};

TEST_F(Inspect, TellsTheTablesAndTheKeys) {
  const auto i = of([](TestFile& f) {
    write_plain_images(f, 6, 4, "/x");
    f.texts("/patient_id", {"p1", "p1", "p2", "p3", "p4", "p4"});
    f.integers("/y", {0, 0, 1, 1, 0, 0});
    f.texts("/split", {"train", "train", "train", "val", "test", "test"});
  });
  EXPECT_EQ(i.image, "/x");
  EXPECT_EQ(i.axes, "NHW");
  EXPECT_EQ(i.rows, 6);
  EXPECT_EQ(i.groups, 4);
  EXPECT_EQ(i.largest_group, 2);
  EXPECT_EQ(i.table.at({"train", "", "0"}), 2);
  EXPECT_THAT(i.keys, ElementsAre("data.image=/x", "data.group=/patient_id", "data.label=/y"));
  EXPECT_EQ(i.refusal, "");
  EXPECT_THAT(i.odd, Contains(HasSubstr("split val has no image of class 0")));
  EXPECT_EQ(i.low, 0);
  EXPECT_EQ(i.high, pixel(5, 3, 3, 0));
}

TEST_F(Inspect, AnOrdinaryFileHasNothingOdd) {
  const auto i = of([](TestFile& f) {
    write_plain_images(f, 6);
    f.texts("/group", {"p1", "p1", "p2", "p3", "p4", "p4"});
  });
  EXPECT_THAT(i.odd, IsEmpty());
  EXPECT_THAT(i.keys, IsEmpty());
  EXPECT_EQ(i.refusal, "");
}

TEST_F(Inspect, SeesStraddlingGroupsConstantAndGreyImagesAndCutChunks) {
  const auto i = of([](TestFile& f) {
    std::vector<std::uint8_t> values;
    for (int p = 0; p < 4 * 64; ++p)
      values.insert(values.end(), 3, static_cast<std::uint8_t>(p < 64 ? 0 : p));
    f.array("/images", {4, 8, 8, 3}, values, H5T_STD_U8LE,
            {.chunk = {2, 4, 8, 3}, .gzip = 1, .shuffle = true});
    f.texts("/group", {"a", "b", "a", "c"});
    f.texts("/split", {"train", "train", "test", "test"});
  });
  EXPECT_EQ(i.straddling_groups, 1);
  EXPECT_THAT(i.odd, Contains(HasSubstr("1 of 3 groups stand in two splits (a in train and test)")));
  EXPECT_THAT(i.odd, Contains(HasSubstr("1 of 4 sampled images are constant")));
  EXPECT_THAT(i.odd, Contains(HasSubstr("R = G = B")));
  EXPECT_THAT(i.odd, Contains(HasSubstr("cut through images")));
  EXPECT_THAT(i.refusal, HasSubstr("stands in two splits"));
  EXPECT_THAT(i.files[0].datasets,
              Contains(::testing::Field(&sharding::DatasetInfo::filters, ElementsAre("shuffle", "gzip 1"))));
}

TEST_F(Inspect, CountsNotANumberAndSmallSixteenBitRanges) {
  const auto f32 = of([](TestFile& f) {
    std::vector<float> values(32);
    for (std::size_t k = 0; k < values.size(); ++k) values[k] = static_cast<float>(k) * 100 - 50;
    values[20] = std::nanf("");
    f.array("/images", {2, 4, 4}, values, H5T_IEEE_F32BE);
  });
  EXPECT_EQ(f32.not_a_number, 1);
  EXPECT_THAT(f32.odd, Contains(HasSubstr("data.window_low")));
  const auto u16 = of([](TestFile& f) {
    f.array("/images", {1, 2, 2}, std::vector<std::uint16_t>{0, 7, 4095, 9}, H5T_STD_U16LE);
  });
  EXPECT_THAT(u16.odd, Contains(HasSubstr("only reach 4095")));
}

TEST_F(Inspect, AFileWithoutImagesSaysSo) {
  EXPECT_THAT(of([](TestFile& f) {
                f.integers("/weights", {1, 2});
              }).refusal,
              HasSubstr("no dataset can be read as images"));
}

}  // namespace
}  // namespace entrain::tests
