#include "worker/views/render_view.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "configs/error.hpp"
#include "configs/philox.hpp"
#include "tests/worker/views/golden.hpp"

namespace entrain::worker {
namespace {

using test::GoldenCase;

constexpr double kClose = 1e-5;  // the largest difference is 8e-6 (gamma 0.4 near black), most are below 1e-6

std::vector<float> rendered(const GoldenCase& golden, const ViewKernels& kernels = **usable_kernels()) {
  ViewRenderer renderer(test::section_of(golden), golden.shape, golden.window_low, golden.window_high,
                        kernels);
  std::vector<float> out(renderer.out_values(), -7.0F);
  renderer.render(golden.image.data(), golden.parameters, out.data());
  return out;
}

TEST(RenderView, EqualsTorchvisionAndGoogleOnEveryCase) {
  const auto cases = test::golden_cases();
  ASSERT_GT(cases.size(), 50U);
  double worst = 0;
  for (const GoldenCase& golden : cases) {
    const bool dark =
        golden.name == "brightness_0.0" || golden.name == "contrast_0.0" || golden.name == "one_pixel";
    ASSERT_TRUE(dark || test::spread(golden.view) > 0.3)
        << golden.name << ": a flat reference would prove nothing";
    const double difference = test::max_difference(rendered(golden), golden.view);
    EXPECT_LE(difference, kClose) << golden.name;
    worst = std::max(worst, difference);
  }
  RecordProperty("largest_difference", std::to_string(worst));
}

TEST(RenderView, DiffersFromEveryPlausibleMistake) {
  const auto controls = test::golden_controls();
  ASSERT_GE(controls.size(), 9U);
  const auto cases = test::golden_cases();
  for (const auto& control : controls) {
    const auto golden = std::find_if(cases.begin(), cases.end(),
                                     [&](const GoldenCase& c) { return c.name == control.case_name; });
    ASSERT_NE(golden, cases.end()) << control.case_name;
    const double difference = test::max_difference(rendered(*golden), control.view);
    EXPECT_TRUE(std::isfinite(difference)) << control.name;
    EXPECT_GT(difference, 4e-3) << control.name;
  }
}

TEST(RenderView, EveryInstructionSetGivesTheSameBits) {
  const auto cases = test::golden_cases();
  ASSERT_FALSE(cases.empty());
  const ViewKernels* const* all = usable_kernels();
  ASSERT_NE(all[0], nullptr);
  for (int i = 1; all[i]; ++i)
    for (const GoldenCase& golden : cases) {
      const auto best = rendered(golden, *all[0]), other = rendered(golden, *all[i]);
      EXPECT_EQ(std::memcmp(best.data(), other.data(), best.size() * sizeof(float)), 0)
          << golden.name << ": " << all[0]->name << " and " << all[i]->name << " differ by "
          << test::max_difference(best, other);
    }
}

// A renderer keeps scratch memory: what it rendered before must not show.
TEST(RenderView, DoesNotRememberEarlierViews) {
  const auto cases = test::golden_cases();
  int checked = 0, different = 0;
  for (const GoldenCase& golden : cases) {
    const auto fresh = rendered(golden);
    ViewRenderer renderer(test::section_of(golden), golden.shape, golden.window_low, golden.window_high);
    ViewParameters busy = golden.parameters;
    busy.crop = {0, 0, golden.shape.height, golden.shape.width};
    busy.rotation_degrees = 33;
    busy.equalize = busy.jitter = busy.flip_horizontal = true;
    busy.blur_sigma = 2;
    std::vector<float> out(renderer.out_values());
    renderer.render(golden.image.data(), busy, out.data());
    different += out != fresh;
    renderer.render(golden.image.data(), golden.parameters, out.data());
    EXPECT_EQ(out, fresh) << golden.name;
    ++checked;
  }
  EXPECT_GT(checked, 50);
  EXPECT_GT(different, 50) << "the busy view between must change something";
}

TEST(RenderView, NeverLeavesMinusOneToOne) {
  ViewSection section;
  section.crop_pixels = 19;
  section.rotation_degrees = 90;
  section.equalize = 0.3;
  section.gamma = 1;
  section.gray = 0.3;
  for (const char* profile : {"torchvision", "google"})
    for (const auto type :
         {sharding::ElementType::kU8, sharding::ElementType::kU16, sharding::ElementType::kF32})
      for (const std::int64_t channels : {1, 3}) {
        section.profile = profile;
        const sharding::ImageShape shape{33, 21, channels, type};
        std::vector<std::byte> image(shape.bytes());
        Draws noise(5, Purpose::kPhantom, 1);
        for (std::byte& b : image)
          b = static_cast<std::byte>(noise.next());  // f32: huge values, infinities and NaNs too
        ViewRenderer renderer(section, shape, 0, 0);
        std::vector<float> out(renderer.out_values());
        for (std::uint64_t sample = 0; sample < 300; ++sample) {
          renderer.render(image.data(), draw_view(section, shape, 1, 0, sample, 0), out.data());
          for (const float v : out) ASSERT_TRUE(v >= -1.00001F && v <= 1.00001F) << v << " sample " << sample;
        }
      }
}

// At 224 px the kernel is cut at 4.5 sigma for most sigmas; a constant image shows the weight that is lost.
TEST(RenderView, ACutBlurKernelKeepsItsWeight) {
  const ViewSection section;
  const sharding::ImageShape shape{30, 30, 1, sharding::ElementType::kU8};
  const std::vector<std::byte> white(shape.bytes(), std::byte{255});
  ViewRenderer renderer(section, shape, 0, 0);
  ASSERT_EQ(blur_radius(renderer.side()), 11);
  std::vector<float> out(renderer.out_values());
  ViewParameters view = plain_view(shape);
  for (float sigma = 0.1F; sigma <= 2; sigma += 0.05F) {
    view.blur_sigma = sigma;
    renderer.render(white.data(), view, out.data());
    for (const float v : out) ASSERT_NEAR(v, 1, 4e-5) << sigma;
  }
}

TEST(RenderPlain, IsTheWholeImageResized) {
  int checked = 0;
  for (const GoldenCase& golden : test::golden_cases()) {
    if (golden.name != "down") continue;  // the whole image, no other operation, by torchvision
    ViewRenderer renderer(test::section_of(golden), golden.shape, golden.window_low, golden.window_high);
    std::vector<float> out(renderer.out_values());
    renderer.render_plain(golden.image.data(), out.data());
    EXPECT_LE(test::max_difference(out, golden.view), kClose);
    ++checked;
  }
  EXPECT_EQ(checked, 1);
}

TEST(RenderView, RefusesWhatItCannotRender) {
  const sharding::ImageShape gray{8, 8, 1, sharding::ElementType::kU16};
  ViewSection section;
  EXPECT_THROW(ViewRenderer(section, gray, 5, 5), ConfigError);
  EXPECT_THROW(ViewRenderer(section, gray, 9, 5), ConfigError);
  EXPECT_THROW(ViewRenderer(section, {8, 8, 4, sharding::ElementType::kU8}, 0, 0), ConfigError);
  section.profile = "pillow";
  EXPECT_THROW(ViewRenderer(section, gray, 0, 0), ConfigError);
}

}  // namespace
}  // namespace entrain::worker
