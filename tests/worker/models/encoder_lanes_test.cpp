#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/worker/models/bit_numbers.hpp"
#include "tests/worker/models/plain_bit.hpp"
#include "worker/collectives/lane_threads.hpp"
#include "worker/models/encoder.hpp"

// What lanes rest on: no sample sees another, threads do not change bits, gradients are written where they belong.
namespace entrain::tests {
namespace {

using worker::Encoder;
using worker::LaneThreads;
using worker::ParameterSet;

const std::vector<TensorSpec> kOthers = {{"head.layers.0.weight", {3, 5}}};

struct Lanes {
  std::vector<at::Tensor> h, gradient;
};

Lanes run_lanes(const BitArchitecture& arch, ParameterSet& parameters, const at::Tensor& x,
                std::int64_t lanes, int num_threads) {
  Encoder encoder(arch, parameters, "encoder.");
  encoder.standardise();
  LaneThreads threads(num_threads);
  const std::int64_t rows = x.size(0) / lanes;
  const at::Tensor dh = numbers("dh", {x.size(0), arch.feature_width()}).to(x.scalar_type());
  Lanes out{std::vector<at::Tensor>(lanes), std::vector<at::Tensor>(lanes)};
  threads.for_each(lanes, [&](std::int64_t lane) {
    auto graph = encoder.forward_lane(x.narrow(0, lane * rows, rows));
    out.h[lane] = graph.h_LF;
    out.gradient[lane] = at::full({parameters.numel()}, NAN, x.options());
    encoder.backward_lane(std::move(graph), dh.narrow(0, lane * rows, rows), out.gradient[lane]);
  });
  return out;
}

at::Tensor sum(const std::vector<at::Tensor>& all) { return at::stack(all).sum(0); }

TEST(EncoderLanes, TwoThreadsGiveTheBitsOfOne) {
  const auto arch = bit_architecture("bit_r26x1", 3);
  auto parameters = filled_parameters(arch, "encoder.", at::kFloat);
  const at::Tensor x = numbers("lanes", {32, 3, 40, 40}).to(at::kFloat);
  const Lanes one = run_lanes(arch, parameters, x, 8, 1), two = run_lanes(arch, parameters, x, 8, 2);
  for (std::size_t lane = 0; lane < one.h.size(); ++lane) {
    ASSERT_GT(one.gradient[lane].abs().max().item<double>(), 1e-3);
    EXPECT_TRUE(at::equal(one.h[lane], two.h[lane])) << lane;
    EXPECT_TRUE(at::equal(one.gradient[lane], two.gradient[lane])) << lane;
  }
  EXPECT_FALSE(at::equal(one.gradient[0], one.gradient[1])) << "equal lanes would prove nothing";
}

TEST(EncoderLanes, HowABatchIsCutDoesNotMatter) {
  const auto arch = bit_architecture("bit_r14x0.5", 1);
  auto parameters = filled_parameters(arch, "encoder.", at::kDouble);
  const at::Tensor x = numbers("lanes", {4, 1, 48, 40});
  const Lanes whole = run_lanes(arch, parameters, x, 1, 1), cut = run_lanes(arch, parameters, x, 4, 1);
  EXPECT_LT(difference(at::cat(cut.h), whole.h[0]), 1e-12);
  EXPECT_LT(difference(sum(cut.gradient), whole.gradient[0]), 1e-12);
}

TEST(EncoderLanes, GradientsEqualAutogradOfThePlainNetworkAndLeaveOtherSlotsAlone) {
  const auto arch = bit_architecture("bit_r14x0.5", 1);
  auto parameters = filled_parameters(arch, "encoder.", at::kDouble, kOthers);
  const at::Tensor x = numbers("lanes", {4, 1, 48, 40}), dh = numbers("dh", {4, arch.feature_width()});
  Encoder encoder(arch, parameters, "encoder.");
  encoder.standardise();
  at::Tensor gradient = sum(run_lanes(arch, parameters, x, 2, 2).gradient);
  encoder.finish_gradient_(gradient);

  ParameterSet copy = filled_parameters(arch, "encoder.", at::kDouble, kOthers);
  for (const auto& p : copy.all()) p.value.requires_grad_(true);
  plain_bit(arch, copy, "encoder.", x).h_NF.backward(dh);
  for (std::size_t i = 0; i < copy.all().size(); ++i) {
    const auto& p = copy.all()[i];
    if (p.name.starts_with("encoder."))
      EXPECT_LT(difference(parameters.view(gradient, i), p.value.grad()), 1e-9) << p.name;
    else
      EXPECT_TRUE(parameters.view(gradient, i).isnan().all().item<bool>()) << p.name << " was written";
  }
}

TEST(EncoderLanes, GradientIsThatOfFiniteDifferences) {
  const auto arch = bit_architecture("bit_r14x0.5", 1);
  auto parameters = filled_parameters(arch, "encoder.", at::kDouble);
  const at::Tensor x = numbers("lanes", {2, 1, 33, 32}), dh = numbers("dh", {2, arch.feature_width()});
  Encoder encoder(arch, parameters, "encoder.");
  const auto loss = [&] {
    encoder.standardise();
    return (encoder.features(x) * dh).sum().item<double>();
  };
  encoder.standardise();
  at::Tensor gradient = run_lanes(arch, parameters, x, 1, 1).gradient[0];
  encoder.finish_gradient_(gradient);
  for (std::size_t i = 0; i < parameters.all().size(); i += 2) {  // one element of every second tensor
    at::Tensor element = parameters.all()[i].value.view({-1})[7];
    const double was = element.item<double>(), step = 1e-6;
    element.fill_(was + step);
    const double above = loss();
    element.fill_(was - step);
    const double below = loss();
    element.fill_(was);
    const at::Tensor part = parameters.view(gradient, i).reshape({-1});
    EXPECT_NEAR((above - below) / (2 * step), part[7].item<double>(), 1e-5 * part.abs().max().item<double>())
        << parameters.all()[i].name;
  }
}

TEST(EncoderLanes, FeaturesAreThoseOfForwardAndNanIsPassedOn) {
  const auto arch = bit_architecture("bit_r14x0.5", 3);
  auto parameters = filled_parameters(arch, "encoder.", at::kFloat);
  Encoder encoder(arch, parameters, "encoder.");
  at::Tensor x = numbers("lanes", {2, 3, 32, 32}).to(at::kFloat);
  EXPECT_THROW(encoder.features(x), c10::Error) << "before standardise()";
  encoder.standardise();
  EXPECT_TRUE(at::equal(encoder.features(x), encoder.forward_lane(x).h_LF));
  EXPECT_THROW(encoder.features(x.narrow(1, 0, 1)), c10::Error) << "one channel into a network of three";
  x[1][0][16][16] = NAN;
  const at::Tensor h = encoder.features(x);
  EXPECT_FALSE(h[0].isnan().any().item<bool>());
  EXPECT_TRUE(h[1].isnan().any().item<bool>()) << "a ReLU that hides NaN would hide it from the loss, too";
}

}  // namespace
}  // namespace entrain::tests
