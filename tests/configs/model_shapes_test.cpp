#include "configs/model_shapes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "configs/error.hpp"

namespace entrain {
namespace {

std::int64_t count(const std::vector<TensorSpec>& tensors) {
  std::int64_t sum = 0;
  for (const auto& t : tensors) sum += t.numel();
  return sum;
}

// tests/reference/configs/timm_shapes.json: names and shapes of timm's own networks.
TEST(ModelShapes, NamesAndShapesAreThoseOfTimm) {
  std::ifstream in(ENTRAIN_SOURCE_DIR "/tests/reference/configs/timm_shapes.json");
  const auto golden = nlohmann::json::parse(in);
  int networks = 0;
  for (const auto& [name, tensors] : golden.at("networks").items()) {
    SCOPED_TRACE(name);
    const auto ours = bit_tensors(bit_architecture(name, 3));
    std::map<std::string, std::vector<std::int64_t>> by_name;
    for (const auto& t : ours) by_name[t.name] = t.shape;
    ASSERT_EQ(by_name.size(), ours.size()) << "a name stands twice";
    EXPECT_EQ(by_name.size(), tensors.size());
    for (const auto& [tensor, shape] : tensors.items())
      EXPECT_EQ(by_name[tensor], shape.get<std::vector<std::int64_t>>()) << tensor;
    ++networks;
  }
  EXPECT_GE(networks, 3);
}

TEST(ModelShapes, TensorsStandInForwardOrder) {
  std::vector<std::string> names;
  for (const auto& t : bit_tensors(bit_architecture("bit_r26x1", 3))) names.push_back(t.name);
  const std::vector<std::string> head(names.begin(), names.begin() + 13);
  const std::string first = "stages.0.blocks.0.";
  EXPECT_THAT(head,
              ::testing::ElementsAre("stem.conv.weight", first + "norm1.weight", first + "norm1.bias",
                                     first + "conv1.weight", first + "norm2.weight", first + "norm2.bias",
                                     first + "conv2.weight", first + "norm3.weight", first + "norm3.bias",
                                     first + "conv3.weight", first + "downsample.conv.weight",
                                     "stages.0.blocks.1.norm1.weight", "stages.0.blocks.1.norm1.bias"));
}

TEST(ModelShapes, CountsAreThoseOfThePaperNetworks) {
  EXPECT_EQ(count(bit_tensors(bit_architecture("bit_r50x1", 3))), 23'500'352);
  EXPECT_EQ(count(bit_tensors(bit_architecture("bit_r101x1", 3))), 42'492'480);
  EXPECT_EQ(count(bit_tensors(bit_architecture("bit_r152x2", 3))), 232'238'208);
  EXPECT_EQ(count(bit_tensors(bit_architecture("bit_r50x3", 3))), 211'174'080);
  EXPECT_EQ(count(bit_tensors(bit_architecture("bit_r152x4", 3))), 928'340'224);
  EXPECT_EQ(bit_tensors(bit_architecture("bit_r50x1", 3)).size(), 151U);
  EXPECT_EQ(bit_tensors(bit_architecture("bit_r152x2", 3)).size(), 457U);
}

TEST(ModelShapes, OneChannelAndHalfWidth) {
  const auto arch = bit_architecture("bit_r14x0.5", 1);
  EXPECT_EQ(arch.stem_channels(), 32);
  EXPECT_EQ(arch.feature_width(), 1024);
  const auto tensors = bit_tensors(arch);
  EXPECT_EQ(tensors.front().name, "stem.conv.weight");
  EXPECT_THAT(tensors.front().shape, ::testing::ElementsAre(32, 1, 7, 7));
  EXPECT_EQ(tensors.back().name, "norm.bias");
}

TEST(ModelShapes, TheHeadHasNoBiasAtItsEnd) {
  const ModelSection model;
  const auto head = projection_head_tensors(model, 2048);
  std::vector<std::string> names;
  for (const auto& t : head) names.push_back(t.name);
  EXPECT_THAT(names, ::testing::ElementsAre("layers.0.weight", "norms.0.weight", "norms.0.bias",
                                            "layers.1.weight", "norms.1.weight"));
  EXPECT_EQ(count(head), 4'460'672);
  EXPECT_EQ(count(projection_head_tensors(model, 4096)), 17'309'824);
  EXPECT_EQ(count(projection_head_buffers(model, 2048)), 2 * (2048 + 128));
  EXPECT_THAT(head[3].shape, ::testing::ElementsAre(128, 2048));
}

TEST(ModelShapes, OneLayerAndANarrowMiddle) {
  ModelSection model;
  model.head_layers = 1;
  EXPECT_EQ(count(projection_head_tensors(model, 1024)), 1024 * 128 + 128);
  model.head_layers = 2, model.head_hidden = 512;
  EXPECT_EQ(count(projection_head_tensors(model, 1024)), 1024 * 512 + 2 * 512 + 512 * 128 + 128);
}

TEST(ModelShapes, AnUnknownNetworkIsAConfigErrorThatNamesTheKnown) {
  for (const auto* name : {"bit_r50", "bit_r18x1", "bit_r50x5", "bit_r50x0.50", ""}) {
    try {
      bit_architecture(name, 3);
      ADD_FAILURE() << name;
    } catch (const ConfigError& e) {
      EXPECT_THAT(e.what(), ::testing::HasSubstr("bit_r50x1"));
    }
  }
}

}  // namespace
}  // namespace entrain
