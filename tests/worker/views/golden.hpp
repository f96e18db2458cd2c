#pragma once
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sharding/image_shape.hpp"
#include "worker/views/view_parameters.hpp"

namespace entrain::worker::test {

/// One image and one view of it from tests/reference/views (made by torchvision and numpy).
struct GoldenCase {
  std::string name, profile;
  sharding::ImageShape shape;
  double window_low = 0, window_high = 0;
  std::int64_t side = 0;
  ViewParameters parameters;
  std::vector<std::byte> image;
  std::vector<float> view;  ///< planar, in [-1, 1]
};

/// The view of a case made by a plausible mistake.
struct GoldenControl {
  std::string name, case_name;
  std::vector<float> view;
};

std::vector<GoldenCase> golden_cases();
std::vector<GoldenControl> golden_controls();
ViewParameters parameters_of(const nlohmann::json& json);
nlohmann::json read_reference(const std::string& file);

/// The section a renderer needs for the case: profile and side; everything that a case may use is on.
ViewSection section_of(const GoldenCase& golden);

/// Largest difference; infinite for different sizes.
double max_difference(const std::vector<float>& a, const std::vector<float>& b);
/// Largest value less smallest: a constant reference would prove nothing.
double spread(const std::vector<float>& a);

}  // namespace entrain::worker::test
