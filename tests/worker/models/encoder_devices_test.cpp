// The encoder away from the CPU's kernels: in bfloat16, and on a device that has shapes but no memory, where whatever reads
// or writes host memory, or mixes devices, is an error.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/library.h>

#include "tests/worker/models/bit_numbers.hpp"
#include "worker/models/encoder.hpp"

// What the library does not know there; shapes are all that is asked for.
namespace {

using Sizes = at::IntArrayRef;

at::Tensor shape_of_convolution(const at::Tensor& x, const at::Tensor& w, const std::optional<at::Tensor>&,
                                Sizes stride, Sizes pad, Sizes, bool, Sizes, std::int64_t) {
  TORCH_CHECK(x.is_meta() && w.is_meta() && x.scalar_type() == w.scalar_type(),
              "convolution of unlike tensors");
  return at::empty({x.size(0), w.size(0), (x.size(2) + 2 * pad[0] - w.size(2)) / stride[0] + 1,
                    (x.size(3) + 2 * pad[1] - w.size(3)) / stride[1] + 1},
                   x.options());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> shapes_of_backward(const at::Tensor& dy, const at::Tensor& x,
                                                                  const at::Tensor& w, Sizes, Sizes, Sizes,
                                                                  bool, Sizes, std::int64_t,
                                                                  std::array<bool, 3>) {
  TORCH_CHECK(dy.is_meta() && x.is_meta() && w.is_meta() && dy.scalar_type() == w.scalar_type() &&
                  x.scalar_type() == w.scalar_type(),
              "backward of unlike tensors");
  return {at::empty_like(x), at::empty_like(w), at::Tensor()};
}

std::tuple<at::Tensor, at::Tensor> shape_of_moments(const at::Tensor& x, at::OptionalIntArrayRef dims,
                                                    const std::optional<at::Scalar>&, bool keep) {
  return {at::sum(x, dims, keep), at::sum(x, dims, keep)};
}

}  // namespace
TORCH_LIBRARY_IMPL(aten, Meta, m) {
  m.impl("var_mean.correction", shape_of_moments);
  m.impl("convolution_overrideable", shape_of_convolution);
  m.impl("convolution_backward_overrideable", shapes_of_backward);
}

namespace entrain::tests {
namespace {

using worker::Encoder;
using worker::ParameterSet;

struct Step {
  at::Tensor h, gradient;
};

// One forward and backward pass of r14x0.5 on two images.
Step step_in(at::ScalarType parameters_in, at::ScalarType activations) {
  const BitArchitecture arch = bit_architecture("bit_r14x0.5", 1);
  ParameterSet parameters = filled_parameters(arch, "encoder.", parameters_in);
  Encoder encoder(arch, parameters, "encoder.", activations);
  encoder.standardise();
  Step step;
  step.gradient = at::zeros_like(parameters.flat());
  Encoder::LaneGraph graph = encoder.forward_lane(numbers("images", {2, 1, 48, 40}).to(parameters_in));
  step.h = graph.h_LF;
  encoder.backward_lane(std::move(graph), numbers("dh", step.h.sizes().vec()).to(parameters_in),
                        step.gradient);
  encoder.finish_gradient_(step.gradient);
  return step;
}

double cosine(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kDouble).flatten(), y = b.to(at::kDouble).flatten();
  return (x.dot(y) / (x.norm() * y.norm())).item<double>();
}

TEST(EncoderBfloat16, FeaturesAndGradientsPointWhereThoseOfFloatDo) {
  const Step wide = step_in(at::kDouble, at::ScalarType::Undefined),
             narrow = step_in(at::kFloat, at::kBFloat16);
  EXPECT_EQ(narrow.h.scalar_type(), at::kFloat);
  EXPECT_GT(cosine(narrow.h, wide.h), 0.999);
  // timm's model under torch.autocast: features 0.9999, gradient 0.957 (tests/reference/models/bf16_angle.py).
  EXPECT_GT(cosine(narrow.gradient, wide.gradient), 0.95);
  EXPECT_GT(difference(narrow.h.to(at::kDouble), wide.h), 1e-4) << "nothing was rounded to bfloat16";
  // The negative control: of other weights' gradients.
  EXPECT_LT(cosine(narrow.gradient, wide.gradient.roll(1)), 0.5);
}

TEST(EncoderBfloat16, TheSameBitsTwice) {
  const Step first = step_in(at::kFloat, at::kBFloat16), second = step_in(at::kFloat, at::kBFloat16);
  EXPECT_TRUE(at::equal(first.gradient, second.gradient));
}

// What a network may send while the rest is computed.
TEST(EncoderBackward, TellsFromWhereTheGradientIsComplete) {
  const BitArchitecture arch = bit_architecture("bit_r14x0.5", 1);
  ParameterSet parameters = filled_parameters(arch, "encoder.", at::kFloat);
  Encoder encoder(arch, parameters, "encoder.");
  encoder.standardise();
  Encoder::LaneGraph graph = encoder.forward_lane(numbers("images", {2, 1, 48, 40}).to(at::kFloat));
  const at::Tensor gradient = at::full_like(parameters.flat(), NAN);
  const at::Tensor dh = numbers("dh", graph.h_LF.sizes().vec()).to(at::kFloat);
  std::vector<std::pair<std::int64_t, at::Tensor>> told;
  encoder.backward_lane(std::move(graph), dh, gradient, [&](std::int64_t first) {
    told.emplace_back(first, gradient.slice(0, first).clone());
  });
  ASSERT_EQ(told.size(), 5U) << "the last norm and four units";
  for (std::size_t i = 0; i < told.size(); ++i) {
    EXPECT_LT(told[i].first, i == 0 ? parameters.numel() : told[i - 1].first);
    EXPECT_FALSE(told[i].second.isnan().any().item<bool>());
    EXPECT_TRUE(at::equal(told[i].second, gradient.slice(0, told[i].first))) << "written again later";
  }
  EXPECT_GT(told.back().first, 0) << "the stem comes last";
}

TEST(OtherDevices, EncoderAndHeadTouchNoHostMemory) {
  for (const auto activations : {at::ScalarType::Undefined, at::kBFloat16}) {
    const BitArchitecture arch = bit_architecture("bit_r14x0.5", 1);
    ParameterSet parameters = filled_parameters(arch, "encoder.", at::kFloat);
    parameters.move_to(at::kMeta);
    ASSERT_TRUE(parameters["encoder.stem.conv.weight"].is_meta());
    Encoder encoder(arch, parameters, "encoder.", activations);
    encoder.standardise();
    const at::Tensor gradient = at::zeros_like(parameters.flat());
    const at::Tensor images = at::empty({2, 1, 48, 40}, at::TensorOptions(at::kMeta));
    Encoder::LaneGraph graph = encoder.forward_lane(images);
    ASSERT_TRUE(graph.h_LF.is_meta());
    EXPECT_EQ(graph.h_LF.sizes().vec(), (std::vector<std::int64_t>{2, encoder.feature_width()}));
    const at::Tensor dh = at::empty_like(graph.h_LF);
    encoder.backward_lane(std::move(graph), dh, gradient);
    encoder.finish_gradient_(gradient);
  }
}

// The negative control: this is how a kernel for host memory ends there.
TEST(OtherDevices, HostMemoryOnThemIsAnError) {
  const at::Tensor elsewhere = at::empty({4}, at::TensorOptions(at::kMeta));
  EXPECT_ANY_THROW(elsewhere.const_data_ptr<float>());
  EXPECT_ANY_THROW(elsewhere.add(at::ones({4})));
}

}  // namespace
}  // namespace entrain::tests
