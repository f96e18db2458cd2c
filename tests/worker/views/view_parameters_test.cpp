#include "worker/views/view_parameters.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/worker/views/golden.hpp"

namespace entrain::worker {
namespace {

const sharding::ImageShape kSquare{224, 224, 3, sharding::ElementType::kU8};
constexpr int kMany = 40000;

ViewSection section_from(const nlohmann::json& s) {
  ViewSection section;
  section.profile = s.at("profile");
  section.min_area = s.at("min_area");
  section.max_area = s.at("max_area");
  section.horizontal_flip = s.at("horizontal_flip");
  section.vertical_flip = s.at("vertical_flip");
  section.rotation_degrees = s.at("rotation_degrees");
  section.jitter = s.at("jitter");
  section.brightness = s.at("brightness");
  section.contrast = s.at("contrast");
  section.saturation = s.at("saturation");
  section.hue = s.at("hue");
  section.gamma = s.at("gamma");
  section.gray = s.at("gray");
  section.blur = s.at("blur");
  section.blur_sigma_min = s.at("blur_sigma_min");
  section.blur_sigma_max = s.at("blur_sigma_max");
  section.equalize = s.at("equalize");
  return section;
}

void expect_equal(const ViewParameters& got, const ViewParameters& want) {
  EXPECT_EQ(got.crop, want.crop);
  EXPECT_EQ(got.flip_horizontal, want.flip_horizontal);
  EXPECT_EQ(got.flip_vertical, want.flip_vertical);
  EXPECT_FLOAT_EQ(got.rotation_degrees, want.rotation_degrees);
  EXPECT_EQ(got.equalize, want.equalize);
  EXPECT_EQ(got.jitter, want.jitter);
  EXPECT_EQ(got.order, want.order);
  EXPECT_FLOAT_EQ(got.brightness, want.brightness);
  EXPECT_FLOAT_EQ(got.contrast, want.contrast);
  EXPECT_FLOAT_EQ(got.saturation, want.saturation);
  EXPECT_FLOAT_EQ(got.hue, want.hue);
  EXPECT_FLOAT_EQ(got.gamma, want.gamma);
  EXPECT_EQ(got.gray, want.gray);
  EXPECT_FLOAT_EQ(got.blur_sigma, want.blur_sigma);
}

TEST(DrawView, EqualsTheRulesWrittenInPython) {
  const auto json = test::read_reference("draws.json");
  ASSERT_GT(json.at("cases").size(), 40U);
  for (const auto& c : json.at("cases")) {
    const sharding::ImageShape shape{c.at("height"), c.at("width"), 1, sharding::ElementType::kU8};
    SCOPED_TRACE(c.dump());
    expect_equal(draw_view(section_from(c.at("section")), shape, c.at("seed"), c.at("epoch"), c.at("sample"),
                           c.at("view")),
                 test::parameters_of(c.at("want")));
  }
}

TEST(DrawView, DependsOnEveryPartOfItsKeyAndOnNothingElse) {
  const ViewSection section;
  const auto draw = [&](std::uint64_t seed, std::int64_t epoch, std::uint64_t sample, int view) {
    return draw_view(section, kSquare, seed, epoch, sample, view).brightness;
  };
  const float first = draw(3, 2, 1, 0);
  const std::set<float> others = {first, draw(4, 2, 1, 0), draw(3, 3, 1, 0), draw(3, 2, 2, 0),
                                  draw(3, 2, 1, 1)};
  EXPECT_EQ(others.size(), 5U);
  EXPECT_EQ(first, draw(3, 2, 1, 0)) << "after other calls";
}

// Switching an operation off, or another image size, must not move the numbers of the others.
TEST(DrawView, ASkippedOperationStillConsumesItsNumbers) {
  const ViewSection all;
  ViewSection few = all;
  few.jitter = few.gray = few.vertical_flip = few.equalize = few.rotation_degrees = 0;
  for (std::uint64_t sample = 0; sample < 200; ++sample) {
    const auto a = draw_view(all, kSquare, 1, 0, sample, 0), b = draw_view(few, kSquare, 1, 0, sample, 0);
    ASSERT_EQ(a.crop, b.crop);
    ASSERT_EQ(a.blur_sigma, b.blur_sigma);
    ASSERT_EQ(a.hue, draw_view(all, {40, 400, 1, sharding::ElementType::kU8}, 1, 0, sample, 0).hue);
  }
}

struct CropStatistics {
  double mean_area = 0, median_area = 0, mean_log_aspect = 0, smallest = 1, largest = 0;
  bool last_row = false;  // whether a crop ever touched the last row without covering the height
};

CropStatistics crop_statistics(const ViewSection& section) {
  CropStatistics s;
  std::vector<double> areas;
  for (int sample = 0; sample < kMany; ++sample) {
    const CropBox c = draw_view(section, kSquare, 9, 0, sample, 0).crop;
    EXPECT_TRUE(c.top >= 0 && c.left >= 0 && c.height > 0 && c.width > 0 && c.top + c.height <= 224 &&
                c.left + c.width <= 224);
    areas.push_back(static_cast<double>(c.height * c.width) / (224 * 224));
    s.mean_area += areas.back() / kMany;
    s.mean_log_aspect += std::log(static_cast<double>(c.width) / static_cast<double>(c.height)) / kMany;
    s.last_row |= c.height < 224 && c.top + c.height == 224;
  }
  std::sort(areas.begin(), areas.end());
  s.median_area = areas[kMany / 2];
  s.smallest = areas.front();
  s.largest = areas.back();
  return s;
}

// Figures of a simulation of both rules in another program; the standard error here is 0.0013.
TEST(DrawView, TorchvisionsCropsHaveTheKnownAreas) {
  const CropStatistics s = crop_statistics(ViewSection{});
  EXPECT_NEAR(s.mean_area, 0.480, 0.005);
  EXPECT_NEAR(s.median_area, 0.476, 0.007);
  EXPECT_NEAR(s.mean_log_aspect, 0, 0.005);
  EXPECT_NEAR(s.smallest, 0.08, 0.002);
  EXPECT_GT(s.largest, 0.97);
  EXPECT_TRUE(s.last_row);
}

TEST(DrawView, GooglesCropsAreSmallerAndNeverTouchTheEnd) {
  ViewSection section;
  section.profile = "google";
  const CropStatistics s = crop_statistics(section);
  EXPECT_NEAR(s.mean_area, 0.422, 0.005);
  EXPECT_NEAR(s.median_area, 0.388, 0.007);
  EXPECT_GE(s.smallest, 0.1) << "min_object_covered refuses a crop below a tenth";
  EXPECT_FALSE(s.last_row);
}

TEST(DrawView, ProbabilitiesAndRangesAreThoseAskedFor) {
  ViewSection section;
  section.vertical_flip = 0.1;
  section.equalize = 0.3;
  section.rotation_degrees = 10;
  section.gamma = 0.5;
  double horizontal = 0, vertical = 0, equalize = 0, jitter = 0, gray = 0, blur = 0, sigma = 0,
         brightness = 0, gamma = 0;
  std::set<std::array<int, 4>> orders;
  for (int sample = 0; sample < kMany; ++sample) {
    const ViewParameters v = draw_view(section, kSquare, 4, 1, sample, 1);
    horizontal += v.flip_horizontal, vertical += v.flip_vertical, equalize += v.equalize, jitter += v.jitter,
        gray += v.gray;
    blur += v.blur_sigma > 0, sigma += static_cast<double>(v.blur_sigma);
    brightness += static_cast<double>(v.brightness), gamma += std::log(static_cast<double>(v.gamma));
    orders.insert(v.order);
    ASSERT_TRUE(v.blur_sigma == 0 || (v.blur_sigma >= 0.1F && v.blur_sigma <= 2.0F));
    ASSERT_TRUE(std::abs(v.rotation_degrees) <= 10 && std::abs(v.hue) <= 0.2F);
    for (const float f : {v.brightness, v.contrast, v.saturation}) ASSERT_TRUE(f >= 0.2F && f <= 1.8F) << f;
    ASSERT_TRUE(v.gamma >= std::exp(-0.5F) * 0.999F && v.gamma <= std::exp(0.5F) * 1.001F);
  }
  const auto share = [](double count) { return count / kMany; };  // standard error at most 0.0025
  EXPECT_NEAR(share(horizontal), 0.5, 0.01);
  EXPECT_NEAR(share(vertical), 0.1, 0.01);
  EXPECT_NEAR(share(equalize), 0.3, 0.01);
  EXPECT_NEAR(share(jitter), 0.8, 0.01);
  EXPECT_NEAR(share(gray), 0.2, 0.01);
  EXPECT_NEAR(share(blur), 0.5, 0.01);
  EXPECT_NEAR(sigma / blur, 1.05, 0.02);
  EXPECT_NEAR(share(brightness), 1.0, 0.01);
  EXPECT_NEAR(share(gamma), 0.0, 0.01);
  EXPECT_EQ(orders.size(), 24U) << "every order of the four operations occurs";
}

TEST(DrawView, FactorsAreNotNegative) {
  ViewSection section;
  section.contrast = 1.5;
  double smallest = 9;
  for (int sample = 0; sample < 2000; ++sample)
    smallest = std::min(smallest, static_cast<double>(draw_view(section, kSquare, 4, 1, sample, 1).contrast));
  EXPECT_GE(smallest, 0);
  EXPECT_LT(smallest, 0.01) << "the range reaches down to 0";
}

TEST(FinetuneViews, KeepGeometryAndDropColour) {
  ViewSection section;
  section.rotation_degrees = 10;
  section.equalize = 1;
  const ViewSection plain = finetune_views(section);
  EXPECT_EQ(plain.rotation_degrees, 10);
  EXPECT_EQ(plain.min_area, section.min_area);
  EXPECT_EQ(plain.horizontal_flip, section.horizontal_flip);
  const ViewParameters v = draw_view(plain, kSquare, 0, 0, 3, 0);
  EXPECT_FALSE(v.jitter || v.gray || v.equalize);
  EXPECT_EQ(v.blur_sigma, 0);
  EXPECT_EQ(v.crop, draw_view(section, kSquare, 0, 0, 3, 0).crop);
}

}  // namespace
}  // namespace entrain::worker
