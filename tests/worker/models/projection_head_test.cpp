#include "worker/models/projection_head.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/forwarding_collectives.hpp"
#include "tests/support/ranks.hpp"
#include "tests/worker/models/bit_numbers.hpp"
#include "worker/collectives/lane_tree.hpp"

// The head on 1 to 4 ranks beside one rank, and one rank beside ATen's batch_norm and its autograd.
namespace entrain::tests {
namespace {

using worker::Collectives;
using worker::LaneLayout;
using worker::LaneReducer;
using worker::LaneThreads;
using worker::ParameterSet;
using worker::ProjectionHead;

constexpr std::int64_t kFeatures = 24, kLanes = 4, kImages = 3;  // 3 ranks hold 2, 1 and 1 lanes

ModelSection model_with(std::int64_t layers) {
  ModelSection model;
  model.head_layers = layers;
  model.head_hidden = 20;
  model.head_dim = 8;
  return model;
}

std::vector<TensorSpec> named(std::vector<TensorSpec> specs) {
  for (TensorSpec& spec : specs) spec.name = "head." + spec.name;
  return specs;
}

struct Net {
  Net(std::int64_t layers, at::ScalarType dtype)
      : parameters(named(projection_head_tensors(model_with(layers), kFeatures)), dtype),
        buffers(named(projection_head_buffers(model_with(layers), kFeatures)), dtype),
        head(model_with(layers), kFeatures, parameters, buffers, "head.") {
    for (const auto& p : parameters.all()) {
      const at::Tensor u = numbers(p.name, p.value.sizes().vec());
      p.value.copy_(p.value.dim() > 1 ? u : p.name.ends_with("weight") ? 1 + 0.5 * u : 0.5 * u);
    }
    for (const auto& b : buffers.all()) b.value.fill_(b.name.ends_with("var") ? 1 : 0);
  }
  ParameterSet parameters, buffers;
  ProjectionHead head;
};

// Every lane lies elsewhere, so that means of lanes and ranks are unequal.
at::Tensor features(at::ScalarType dtype, std::int64_t images = kImages) {
  const at::Tensor where = at::arange(kLanes, at::kDouble).repeat_interleave(2 * images).unsqueeze(1);
  return (numbers("h", {kLanes * 2 * images, kFeatures}) + where * numbers("lane", {1, kFeatures})).to(dtype);
}
at::Tensor upstream(at::ScalarType dtype, std::int64_t images = kImages) {
  return numbers("dz", {kLanes * 2 * images, 8}).to(dtype);
}

struct Results {
  at::Tensor z, dh, gradient, buffers;
  std::vector<at::Tensor> all() const { return {z, dh, gradient, buffers}; }
};

enum class Mistake { kNone, kLocalStatistics, kUnequalMeansIgnored, kNormGradientsSummedTwice };

// Passes everything on, but what a mistake makes of the gathered sums.
class Spoiled final : public tests::ForwardingCollectives {
 public:
  Spoiled(Collectives& inner, Mistake mistake) : tests::ForwardingCollectives(inner), mistake_(mistake) {}
  worker::GatheredRows all_gather_rows(const at::Tensor& rows) override {
    auto gathered = inner_.all_gather_rows(rows);
    // [V, 2, C]: forward's means and squares, backward's sums.
    if (mistake_ == Mistake::kLocalStatistics)
      gathered.all = rows.mean(0, true).expand_as(gathered.all).contiguous();
    if (mistake_ == Mistake::kUnequalMeansIgnored && forward_)
      gathered.all.select(1, 0).copy_(gathered.all.select(1, 0).mean(0, true).expand({kLanes, -1}));
    return gathered;
  }

  bool forward_ = true;

 private:
  Mistake mistake_;
};

Results run_head(int num_ranks, std::int64_t layers, at::ScalarType dtype, Mistake mistake = Mistake::kNone,
                 std::int64_t images = kImages) {
  Results results;
  run_ranks(num_ranks, [&](Collectives& comm) {
    Net net(layers, dtype);
    LaneThreads threads(comm.rank() % 2 + 1);
    const LaneLayout layout{kLanes, images, 2, lanes_of(comm.rank(), comm.size(), kLanes)};
    const auto mine = [&](const at::Tensor& all) {
      return all.narrow(0, layout.mine.first * layout.lane_rows(), layout.my_rows());
    };
    Spoiled spoiled(comm, mistake);
    const at::Tensor z = net.head.forward(mine(features(dtype, images)), layout, spoiled, threads);
    spoiled.forward_ = false;
    std::vector<at::Tensor> lane_gradients(kLanes);
    const at::Tensor dh =
        net.head.backward(mine(upstream(dtype, images)), layout, spoiled, threads, [&](std::int64_t lane) {
          return lane_gradients.at(lane) = at::full({net.parameters.numel()}, NAN, z.options());
        });
    LaneReducer reducer(layout);
    for (std::int64_t i = 0; i < layout.mine.count; ++i)
      reducer.push(layout.mine.first + i, lane_gradients[layout.mine.first + i]);
    at::Tensor gradient = reducer.sum_over_lanes(comm).clone();
    if (mistake == Mistake::kNormGradientsSummedTwice)
      for (std::size_t i = 0; i < net.parameters.all().size(); ++i)
        if (net.parameters.all()[i].value.dim() == 1) comm.all_reduce_sum_(net.parameters.view(gradient, i));
    const at::Tensor all_z = comm.all_gather_rows(z).all, all_dh = comm.all_gather_rows(dh).all;
    if (comm.rank() == comm.size() - 1) results = {all_z, all_dh, gradient, net.buffers.flat().clone()};
  });
  return results;
}

Results by_autograd(std::int64_t layers) {
  Net net(layers, at::kDouble);
  const at::Tensor h = features(at::kDouble).requires_grad_(true);
  std::vector<at::Tensor> leaves;
  for (const auto& p : net.parameters.all()) leaves.push_back(p.value.detach().clone().requires_grad_(true));
  at::Tensor x = h;
  std::size_t next = 0;
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool last = i + 1 == layers;
    const at::Tensor weight = leaves[next++], gamma = leaves[next++],
                     beta = last ? at::Tensor() : leaves[next++];
    x = at::batch_norm(at::linear(x, weight), gamma, beta, net.buffers.all()[2 * i].value,
                       net.buffers.all()[2 * i + 1].value, true, 0.1, 1e-5, false);
    if (!last) x = x.relu();
  }
  x.backward(upstream(at::kDouble));
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& leaf : leaves) gradients.push_back(leaf.grad().view({-1}));
  return {x.detach(), h.grad(), at::cat(gradients), net.buffers.flat()};
}

double largest_difference(const Results& got, const Results& want) {
  double largest = 0;
  for (std::size_t i = 0; i < 4; ++i) largest = std::max(largest, difference(got.all()[i], want.all()[i]));
  return largest;
}

class HeadLayers : public ::testing::TestWithParam<std::int64_t> {};
TEST_P(HeadLayers, OneRankEqualsAtenBatchNormAndItsAutograd) {
  const Results want = by_autograd(GetParam());
  for (const at::Tensor& t : want.all())
    ASSERT_GT(t.abs().max().item<double>(), 1e-3) << "zeros would prove nothing";
  EXPECT_LT(largest_difference(run_head(1, GetParam(), at::kDouble), want), 1e-10);
}
INSTANTIATE_TEST_SUITE_P(Layers, HeadLayers, ::testing::Values(1, 2));

class HeadRanks : public ::testing::TestWithParam<int> {};
TEST_P(HeadRanks, EqualOneRankInDouble) {
  EXPECT_LT(largest_difference(run_head(GetParam(), 2, at::kDouble), by_autograd(2)), 1e-10);
}
TEST_P(HeadRanks, GiveTheBitsOfOneRankInFloat) {
  // One image a lane: two rows are where a product over all rows of a rank has other bits than one per lane.
  for (const std::int64_t images : {kImages, std::int64_t{1}}) {
    const Results one = run_head(1, 2, at::kFloat, Mistake::kNone, images);
    const Results many = run_head(GetParam(), 2, at::kFloat, Mistake::kNone, images);
    for (std::size_t i = 0; i < 4; ++i)
      EXPECT_TRUE(at::equal(many.all()[i], one.all()[i])) << i << ", " << images;
  }
  EXPECT_LT(largest_difference(run_head(1, 2, at::kFloat), by_autograd(2)), 1e-4);
}
TEST_P(HeadRanks, LocalStatisticsAreSeen) {
  const Results bad = run_head(GetParam(), 2, at::kDouble, Mistake::kLocalStatistics);
  EXPECT_GT(difference(bad.z, by_autograd(2).z), 1e-3);
  EXPECT_GT(difference(bad.dh, by_autograd(2).dh), 1e-3);
}
TEST_P(HeadRanks, NormGradientsSummedTwiceAreSeen) {
  const Results bad = run_head(GetParam(), 2, at::kDouble, Mistake::kNormGradientsSummedTwice);
  EXPECT_GT(difference(bad.gradient, by_autograd(2).gradient), 1e-3);
  EXPECT_LT(difference(bad.dh, by_autograd(2).dh), 1e-10) << "only the parameters' gradients betray it";
}
INSTANTIATE_TEST_SUITE_P(Ranks, HeadRanks, ::testing::Values(2, 3, 4));

TEST(ProjectionHead, UnequalMeansOfLanesIgnoredAreSeen) {
  EXPECT_GT(difference(run_head(1, 2, at::kDouble, Mistake::kUnequalMeansIgnored).z, by_autograd(2).z), 1e-3);
}

TEST(ProjectionHead, RefusesRowsThatAreNotItsLanes) {
  run_ranks(1, [](Collectives& comm) {
    Net net(2, at::kDouble);
    LaneThreads threads(1);
    const LaneLayout layout{kLanes, kImages, 2, {0, kLanes}};
    EXPECT_THROW(net.head.forward(features(at::kDouble).narrow(0, 0, 6), layout, comm, threads), c10::Error);
    EXPECT_THROW(net.head.backward(upstream(at::kDouble), layout, comm, threads, {}), c10::Error)
        << "no forward";
  });
}

}  // namespace
}  // namespace entrain::tests
