#include "sharding/inspect.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "sharding/value_window.hpp"
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

TEST_F(Inspect, FollowsLinksAsARunDoes) {
  {
    TestFile f(folder_ / "far.h5");
    write_plain_images(f, 4);
    f.texts("/group", {"p1", "p1", "p2", "p3"});
    f.integers("/label", {0, 1, 1, 1});
    f.text_list_attribute("/label", "class_names", {"fine", "sick"});
  }
  const auto i = of([](TestFile& f) {
    for (const char* name : {"/images", "/group", "/label"}) f.external_link(name, "far.h5", name);
  });
  EXPECT_EQ(i.refusal, "");
  EXPECT_EQ(i.image, "/images");
  EXPECT_EQ(i.rows, 4);
  EXPECT_EQ(i.groups, 3) << "text of variable length lies in the other file too";
  EXPECT_THAT(i.class_names, ElementsAre("fine", "sick"));
  const auto gone = of([](TestFile& f) { f.external_link("/images", "gone.h5", "/images"); });
  EXPECT_THAT(gone.refusal, HasSubstr("/images"));
}

TEST_F(Inspect, ANegativeLabelIsNoClass) {
  const auto i = of([](TestFile& f) {
    write_plain_images(f, 4);
    f.integers("/label", {-1, 1, -1, 1});
  });
  EXPECT_THAT(i.class_names, ElementsAre("1"));
  EXPECT_EQ((i.table.at({"", "", ""})), 2);
}

// Exit code 0 says that a run with these keys starts: tried with the very same keys.
TEST_F(Inspect, TheKeysItNamesMakeFloatsReadable) {
  const auto floats = [&](const std::function<void(std::vector<float>&)>& change) {
    return of([&](TestFile& f) {
      std::vector<float> values(64);
      for (std::size_t k = 0; k < values.size(); ++k) values[k] = static_cast<float>(k) / 64;
      change(values);
      f.array("/images", {4, 4, 4}, values, H5T_IEEE_F32LE);
    });
  };
  const auto plain = floats([](auto&) {});
  EXPECT_THAT(plain.keys, IsEmpty());
  EXPECT_EQ(plain.refusal, "");
  const auto one_nan = floats([](auto& v) { v[20] = std::nanf(""); });
  EXPECT_THAT(one_nan.keys, ElementsAre("data.on_corrupt=skip"));
  EXPECT_EQ(one_nan.refusal, "");
  const auto negative = floats([](auto& v) { v[3] = -0.5F; });
  EXPECT_THAT(negative.keys, ElementsAre("data.window_low=-0.5", "data.window_high=0.984375"));
  EXPECT_EQ(negative.refusal, "");
  const auto all_nan = floats([](auto& v) { v.assign(v.size(), std::nanf("")); });
  EXPECT_THAT(all_nan.refusal, HasSubstr("left no image"));
  const auto huge = floats([](auto& v) { v[3] = 3e38F; });
  EXPECT_THAT(huge.refusal, HasSubstr("beyond what a window takes"));
}

TEST_F(Inspect, NotANumberIsSaidAndHowToLeaveItOut) {
  {
    TestFile f(path_);
    std::vector<float> values(64, 0.5F);
    values[20] = std::nanf("");
    values[40] = 2;
    f.array("/images", {4, 4, 4}, values, H5T_IEEE_F32LE);
  }
  auto data = data_of(path_);
  const std::string said = data_error_of([&] { sharding::value_window(data, sharding::Corpus::open(data)); });
  EXPECT_THAT(said, HasSubstr("/images row 1: the image holds NaN"));
  EXPECT_THAT(said, HasSubstr("data.on_corrupt=skip"));
  EXPECT_THAT(said, ::testing::Not(HasSubstr("window")));
}

}  // namespace
}  // namespace entrain::tests
