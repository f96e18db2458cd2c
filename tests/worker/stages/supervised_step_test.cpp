// The gradient of a supervised step, from views to every parameter, in float64: on 1 to 4 ranks against mean cross
// entropy of one batch, written down with autograd.
#include "worker/stages/supervised_step.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/ranks.hpp"
#include "tests/worker/models/bit_numbers.hpp"
#include "tests/worker/models/plain_bit.hpp"

namespace entrain::tests {
namespace {

using worker::LaneLayout;

constexpr std::int64_t kLanes = 4, kImages = 3, kPixels = 32, kClasses = 3;

worker::ParameterSet parameters() {
  const BitArchitecture arch = bit_architecture("bit_r14x0.5", 1);
  auto set = filled_parameters(
      arch, "encoder.", at::kDouble,
      {{"classifier.weight", {kClasses, arch.feature_width()}}, {"classifier.bias", {kClasses}}});
  for (const std::string name : {"classifier.weight", "classifier.bias"})
    set[name].copy_(0.1 * numbers(name, set[name].sizes().vec()));
  return set;
}

at::Tensor views_of_lane(std::int64_t lane) {
  return numbers("lane" + std::to_string(lane), {kImages, 1, kPixels, kPixels});
}
at::Tensor labels_of_lane(std::int64_t lane) {
  return (at::arange(kImages) + lane * lane).remainder(kClasses).to(at::kLong);
}

struct Outcome {
  double loss, accuracy;
  at::Tensor gradient_P;
};

Outcome on_ranks(int num_ranks) {
  Outcome outcome;
  run_ranks(num_ranks, [&](worker::Collectives& comm) {
    worker::LaneThreads threads(2);
    const LaneLayout layout{kLanes, kImages, 1, lanes_of(comm.rank(), comm.size(), kLanes)};
    auto set = parameters();
    worker::Encoder encoder(bit_architecture("bit_r14x0.5", 1), set, "encoder.");
    worker::SupervisedStep step(set, encoder, layout);
    const auto at_lane = [&](const auto& of) {
      return [&](std::int64_t i) { return of(layout.mine.first + i); };
    };
    const auto result = step.gradient(at_lane(views_of_lane), at_lane(labels_of_lane), comm, threads);
    const auto again = step.gradient(at_lane(views_of_lane), at_lane(labels_of_lane), comm, threads);
    EXPECT_TRUE(at::equal(result.gradient_P, again.gradient_P)) << "used buffers show";
    if (comm.rank() == 0) outcome = {result.loss, result.accuracy, result.gradient_P};
  });
  return outcome;
}

// `scale`: of the loss, for the control.
Outcome by_definition(bool sum_instead_of_mean = false) {
  auto set = parameters();
  for (const auto& p : set.all()) p.value.requires_grad_(true);
  std::vector<at::Tensor> x, y;
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    x.push_back(views_of_lane(lane));
    y.push_back(labels_of_lane(lane));
  }
  const at::Tensor labels = at::cat(y);
  const at::Tensor h = plain_bit(bit_architecture("bit_r14x0.5", 1), set, "encoder.", at::cat(x)).h_NF;
  const at::Tensor logits = h.matmul(set["classifier.weight"].t()) + set["classifier.bias"];
  const at::Tensor each = logits.logsumexp(1) - logits.gather(1, labels.unsqueeze(1)).squeeze(1);
  const at::Tensor loss = sum_instead_of_mean ? each.sum() : each.mean();
  loss.backward();
  std::vector<at::Tensor> flat;
  for (const auto& p : set.all()) flat.push_back(p.value.grad().flatten());
  return {loss.item<double>(), logits.argmax(1).eq(labels).to(at::kDouble).mean().item<double>(),
          at::cat(flat)};
}

TEST(SupervisedStep, IsMeanCrossEntropyOfTheGlobalBatchOnAnyNumberOfRanks) {
  const Outcome want = by_definition(), one = on_ranks(1);
  ASSERT_GT(want.gradient_P.abs().max().item<double>(), 1e-3) << "a zero gradient would prove nothing";
  EXPECT_NEAR(one.loss, want.loss, 1e-10);
  EXPECT_NEAR(one.accuracy, want.accuracy, 1e-12);
  EXPECT_LT(difference(one.gradient_P, want.gradient_P), 1e-9);
  EXPECT_GT(difference(one.gradient_P, by_definition(true).gradient_P), 0.5)
      << "the comparison sees the scale";
  for (const int ranks : {2, 3, 4}) {
    const Outcome many = on_ranks(ranks);
    EXPECT_EQ(many.loss, one.loss) << ranks;
    EXPECT_TRUE(at::equal(many.gradient_P, one.gradient_P)) << ranks;
  }
}

}  // namespace
}  // namespace entrain::tests
