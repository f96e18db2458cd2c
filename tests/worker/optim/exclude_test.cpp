#include "worker/optim/exclude.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "configs/error.hpp"

namespace entrain::worker {
namespace {

std::vector<std::string> excluded_names(const std::string& exclude, const std::string& head = "head.") {
  ParameterSet parameters({{"stem.conv.weight", {8, 3, 7, 7}},
                           {"stages.0.blocks.0.norm1.weight", {8}},
                           {"stages.0.blocks.0.norm1.bias", {8}},
                           {"norm.weight", {8}},
                           {"norm.bias", {8}},
                           {head + "layers.0.weight", {8, 8}},
                           {head + "norms.0.weight", {8}},
                           {head + "norms.0.bias", {8}},
                           {"head.fc.weight", {2, 8, 1, 1}},
                           {"head.fc.bias", {2}}},
                          at::kFloat);
  std::vector<std::string> names;
  const auto out = excluded(exclude, parameters);
  for (std::size_t i = 0; i < out.size(); ++i)
    if (out[i]) names.push_back(parameters.all()[i].name);
  return names;
}

using ::testing::ElementsAre;

TEST(Exclude, OneDimIsNormsAndBiases) {
  EXPECT_THAT(excluded_names("one_dim"),
              ElementsAre("stages.0.blocks.0.norm1.weight", "stages.0.blocks.0.norm1.bias", "norm.weight",
                          "norm.bias", "head.norms.0.weight", "head.norms.0.bias", "head.fc.bias"));
}

// The released code's patterns do not match group_norm/gamma and beta: GroupNorm decays there.
TEST(Exclude, GoogleIsBatchNormAndBiasesButNotGroupNorm) {
  EXPECT_THAT(excluded_names("google"),
              ElementsAre("head.norms.0.weight", "head.norms.0.bias", "head.fc.bias"));
  EXPECT_THAT(excluded_names("google", ""), ElementsAre("norms.0.weight", "norms.0.bias", "head.fc.bias"));
}

TEST(Exclude, NoneIsNone) { EXPECT_THAT(excluded_names("none"), ElementsAre()); }

TEST(Exclude, AnythingElseIsARegularExpression) {
  EXPECT_THAT(excluded_names("^stem|fc\\.bias$"), ElementsAre("stem.conv.weight", "head.fc.bias"));
}

TEST(Exclude, AnExpressionThatCannotBeMeantIsRefused) {
  EXPECT_THROW(excluded_names("one_dmi"), ConfigError);  // matches nothing
  EXPECT_THROW(excluded_names("norm("), ConfigError);    // malformed
}

}  // namespace
}  // namespace entrain::worker
