#include "worker/models/init.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/golden.hpp"
#include "worker/models/parameters.hpp"

namespace entrain::tests {
namespace {

using worker::ParameterSet;

TEST(FillNormal, EqualsAnIndependentPhiloxAndBoxMuller) {
  const auto golden = read_golden("models/init.json");
  at::Tensor odd = at::zeros({9}, at::kDouble), wide = at::zeros({2, 4}, at::kFloat);
  worker::fill_normal_(odd, 1.0, 7, "a.weight");
  worker::fill_normal_(wide, 0.1, (std::uint64_t{1} << 33) + 5, "stages.0.blocks.0.conv1.weight");
  EXPECT_TRUE(at::allclose(odd, golden.at("seed 7 a.weight"), 1e-14, 1e-14));
  EXPECT_TRUE(at::allclose(wide.view({-1}).to(at::kDouble),
                           golden.at("seed 2^33+5 stages.0.blocks.0.conv1.weight"), 1e-7, 1e-9));
}

ParameterSet some_parameters() {
  return ParameterSet({{"encoder.stem.conv.weight", {64, 3, 7, 7}},
                       {"encoder.norm1.weight", {64}},
                       {"encoder.norm1.bias", {64}},
                       {"encoder.conv1.weight", {128, 64, 3, 3}},
                       {"head.layers.0.weight", {256, 300}},
                       {"head.norms.0.weight", {256}},
                       {"head.norms.0.bias", {256}}},
                      at::kFloat);
}

TEST(Init, ConvolutionsAreKaimingFanOutAndNormsAreIdentities) {
  ParameterSet parameters = some_parameters();
  for (const auto& p : parameters.all()) p.value.fill_(5);
  worker::initialise_encoder_(parameters, "encoder.", 1);
  for (const char* name : {"encoder.stem.conv.weight", "encoder.conv1.weight"}) {
    const at::Tensor w = parameters[name].to(at::kDouble);
    const double sigma = std::sqrt(2.0 / static_cast<double>(w.size(0) * w.size(2) * w.size(3)));
    const double n = static_cast<double>(w.numel());
    EXPECT_NEAR(w.mean().item<double>(), 0, 5 * sigma / std::sqrt(n)) << name;
    EXPECT_NEAR(w.std().item<double>(), sigma, 5 * sigma / std::sqrt(2 * n)) << name;
    EXPECT_NEAR((w / sigma).pow(4).mean().item<double>(), 3, 5 * std::sqrt(96 / n)) << name << ": not normal";
  }
  EXPECT_TRUE(at::equal(parameters["encoder.norm1.weight"], at::ones({64})));
  EXPECT_TRUE(at::equal(parameters["encoder.norm1.bias"], at::zeros({64})));
  EXPECT_TRUE(at::equal(parameters["head.layers.0.weight"], at::full({256, 300}, 5.0)))
      << "not the encoder's";
}

TEST(Init, HeadMatricesHaveDeviationOneHundredth) {
  ParameterSet parameters = some_parameters();
  worker::initialise_head_(parameters, "head.", 1);
  const at::Tensor w = parameters["head.layers.0.weight"].to(at::kDouble);
  EXPECT_NEAR(w.std().item<double>(), 0.01, 5 * 0.01 / std::sqrt(2.0 * static_cast<double>(w.numel())));
  EXPECT_TRUE(at::equal(parameters["head.norms.0.weight"], at::ones({256})));
  EXPECT_TRUE(at::equal(parameters["head.norms.0.bias"], at::zeros({256})));
}

TEST(Init, DrawsDependOnSeedAndNameAlone) {
  at::Tensor a = at::zeros({1000}), again = at::zeros({1000}), other_seed = at::zeros({1000}),
             other = at::zeros({1000});
  worker::fill_normal_(a, 1, 3, "x");
  worker::fill_normal_(again, 1, 3, "x");
  worker::fill_normal_(other_seed, 1, 4, "x");
  worker::fill_normal_(other, 1, 3, "y");
  EXPECT_TRUE(at::equal(a, again));
  for (const at::Tensor& b : {other_seed, other})
    EXPECT_LT((a * b).mean().abs().item<double>(), 5 / std::sqrt(1000.0));
}

TEST(Parameters, AreViewsOfOneFlatBufferInOrder) {
  ParameterSet parameters({{"a", {2, 3}}, {"b", {4}}}, at::kDouble);
  EXPECT_EQ(parameters.numel(), 10);
  parameters["b"].fill_(7);
  EXPECT_TRUE(
      at::equal(parameters.flat(), at::tensor({0., 0., 0., 0., 0., 0., 7., 7., 7., 7.}, at::kDouble)));
  const at::Tensor flat = at::arange(10, at::kDouble);
  EXPECT_TRUE(at::equal(parameters.view(flat, 0), flat.narrow(0, 0, 6).view({2, 3})));
  parameters.view(flat, 1).zero_();
  EXPECT_EQ(flat[9].item<double>(), 0) << "a view, not a copy";
  EXPECT_THROW(parameters.view(at::zeros({11}), 0), c10::Error);
  try {
    parameters.index("c");
    FAIL() << "no tensor c";
  } catch (const std::out_of_range& e) {
    EXPECT_NE(std::string(e.what()).find("\"c\""), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace entrain::tests
