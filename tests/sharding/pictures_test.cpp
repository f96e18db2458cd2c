// Decoding and resizing against Pillow, archives against Python's tarfile (tests/reference/sharding).
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "configs/error.hpp"
#include "sharding/ingest/csv.hpp"
#include "sharding/ingest/file_source.hpp"
#include "sharding/ingest/picture.hpp"
#include "sharding/ingest/resize.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::Fit;
using sharding::Picture;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
const std::string kReference = std::string(ENTRAIN_SOURCE_DIR) + "/tests/reference/sharding/";

const nlohmann::json& expected() {
  static const auto* json =
      new nlohmann::json(nlohmann::json::parse(std::ifstream(kReference + "pictures.json")));
  return *json;
}

Picture decoded(const std::string& name) {
  const auto source = sharding::open_folder(kReference + "pictures");
  return sharding::decode_picture(source->read(name));
}

struct PictureCase {
  std::string name;
  int tolerance;  // JPEG decoders may round an inverse transform differently; Pillow blends CMYK in other steps
};
class Pictures : public ::testing::TestWithParam<PictureCase> {};

TEST_P(Pictures, HavePillowsPixels) {
  const Picture p = decoded(GetParam().name);
  const auto& want = expected().at(GetParam().name);
  ASSERT_EQ(p.width, want["width"]);
  ASSERT_EQ(p.height, want["height"]);
  ASSERT_EQ(p.channels, want["channels"]);
  ASSERT_EQ(p.values.size(), want["values"].size());
  int highest = 0;
  for (std::size_t i = 0; i < p.values.size(); ++i) {
    ASSERT_NEAR(p.values[i], want["values"][i].get<int>(), GetParam().tolerance) << i;
    highest = std::max<int>(highest, p.values[i]);
  }
  EXPECT_GT(highest, 150);
  EXPECT_EQ(p.white, GetParam().name == "deep.png" ? 65535 : 255);
}
INSTANTIATE_TEST_SUITE_P(Kinds, Pictures,
                         ::testing::Values(PictureCase{"rgb.png", 0}, PictureCase{"grey.png", 0},
                                           PictureCase{"grey_as_rgb.png", 0}, PictureCase{"deep.png", 0},
                                           PictureCase{"palette.png", 0}, PictureCase{"bits.png", 0},
                                           PictureCase{"alpha.png", 0}, PictureCase{"rgb.bmp", 0},
                                           PictureCase{"grey.bmp", 0}, PictureCase{"bgra.bmp", 0},
                                           PictureCase{"rgb.jpg", 1}, PictureCase{"grey.jpg", 1},
                                           PictureCase{"turned.jpg", 1}, PictureCase{"cmyk.jpg", 2}),
                         [](const auto& test) {
                           std::string name = test.param.name;
                           name[name.find('.')] = '_';
                           return name;
                         });

TEST(Picture, CutFilesAreErrorsNotGreyFilling) {
  EXPECT_THROW(decoded("cut.jpg"), DataError);
  EXPECT_THROW(decoded("cut.png"), DataError);
  EXPECT_THROW(sharding::decode_picture({}), DataError);
  const std::string text = "GIF89a and more";
  EXPECT_THROW(sharding::decode_picture(std::as_bytes(std::span(text.data(), text.size()))), DataError);
  auto bmp = sharding::open_folder(kReference + "pictures")->read("rgb.bmp");
  bmp.resize(bmp.size() - 100);
  EXPECT_THROW(sharding::decode_picture(bmp), DataError);
}

TEST(Picture, GreyIsPillowsLumaAndExactForGreyAsRgb) {
  const Picture grey = decoded("rgb.png").to_grey();
  for (std::size_t i = 0; i < grey.values.size(); ++i)
    ASSERT_EQ(grey.values[i], expected()["luma"][i].get<int>());
  EXPECT_FALSE(decoded("rgb.png").is_grey());
  const Picture triple = decoded("grey_as_rgb.png");
  EXPECT_EQ(triple.channels, 3);
  EXPECT_TRUE(triple.is_grey());
  EXPECT_EQ(triple.to_grey().values, decoded("grey.png").values);
  EXPECT_EQ(decoded("grey.png").to_rgb().values, triple.values);
}

void expect_resized(const std::string& name, std::int64_t px, Fit fit) {
  const auto got = sharding::resize(decoded("rgb.png"), px, fit, {});
  const auto& want = expected().at(name);
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], want[i].get<int>(), 1) << name << ' ' << i;  // Pillow rounds between the passes
}
TEST(Resize, IsPillowsAntialiasedBilinearForEachFit) {
  expect_resized("crop8", 8, Fit::kCrop);
  expect_resized("pad8", 8, Fit::kPad);
  expect_resized("stretch8", 8, Fit::kStretch);
  expect_resized("stretch40", 40, Fit::kStretch);
}

TEST(Resize, SixteenBitsAreScaledByWhiteOrByTheWindow) {
  const Picture p{1, 1, 1, 65535, {4095}};
  EXPECT_EQ(sharding::resize(p, 8, Fit::kCrop, {})[0], 16);
  EXPECT_EQ(sharding::resize(p, 8, Fit::kCrop, {0, 4095})[0], 255);
  EXPECT_EQ(sharding::resize(p, 8, Fit::kCrop, {4000, 4190})[0], 128);
  EXPECT_EQ(sharding::resize(p, 8, Fit::kCrop, {5000, 6000})[0], 0);
}

class Tars : public ::testing::TestWithParam<const char*> {};
TEST_P(Tars, GiveTheFilesThatPythonPutIn) {
  const auto tar = sharding::open_tar(kReference + GetParam());
  const auto text = [&](const std::string& name) {
    const auto bytes = tar->read(name);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  ASSERT_EQ(tar->names().size(), 5U);
  EXPECT_EQ(text("a.txt"), "alpha");  // "./a.txt" in the archive
  EXPECT_EQ(text("umlaut-\xC3\xBC.txt"), "utf-8");
  EXPECT_EQ(text("empty"), "");
  EXPECT_EQ(tar->read("folder/b.bin").size(), 768U);
  EXPECT_EQ(std::to_integer<int>(tar->read("folder/b.bin")[511]), 255);
  std::string deep;
  for (int i = 0; i < 30; ++i) deep += "deep/";
  EXPECT_EQ(text(deep + "c.txt"), "long name");
  EXPECT_TRUE(tar->has("empty"));
  EXPECT_FALSE(tar->has("./empty"));
  EXPECT_THROW(tar->read("no"), DataError);
}
INSTANTIATE_TEST_SUITE_P(Formats, Tars, ::testing::Values("ustar.tar", "pax.tar", "gnu.tar"),
                         [](const auto& test) { return std::string(test.param).substr(0, 3); });

template <typename Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(Tar, CompressedCutOrMissingOnesAreNamed) {
  EXPECT_THAT(error_of([] { sharding::open_tar(kReference + "packed.tar.gz"); }),
              HasSubstr("not a tar archive"));
  EXPECT_THAT(error_of([] { sharding::open_tar(kReference + "none.tar"); }), HasSubstr("No such file"));
  const TemporaryFolder folder;
  write_file(folder / "cut.tar", read_file(kReference + "ustar.tar").substr(0, 512 + 3));
  EXPECT_THAT(error_of([&] { sharding::open_tar(folder / "cut.tar"); }), HasSubstr("cut short"));
}

TEST(Csv, QuotesNewlinesAndCommas) {
  const TemporaryFolder folder;
  write_file(folder / "t.csv",
             "\xEF\xBB\xBF"
             "file,note\r\na.png,\"one, \"\"two\"\"\nthree\"\r\n\r\nb.png,\n");
  const auto t = sharding::read_csv(folder / "t.csv");
  EXPECT_THAT(t.header, ElementsAre("file", "note"));
  ASSERT_EQ(t.rows.size(), 2U);
  EXPECT_THAT(t.rows[0], ElementsAre("a.png", "one, \"two\"\nthree"));
  EXPECT_THAT(t.rows[1], ElementsAre("b.png", ""));
  EXPECT_EQ(t.column("note", "--x"), 1U);
  EXPECT_THAT(
      error_of([&] { t.column("notes", "--label-column"); }),
      AllOf(HasSubstr("did you mean \"note\"?"), HasSubstr("--label-column"), HasSubstr("file, note")));
}

TEST(Csv, BrokenOnesNameTheLine) {
  const TemporaryFolder folder;
  write_file(folder / "t.csv", "a,b\n1,2\n1,2,3\n");
  EXPECT_THAT(error_of([&] { sharding::read_csv(folder / "t.csv"); }),
              AllOf(HasSubstr("t.csv:3"), HasSubstr("3 fields"), HasSubstr("has 2")));
  write_file(folder / "t.csv", "a,b\n1,\"2\n");
  EXPECT_THAT(error_of([&] { sharding::read_csv(folder / "t.csv"); }),
              AllOf(HasSubstr("t.csv:2"), HasSubstr("never closed")));
  write_file(folder / "t.csv", "a,b\n");
  EXPECT_THAT(error_of([&] { sharding::read_csv(folder / "t.csv"); }), HasSubstr("no rows"));
}

}  // namespace
}  // namespace entrain::tests
