#include "worker/views/contact_sheet.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "configs/error.hpp"
#include "sharding/hdf5_writer.hpp"
#include "sharding/value_window.hpp"
#include "tests/support/temporary_folder.hpp"
#include "worker/views/inspect_views_command.hpp"

namespace entrain::worker {
namespace {

using sharding::ElementType;
using testing::HasSubstr;
using testing::SizeIs;
using tests::TemporaryFolder;

// Three images that brighten from left to right, up to `white`.
template <typename T>
DataSection small_corpus(const std::string& path, ElementType type, double white) {
  const sharding::ImageShape shape{20, 30, 1, type};
  std::vector<T> values;
  for (std::int64_t i = 0; i < 3 * shape.values(); ++i)
    values.push_back(
        static_cast<T>(white * static_cast<double>(i % shape.width) / static_cast<double>(shape.width - 1)));
  sharding::Hdf5Writer writer(path, false);
  writer.create_images("/images", shape, 3, sharding::Hdf5Writer::Storage::kContiguous);
  writer.append_images(reinterpret_cast<const std::byte*>(values.data()), 3);
  writer.commit();
  DataSection data;
  data.files = {path};
  return data;
}

double window_high_of(const DataSection& data) {
  return sharding::value_window(data, sharding::Corpus::open(data)).high;
}

TEST(ValueWindow, IsTheTypesRangeUnlessItIsSetOrFloatsAreLarger) {
  const TemporaryFolder folder;
  EXPECT_EQ(window_high_of(small_corpus<std::uint8_t>(folder / "a.h5", ElementType::kU8, 90)), 255);
  EXPECT_EQ(window_high_of(small_corpus<std::uint16_t>(folder / "b.h5", ElementType::kU16, 4095)), 65535);
  EXPECT_EQ(window_high_of(small_corpus<float>(folder / "c.h5", ElementType::kF32, 1)), 1);
  EXPECT_EQ(window_high_of(small_corpus<float>(folder / "d.h5", ElementType::kF32, 200)), 255);
  DataSection set = small_corpus<std::uint16_t>(folder / "e.h5", ElementType::kU16, 4095);
  set.window_low = 10, set.window_high = 4095;
  EXPECT_EQ(window_high_of(set), 4095);
  const sharding::ValueWindow window = value_window(set, sharding::Corpus::open(set));
  EXPECT_EQ(window.low, 10);
}

TEST(ValueWindow, RefusesFloatsThatItCannotGuess) {
  const TemporaryFolder folder;
  for (const double white : {-1.0, 1000.0, std::nan("")}) {
    const DataSection data = small_corpus<float>(folder / std::to_string(white), ElementType::kF32, white);
    try {
      window_high_of(data);
      FAIL() << white;
    } catch (const DataError& e) {
      EXPECT_THAT(e.what(), HasSubstr(std::isnan(white) ? "data.on_corrupt=skip" : "data.window_low"));
      EXPECT_THAT(e.what(), HasSubstr("/images row 0"));
    }
  }
}

TEST(Canvas, DrawsWhatFitsAndTellsLettersApart) {
  std::set<std::vector<std::uint8_t>> pictures;
  const std::string letters = "abcdefghijklmnopqrstuvwxyz0123456789.,:+-%()/_=";
  for (const char letter : letters) {
    Canvas canvas(6, 8);
    canvas.text(0, 0, std::string(1, letter), {0, 0, 0});
    pictures.insert(canvas.rgb());
  }
  EXPECT_EQ(pictures.size(), letters.size());
  Canvas canvas(10, 10);
  canvas.outline(5, 5, 20, 20, 2, {9, 8, 7});  // falls over the edge
  EXPECT_EQ(canvas.at(6, 9), (Colour{9, 8, 7}));
  EXPECT_EQ(canvas.at(7, 7), (Colour{255, 255, 255}));
}

TEST(Captions, SayWhatWasApplied) {
  const sharding::ImageShape gray{100, 200, 1, ElementType::kU8}, colour{100, 200, 3, ElementType::kU8};
  ViewParameters v = plain_view(gray);
  v.crop = {0, 0, 50, 100};
  v.rotation_degrees = -7.4F;
  v.jitter = v.gray = v.flip_horizontal = true;
  v.order = {kContrast, kHue, kBrightness, kSaturation};
  v.brightness = 1.5F;
  v.blur_sigma = 1.2F;
  EXPECT_EQ(captions(v, gray),
            (std::vector<std::string>{"25% 100x50 flip h turn -7", "c1.00 b1.50", "blur 1.2"}));
  EXPECT_EQ(captions(v, colour), (std::vector<std::string>{"25% 100x50 flip h turn -7",
                                                           "c1.00 h+0.00 b1.50 s1.00", "gray blur 1.2"}));
}

struct Png {
  std::uint32_t width = 0, height = 0;
  std::vector<std::uint8_t> rgb;
};
Png read_png(const std::string& path) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_TRUE(png_image_begin_read_from_file(&image, path.c_str())) << image.message;
  image.format = PNG_FORMAT_RGB;
  std::vector<std::uint8_t> rgb(PNG_IMAGE_SIZE(image));
  EXPECT_TRUE(png_image_finish_read(&image, nullptr, rgb.data(), 0, nullptr)) << image.message;
  return {image.width, image.height, rgb};
}

TEST(InspectViews, WritesASheetOfOriginalsAndViews) {
  const TemporaryFolder folder;
  small_corpus<std::uint8_t>(folder / "a.h5", ElementType::kU8, 255);
  const std::vector<std::string> args = {
      folder / "a.h5", "--views", folder / "out.png", "--preset", "xray",
      "--rows",        "2",       "--columns",        "4",        "views.crop_pixels=32"};
  EXPECT_EQ(inspect_views_command(args), 0);
  const Png png = read_png(folder / "out.png");
  ASSERT_EQ(png.width, 4U * (192 + 8) + 8);
  ASSERT_EQ(png.height, 24U + 2 * (192 + 30 + 8));
  // The original brightens from left to right: probe it away from outlines, near its bottom edge.
  const auto red = [&](int x, int y) {
    return int{png.rgb[(static_cast<std::size_t>(y) * png.width + x) * 3]};
  };
  EXPECT_LT(red(8 + 3, 24 + 190), 30);
  EXPECT_GT(red(8 + 188, 24 + 190), 225);
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    left.push_back(entry.path().filename());
  EXPECT_THAT(left, SizeIs(2)) << "the corpus and the sheet, no temporary file";
}

TEST(InspectViews, TheSeedChoosesTheViews) {
  const TemporaryFolder folder;
  small_corpus<std::uint8_t>(folder / "a.h5", ElementType::kU8, 255);
  std::set<std::vector<std::uint8_t>> sheets;
  for (const char* seed : {"run.seed=1", "run.seed=1", "run.seed=2"}) {
    inspect_views_command(
        {folder / "a.h5", "--views", folder / "out.png", "--overwrite", "views.crop_pixels=32", seed});
    const Png png = read_png(folder / "out.png");
    sheets.insert(
        {png.rgb.begin() + 24 * 3 * png.width, png.rgb.end()});  // below the title, which names the seed
  }
  EXPECT_EQ(sheets.size(), 2U);
}

TEST(InspectViews, RefusesWithOneClearLine) {
  const TemporaryFolder folder;
  small_corpus<std::uint8_t>(folder / "a.h5", ElementType::kU8, 255);
  EXPECT_THROW(inspect_views_command({"--views", folder / "out.png"}), ConfigError);
  EXPECT_THROW(inspect_views_command({folder / "a.h5", "--views", folder / "out.png", "--rows", "0"}),
               ConfigError);
  EXPECT_THROW(inspect_views_command({folder / "a.h5", "--views", folder / "out.png", "views.crop_pixel=3"}),
               ConfigError);
  EXPECT_THROW(inspect_views_command({folder / "none.h5", "--views", folder / "out.png"}), DataError);
  EXPECT_THROW(inspect_views_command({folder / "a.h5", "--views", folder / "no/such/out.png"}),
               CheckpointError);
  EXPECT_THROW(inspect_views_command({folder / "a.h5", "--views", folder / "a.h5", "--overwrite"}),
               ConfigError);
  tests::write_file(folder / "mine.png", "mine");
  EXPECT_THROW(inspect_views_command({folder / "a.h5", "--views", folder / "mine.png"}), CheckpointError);
  EXPECT_EQ(tests::read_file(folder / "mine.png"), "mine");
  EXPECT_THROW(
      inspect_views_command({folder / "a.h5", "--views", folder / "out.png", "run.seed=1", "run.seed=2"}),
      ConfigError);
}

}  // namespace
}  // namespace entrain::worker
