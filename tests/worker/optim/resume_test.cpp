#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

#include "configs/error.hpp"
#include "tests/worker/optim/golden_parameters.hpp"

namespace entrain::tests {
namespace {

using worker::LaneThreads, worker::make_optimizer, worker::NamedTensor, worker::ParameterSet;

class Resume : public ::testing::TestWithParam<std::string> {
 protected:
  const OptimSection config_ = golden_config(GetParam(), 0.05);

  void run(ParameterSet& parameters, worker::Optimizer& optimizer, int first, int last,
           int num_threads) const {
    LaneThreads threads(num_threads);
    for (int step = first; step < last; ++step)
      optimizer.step(golden_gradient(parameters, step), golden_rate(step, golden_lr(GetParam())), threads);
  }

  // Ten steps, then a new optimiser with copies of the state for which `keep` says yes, then the other steps.
  at::Tensor resumed(const std::function<bool(const std::string&)>& keep) const {
    ParameterSet before = golden_parameters(at::kFloat), after = golden_parameters(at::kFloat);
    const auto first = make_optimizer(config_, before);
    run(before, *first, 0, 10, 2);
    const auto second = make_optimizer(config_, after);
    after.flat().copy_(before.flat());
    const auto from = first->state(), to = second->state();
    for (std::size_t i = 0; i < from.size(); ++i)
      if (keep(from[i].name)) at::Tensor(to[i].value).copy_(from[i].value);
    run(after, *second, 10, kSteps, 2);
    return after.flat().clone();
  }

  at::Tensor straight(int num_threads) const {
    ParameterSet parameters = golden_parameters(at::kFloat);
    const auto optimizer = make_optimizer(config_, parameters);
    run(parameters, *optimizer, 0, kSteps, num_threads);
    return parameters.flat().clone();
  }
};
INSTANTIATE_TEST_SUITE_P(Runs, Resume,
                         ::testing::Values("classic", "popular", "byol", "lightly", "sgd", "nesterov",
                                           "adamw"),
                         [](const auto& info) { return info.param; });

TEST_P(Resume, FromStateHasTheBitsOfNoInterruption) {
  const at::Tensor want = straight(2);
  EXPECT_TRUE(at::equal(resumed([](const std::string&) { return true; }), want));
  EXPECT_FALSE(at::equal(resumed([](const std::string&) { return false; }), want))
      << "no state, no difference?";
  if (GetParam() == "adamw") {
    EXPECT_FALSE(at::equal(resumed([](const std::string& name) { return name != "optim.step"; }), want));
  }
}

TEST_P(Resume, ThreadsDoNotChangeABit) {
  const at::Tensor one = straight(1);
  for (const int threads : {2, 3}) EXPECT_TRUE(at::equal(straight(threads), one));
}

TEST_P(Resume, StateIsNamedAfterParametersAndEachNameOnce) {
  ParameterSet parameters = golden_parameters(at::kFloat);
  std::set<std::string> names;
  for (const NamedTensor& t : make_optimizer(config_, parameters)->state())
    EXPECT_TRUE(names.insert(t.name).second);
  const bool adam = GetParam() == "adamw";
  EXPECT_EQ(names.size(), adam ? 13U : 6U);
  for (const std::string& name : adam
                                     ? std::vector<std::string>{"optim.exp_avg.big.weight",
                                                                "optim.exp_avg_sq.head.fc.bias", "optim.step"}
                                     : std::vector<std::string>{"optim.momentum.big.weight"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(MakeOptimizer, RefusesWhatItDoesNotKnow) {
  ParameterSet parameters = golden_parameters(at::kFloat);
  OptimSection config;
  config.name = "lamb";
  EXPECT_THROW(make_optimizer(config, parameters), ConfigError);
  config.name = "lars";
  config.lars_form = "clasic";
  EXPECT_THROW(make_optimizer(config, parameters), ConfigError);
}

TEST(MakeOptimizer, AGradientOfAnotherLayoutIsRefused) {
  ParameterSet parameters = golden_parameters(at::kFloat);
  const auto optimizer = make_optimizer(golden_config("sgd", 0), parameters);
  LaneThreads threads(1);
  EXPECT_THROW(optimizer->step(at::zeros({3}), 0.1, threads), c10::Error);
  EXPECT_THROW(optimizer->step(golden_gradient(parameters, 0).to(at::kDouble), 0.1, threads), c10::Error);
}

}  // namespace
}  // namespace entrain::tests
