#include "coordinator/network_cost.hpp"

#include <gtest/gtest.h>

namespace entrain::coordinator {
namespace {

ViewCost cost(const std::string& name, std::int64_t pixels) {
  return view_cost(bit_architecture(name, 3), pixels);
}

// Counted by a script that shares nothing with this code.
TEST(NetworkCost, AgreesWithTheTableOfTheDesign) {
  EXPECT_NEAR(static_cast<double>(cost("bit_r50x1", 224).macs), 4.087e9, 0.0005e9);
  EXPECT_NEAR(static_cast<double>(cost("bit_r152x2", 224).macs), 45.81e9, 0.005e9);
  EXPECT_NEAR(static_cast<double>(cost("bit_r50x1", 96).macs), 0.751e9, 0.0005e9);
  EXPECT_NEAR(static_cast<double>(cost("bit_r50x1", 64).macs), 0.334e9, 0.0005e9);
  EXPECT_NEAR(static_cast<double>(cost("bit_r50x1", 224).norm_elements), 9.007e6, 0.0005e6);
  EXPECT_NEAR(static_cast<double>(cost("bit_r50x1", 224).conv_elements), 11.11e6, 0.005e6);
  EXPECT_NEAR(static_cast<double>(cost("bit_r152x2", 224).norm_elements), 40.89e6, 0.005e6);
  EXPECT_NEAR(static_cast<double>(cost("bit_r152x2", 224).conv_elements), 45.11e6, 0.005e6);
  EXPECT_NEAR(static_cast<double>(cost("bit_r50x1", 96).norm_elements), 1.654e6, 0.0005e6);
  EXPECT_NEAR(static_cast<double>(cost("bit_r152x2", 32).norm_elements), 0.835e6, 0.0005e6);
}

TEST(NetworkCost, KeepsInputAndOutputOfEachNorm) {
  const auto c = cost("bit_r50x1", 224);
  EXPECT_NEAR(static_cast<double>(c.kept_elements), 18.2e6, 0.1e6);
}

}  // namespace
}  // namespace entrain::coordinator
