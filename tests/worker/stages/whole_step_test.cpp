// The gradient of a whole step, from views to every parameter, in float64: on 1 to 4 ranks against the definition
// written down once more with autograd on one batch. What the wrong variants of other codebases compute is the control.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "configs/philox.hpp"
#include "tests/support/forwarding_collectives.hpp"
#include "tests/support/ranks.hpp"
#include "tests/worker/models/bit_numbers.hpp"
#include "tests/worker/models/plain_bit.hpp"
#include "worker/stages/contrastive_step.hpp"

namespace entrain::tests {
namespace {

using worker::LaneLayout;

constexpr std::int64_t kLanes = 4, kImages = 3, kPixels = 32;  // 3 ranks hold 2, 1, 1 lanes; m is odd
constexpr double kTemperature = 0.3;
const ModelSection kModel{.name = "bit_r14x0.5", .head_layers = 2, .head_dim = 16, .head_hidden = 24};

std::vector<TensorSpec> head_specs(std::int64_t width) {
  auto specs = projection_head_tensors(kModel, width);
  for (TensorSpec& spec : specs) spec.name = "head." + spec.name;
  return specs;
}

// Parameters of encoder and head, none of them at a special value.
worker::ParameterSet parameters() {
  const BitArchitecture arch = bit_architecture(kModel.name, 1);
  auto set = filled_parameters(arch, "encoder.", at::kDouble, head_specs(arch.feature_width()));
  for (const auto& p : set.all())
    if (p.name.rfind("head.", 0) == 0) p.value.copy_(numbers(p.name, p.value.sizes().vec()) * 0.3 + 0.5 * (p.value.dim() == 1));
  return set;
}

at::Tensor views_of_lane(std::int64_t lane) {  // [2m, 1, P, P], ordered (view, image)
  return numbers("lane" + std::to_string(lane), {2 * kImages, 1, kPixels, kPixels});
}

// A rank that hears something else than what was said: how a mistake in the communication shows.
class SpoiledCollectives final : public ForwardingCollectives {
 public:
  using Spoil = std::function<worker::GatheredRows(worker::GatheredRows, const at::Tensor& mine)>;
  SpoiledCollectives(worker::Collectives& inner, Spoil spoil)
      : ForwardingCollectives(inner), spoil_(std::move(spoil)) {}
  worker::GatheredRows all_gather_rows(const at::Tensor& rows) override {
    auto gathered = inner_.all_gather_rows(rows);
    return spoil_ ? spoil_(std::move(gathered), rows) : gathered;
  }

 private:
  Spoil spoil_;
};

struct Outcome {
  double loss;
  at::Tensor gradient_P;
};

Outcome on_ranks(int num_ranks, const SpoiledCollectives::Spoil& spoil = {}) {
  Outcome outcome;
  run_ranks(num_ranks, [&](worker::Collectives& inner) {
    SpoiledCollectives comm(inner, spoil);
    worker::LaneThreads threads(2);
    const LaneLayout layout{kLanes, kImages, 2, lanes_of(comm.rank(), comm.size(), kLanes)};
    auto set = parameters();
    const BitArchitecture arch = bit_architecture(kModel.name, 1);
    auto buffer_specs = projection_head_buffers(kModel, arch.feature_width());
    for (TensorSpec& spec : buffer_specs) spec.name = "head." + spec.name;
    worker::ParameterSet buffers(buffer_specs, at::kDouble);
    worker::Encoder encoder(arch, set, "encoder.");
    worker::ProjectionHead head(kModel, arch.feature_width(), set, buffers, "head.");
    worker::ContrastiveStep step(set, encoder, head, layout, kTemperature);
    const auto result = step.gradient([&](std::int64_t i) { return views_of_lane(layout.mine.first + i); }, comm, threads);
    const auto gradients = inner.all_gather_rows(result.gradient_P.unsqueeze(0)).all;
    for (int r = 1; r < num_ranks; ++r) EXPECT_TRUE(spoil || at::equal(gradients[0], gradients[r])) << "rank " << r;
    if (inner.rank() == 0) outcome = {result.loss, result.gradient_P};
  });
  return outcome;
}

// Chen et al. 2020 on one batch, by autograd: every row of every lane is a negative of every other.
Outcome by_definition() {
  auto set = parameters();
  for (const auto& p : set.all()) p.value.requires_grad_(true);
  std::vector<at::Tensor> lanes;
  for (std::int64_t lane = 0; lane < kLanes; ++lane) lanes.push_back(views_of_lane(lane));
  at::Tensor x = plain_bit(bit_architecture(kModel.name, 1), set, "encoder.", at::cat(lanes)).h_NF;
  const auto batch_norm = [](const at::Tensor& a) {
    const at::Tensor centred = a - a.mean(0, true);
    return centred / (centred.pow(2).mean(0, true) + 1e-5).sqrt();
  };
  x = batch_norm(x.matmul(set["head.layers.0.weight"].t())) * set["head.norms.0.weight"] + set["head.norms.0.bias"];
  x = batch_norm(x.relu().matmul(set["head.layers.1.weight"].t())) * set["head.norms.1.weight"];
  const at::Tensor z = x / x.norm(2, {1}, true), s = z.matmul(z.t()) / kTemperature;
  const std::int64_t S = z.size(0);
  at::Tensor loss = at::zeros({}, z.options());
  for (std::int64_t k = 0; k < S; ++k) {
    const std::int64_t in_lane = k % (2 * kImages), partner = k - in_lane + (in_lane + kImages) % (2 * kImages);
    const at::Tensor others = at::cat({s[k].narrow(0, 0, k), s[k].narrow(0, k + 1, S - k - 1)});
    loss = loss + (others.logsumexp(0) - s[k][partner]) / static_cast<double>(S);
  }
  loss.backward();
  std::vector<at::Tensor> flat;
  for (const auto& p : set.all()) flat.push_back(p.value.grad().flatten());
  return {loss.item<double>(), at::cat(flat)};
}

// Largest difference of any parameter's gradient, relative to that parameter's largest entry.
double worst_parameter(const at::Tensor& got_P, const at::Tensor& want_P) {
  const auto set = parameters();
  double worst = 0;
  for (std::size_t i = 0; i < set.all().size(); ++i) {
    const at::Tensor want = set.view(want_P, i);
    if (want.abs().max().item<double>() < 1e-12) ADD_FAILURE() << set.all()[i].name << ": a zero gradient proves nothing";
    worst = std::max(worst, difference(set.view(got_P, i), want));
  }
  return worst;
}

const Outcome& want() {
  static const Outcome outcome = by_definition();
  return outcome;
}

class WholeStep : public testing::TestWithParam<int> {};

TEST_P(WholeStep, LossAndEveryGradientAreThoseOfTheDefinition) {
  const Outcome got = on_ranks(GetParam());
  EXPECT_NEAR(got.loss, want().loss, 1e-12);
  EXPECT_LT(worst_parameter(got.gradient_P, want().gradient_P), 1e-9);
}

TEST_P(WholeStep, HasTheBitsOfOneRank) {
  const Outcome one = on_ranks(1), many = on_ranks(GetParam());
  EXPECT_EQ(one.loss, many.loss);
  EXPECT_TRUE(at::equal(one.gradient_P, many.gradient_P));
}

TEST_P(WholeStep, ARankThatHearsOnlyItselfIsSeen) {  // control: local negatives and statistics
  if (GetParam() == 1) return;
  const Outcome bad = on_ranks(GetParam(), [](worker::GatheredRows g, const at::Tensor& mine) {
    at::Tensor deaf = at::zeros_like(g.all);  // others' rows look empty
    deaf.narrow(0, g.first, mine.size(0)).copy_(mine);
    return worker::GatheredRows{deaf, g.first};
  });
  EXPECT_FALSE(worst_parameter(bad.gradient_P, want().gradient_P) < 1e-3);
}

TEST_P(WholeStep, ARankThatThinksItIsFirstIsSeen) {
  if (GetParam() == 1) return;
  const Outcome bad = on_ranks(GetParam(), [](worker::GatheredRows g, const at::Tensor&) {
    g.first = 0;
    return g;
  });
  EXPECT_FALSE(worst_parameter(bad.gradient_P, want().gradient_P) < 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Ranks, WholeStep, testing::Values(1, 2, 3, 4));

}  // namespace
}  // namespace entrain::tests
