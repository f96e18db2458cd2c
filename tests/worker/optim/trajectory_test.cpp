#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "configs/cat.hpp"
#include "tests/support/golden.hpp"
#include "tests/worker/optim/golden_parameters.hpp"
#include "worker/optim/device_optimizers.hpp"

// Each optimiser over 24 steps against an independent implementation: with and without decay, a learning rate
// that changes midway, a tensor of norm 0 at the start, one without a gradient, one of zeros, two excluded
// ones.
namespace entrain::tests {
namespace {

using worker::LaneThreads, worker::make_optimizer, worker::ParameterSet;

const std::vector<std::string> kLarsForms{"classic", "popular", "byol", "lightly"};

// The weights after `steps` steps under `config`, driven as run `run` of the script was.
at::Tensor weights_after(int steps, const OptimSection& config, const std::string& run) {
  ParameterSet parameters = golden_parameters(at::kDouble);
  const auto optimizer = make_optimizer(config, parameters);
  LaneThreads threads(2);
  for (int step = 0; step < steps; ++step)
    optimizer->step(golden_gradient(parameters, step), golden_rate(step, golden_lr(run)), threads);
  return sample_of(parameters, parameters.flat());
}

class Trajectory : public ::testing::TestWithParam<std::string> {
 protected:
  const std::map<std::string, at::Tensor> golden_ = read_golden("optim/optim.json");
};
INSTANTIATE_TEST_SUITE_P(Runs, Trajectory,
                         ::testing::Values("classic", "popular", "byol", "lightly", "sgd", "nesterov",
                                           "adamw"),
                         [](const auto& info) { return info.param; });

using Make = std::unique_ptr<worker::Optimizer> (*)(const OptimSection&, ParameterSet&);

void expect_oracle(const std::string& run, const std::map<std::string, at::Tensor>& golden, Make make) {
  for (const char* decay : {"0.0", "0.05"}) {
    for (const at::ScalarType dtype : {at::kDouble, at::kFloat}) {
      const double tolerance = dtype == at::kDouble ? 1e-12 : 2e-5;
      ParameterSet parameters = golden_parameters(dtype);
      const at::Tensor start = sample_of(parameters, parameters.flat());
      const auto optimizer = make(golden_config(run, std::stod(decay)), parameters);
      LaneThreads threads(2);
      int compared = 0;
      for (int step = 0; step < kSteps; ++step) {
        optimizer->step(golden_gradient(parameters, step), golden_rate(step, golden_lr(run)), threads);
        const std::string prefix = cat(run, ".decay", decay, ".step", step, ".");
        if (!golden.contains(prefix + "weights")) continue;
        const at::Tensor& want = golden.at(prefix + "weights");
        ASSERT_GT((want - start).abs().max().item<double>(), 1e-3) << "nothing moved";
        EXPECT_LT(relative_error(sample_of(parameters, parameters.flat()), want), tolerance)
            << prefix << dtype;
        // state() is buffer after buffer, each in the order of the parameters.
        const auto state = optimizer->state();
        const std::size_t buffers = state.size() / parameters.all().size();
        for (std::size_t b = 0; b < buffers; ++b) {
          at::Tensor flat_P = at::zeros_like(parameters.flat());
          for (std::size_t i = 0; i < parameters.all().size(); ++i)
            parameters.view(flat_P, i).copy_(state[b * parameters.all().size() + i].value);
          const at::Tensor& want_state = golden.at(cat(prefix, "state", b));
          ASSERT_GT(want_state.abs().max().item<double>(), 1e-6);
          EXPECT_LT(relative_error(sample_of(parameters, flat_P), want_state), tolerance)
              << prefix << "state" << b;
        }
        ++compared;
      }
      EXPECT_EQ(compared, 4);
    }
  }
}

TEST_P(Trajectory, WeightsAndStateEqualTheOracle) { expect_oracle(GetParam(), golden_, make_optimizer); }
TEST_P(Trajectory, OfTheOptimisersForOtherDevicesToo) {
  expect_oracle(GetParam(), golden_, worker::make_device_optimizer);
}

TEST_P(Trajectory, WrongDecayMomentumOrExclusionIsSeen) {  // negative controls
  const at::Tensor& want = golden_.at(GetParam() + ".decay0.05.step23.weights");
  const OptimSection right = golden_config(GetParam(), 0.05);
  ASSERT_LT(relative_error(weights_after(kSteps, right, GetParam()), want), 1e-12);
  OptimSection wrong = right;
  wrong.exclude = "none";
  EXPECT_GT(relative_error(weights_after(kSteps, wrong, GetParam()), want), 1e-5) << "exclusion";
  wrong = right;
  wrong.weight_decay = 0.04;
  EXPECT_GT(relative_error(weights_after(kSteps, wrong, GetParam()), want), 1e-6) << "decay";
  wrong = right;
  (right.name == "adamw" ? wrong.beta2 : wrong.momentum) = 0.93;
  EXPECT_GT(relative_error(weights_after(kSteps, wrong, GetParam()), want), 1e-5) << "momentum";
}

TEST(LarsForms, EachFailsTheOthersTrajectory) {  // negative control
  const auto golden = read_golden("optim/optim.json");
  for (const std::string& form : kLarsForms)
    for (const std::string& other : kLarsForms) {
      const double error = relative_error(weights_after(kSteps, golden_config(form, 0.05), form),
                                          golden.at(other + ".decay0.05.step23.weights"));
      if (form == other) {
        EXPECT_LT(error, 1e-12) << form;
      } else {
        EXPECT_GT(error, 1e-7) << form << " passes for " << other;
      }
    }
}

// Classic and byol differ only in what a change of the learning rate does to momentum that is already there.
TEST(LarsForms, ClassicAndByolPartWhenTheRateChanges) {
  const auto golden = read_golden("optim/optim.json");
  const auto apart = [&](int step) {
    return relative_error(golden.at(cat("classic.decay0.05.step", step, ".weights")),
                          golden.at(cat("byol.decay0.05.step", step, ".weights")));
  };
  EXPECT_LT(apart(kLrChange - 1), 1e-12);
  EXPECT_GT(apart(kLrChange), 1e-4);
}

TEST(Nesterov, IsNotPlainMomentum) {  // negative control
  const auto golden = read_golden("optim/optim.json");
  EXPECT_GT(relative_error(golden.at("sgd.decay0.05.step23.weights"),
                           golden.at("nesterov.decay0.05.step23.weights")),
            1e-4);
}

}  // namespace
}  // namespace entrain::tests
