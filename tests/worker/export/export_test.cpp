// An exported file must be what timm would have made: names, shapes and what the network then computes
// (tests/reference/export/make_export.py). tests/reference/export/check_export.py holds a real run against timm.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "checkpoint/store.hpp"
#include "configs/error.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/worker/models/bit_numbers.hpp"
#include "worker/export/export_command.hpp"
#include "worker/export/timm_names.hpp"
#include "worker/models/network.hpp"
#include "worker/stages/committer.hpp"

namespace entrain::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kModel = "bit_r14x0.5";
constexpr std::int64_t kClasses = 3;

// A run directory whose newest checkpoint has the weights of make_export.py, with or without a classifier.
void commit_run(const std::string& dir, bool classifier) {
  const BitArchitecture arch = bit_architecture(kModel, 1);
  std::vector<TensorSpec> extra;
  if (classifier)
    extra = {{"classifier.weight", {kClasses, arch.feature_width()}}, {"classifier.bias", {kClasses}}};
  const auto parameters = filled_parameters(arch, "encoder.", at::kFloat, extra);
  if (classifier) {
    parameters["classifier.weight"].copy_(0.04 * numbers("head.fc.weight", {kClasses, arch.feature_width()}));
    parameters["classifier.bias"].copy_(0.5 * numbers("head.fc.bias", {kClasses}));
  }
  std::vector<worker::NamedTensor> tensors = parameters.all();
  tensors.push_back({"optim.momentum.encoder.norm.bias", at::ones({4})});  // must not be exported
  nlohmann::json facts = {{"stage", classifier ? "finetune" : "pretrain"},
                          {"in_channels", 1},
                          {"corpus_digest", "c0ffee"},
                          {"config", {{"model.name", kModel}, {"views.crop_pixels", "48"}}}};
  if (classifier) facts["class_names"] = {"a", "b", "it's c"};
  checkpoint::CheckpointStore store(dir, {2});
  store.commit(8, {store.write_shard(8, worker::views_of(tensors), 0, 1)}, facts);
}

struct Answer {
  int code;
  std::string output;
};
Answer export_run(const std::string& from, const std::string& out, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"--from", from, "--out", out, "--names", "timm"});
  ::testing::internal::CaptureStdout();
  const int code = [&] {
    try {
      return worker::export_command(more);
    } catch (...) {
      ::testing::internal::GetCapturedStdout();
      throw;
    }
  }();
  return {code, ::testing::internal::GetCapturedStdout()};
}

at::Tensor tensor_of(const checkpoint::TensorView& view) {
  const at::Tensor t = at::empty(view.shape);
  std::copy_n(view.data, view.bytes(), static_cast<std::byte*>(t.mutable_data_ptr()));
  return t;
}

TEST(Export, HasTimmsNamesAndShapesAndTheBytesOfEachName) {
  const TemporaryFolder folder;
  commit_run(folder / "run", true);
  ASSERT_EQ(export_run(folder / "run", folder / "x.safetensors", {"--classifier"}).code, 0);
  const checkpoint::SafetensorsFile file(folder / "x.safetensors");
  std::size_t compared = 0;
  for (const auto& [key, shape] : read_golden("export/export.json")) {
    if (key.rfind("shape ", 0) != 0) continue;
    const checkpoint::TensorView* tensor = file.find(key.substr(6));
    ASSERT_NE(tensor, nullptr) << key;
    EXPECT_EQ(at::tensor(tensor->shape).to(at::kDouble).equal(shape), true) << key;
    const at::Tensor u = numbers(tensor->name, tensor->shape);
    const bool gamma = tensor->name.ends_with("weight");
    const at::Tensor want = u.dim() > 1 ? 0.04 * u : gamma ? 1 + 0.5 * u : 0.5 * u;
    EXPECT_TRUE(at::equal(tensor_of(*tensor), want.to(at::kFloat))) << key;
    ++compared;
  }
  EXPECT_EQ(compared, file.tensors().size()) << "the file holds more than timm's model";
  EXPECT_GT(compared, 30U);
}

TEST(Export, TheNetworkOfTheFileComputesWhatTimmDoes) {
  const TemporaryFolder folder;
  commit_run(folder / "run", true);
  export_run(folder / "run", folder / "x.safetensors", {"--classifier"});
  worker::ClassifierNetwork network({.name = kModel}, 1, kClasses, 3);
  worker::load_encoder(network.parameters, folder / "x.safetensors");
  const checkpoint::SafetensorsFile file(folder / "x.safetensors");
  network.weight().copy_(tensor_of(file.at("head.fc.weight")).flatten(1));
  network.bias().copy_(tensor_of(file.at("head.fc.bias")));
  network.encoder.standardise();
  const at::Tensor features =
      network.encoder.features(numbers("images export", {2, 1, 40, 33}).to(at::kFloat));
  const auto golden = read_golden("export/export.json");
  EXPECT_LT(difference(features, golden.at("features")), 1e-4);
  const at::Tensor scores = at::addmm(network.bias(), features, network.weight().t());
  EXPECT_LT(difference(scores, golden.at("scores")), 1e-4);
  // Control: two tensors of one shape that change places.
  const at::Tensor a = network.parameters["encoder.stages.1.blocks.0.norm2.weight"];
  const at::Tensor b = network.parameters["encoder.stages.1.blocks.0.norm3.weight"], kept = a.clone();
  a.copy_(b);
  b.copy_(kept);
  const at::Tensor wrong = network.encoder.features(numbers("images export", {2, 1, 40, 33}).to(at::kFloat));
  EXPECT_GT(difference(wrong, golden.at("features")), 1e-2);
}

TEST(Export, AnEncoderAloneHasNoHeadAndSaysHowToLoadIt) {
  const TemporaryFolder folder;
  commit_run(folder / "run", false);
  const Answer answer = export_run(folder / "run", folder / "x.safetensors");
  const checkpoint::SafetensorsFile file(folder / "x.safetensors");
  EXPECT_EQ(file.find("head.fc.weight"), nullptr);
  EXPECT_EQ(file.tensors().size(), bit_tensors(bit_architecture(kModel, 1)).size());
  const auto& meta = file.metadata();
  EXPECT_EQ(meta.at("format"), "pt");
  EXPECT_EQ(meta.at("step"), "8");
  EXPECT_EQ(meta.at("model"), kModel);
  EXPECT_EQ(meta.at("input_size"), "1,48,48");
  EXPECT_EQ(meta.at("mean"), "0.5");
  EXPECT_EQ(meta.at("corpus_digest"), "c0ffee");
  EXPECT_EQ(meta.at("weights_digest").size(), 64U);
  EXPECT_THAT(answer.output, HasSubstr("ResNetV2([1, 1, 1, 1], width_factor=0.5, num_classes=0, in_chans=1, "
                                       "stem_type='fixed', conv_layer=partial(StdConv2d, eps=1e-10))"));
  EXPECT_THAT(answer.output, HasSubstr("1e-8"));
}

TEST(Export, RegisteredMembersAreLoadedByCreateModel) {
  const std::string python = worker::timm_python({"it's.safetensors", "bit_r50x1", 1, 0});
  EXPECT_THAT(python, HasSubstr("timm.create_model('resnetv2_50x1_bit', num_classes=0, in_chans=1, "
                                "checkpoint_path='it\\'s.safetensors')"));
  EXPECT_THAT(python, HasSubstr("m.eps = 1e-10"));
  EXPECT_THAT(worker::timm_python({"x", "bit_r50x2", 3, 5}),
              HasSubstr("ResNetV2([3, 4, 6, 3], width_factor=2, num_classes=5"));
}

TEST(Export, RefusesWhatItCannotDoAndLeavesFilesAlone) {
  const TemporaryFolder folder;
  commit_run(folder / "run", false);
  const std::string out = folder / "x.safetensors";
  const auto refusal = [&](std::vector<std::string> args) -> std::string {
    try {
      worker::export_command(args);
    } catch (const Error& e) {
      return std::to_string(static_cast<int>(e.code())) + " " + e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refusal({"--from", folder / "run", "--out", out, "--classifier"}), HasSubstr("73 "));
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_THAT(refusal({"--from", folder / "nowhere", "--out", out}), HasSubstr("73 "));
  EXPECT_THAT(refusal({"--from", folder / "run", "--out", folder / "no/such/x"}), HasSubstr("73 "));
  EXPECT_THAT(refusal({"--from", folder / "run", "--out", out, "--names", "torchvision"}), HasSubstr("64 "));
  EXPECT_THAT(refusal({"--from", folder / "run"}), HasSubstr("64 "));
  write_file(out, "mine");
  EXPECT_THAT(refusal({"--from", folder / "run", "--out", out}), HasSubstr("73 "));
  EXPECT_EQ(read_file(out), "mine");
  EXPECT_EQ(export_run(folder / "run", out, {"--overwrite"}).code, 0);
  EXPECT_THAT(read_file(out), Not("mine"));
  // --overwrite is no leave to break a checkpoint.
  const std::string step = folder / "run/checkpoints/step-00000008";
  ASSERT_TRUE(std::filesystem::exists(step + "/manifest.json"));
  const std::string manifest = read_file(step + "/manifest.json");
  EXPECT_THAT(refusal({"--from", folder / "run", "--out", step + "/manifest.json", "--overwrite"}),
              HasSubstr("73 "));
  EXPECT_EQ(read_file(step + "/manifest.json"), manifest);
  EXPECT_THAT(refusal({"--from", folder / "caf\xE9", "--out", out, "--overwrite"}), HasSubstr("64 "));
}

TEST(Export, AnswersMachinesInJson) {
  const TemporaryFolder folder;
  commit_run(folder / "run", true);
  const auto json = nlohmann::json::parse(
      export_run(folder / "run", folder / "x.safetensors", {"--classifier", "--json"}).output);
  EXPECT_EQ(json.at("step"), 8);
  EXPECT_EQ(json.at("metadata").at("class_names"), "a,b,it's c");
  EXPECT_THAT(json.at("python").get<std::string>(), HasSubstr("num_classes=3"));
}

}  // namespace
}  // namespace entrain::tests
