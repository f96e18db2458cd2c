// The order of samples where several are decoded together, held against what it promises; lanes and epochs are told from
// positions by plain arithmetic.
#include "sharding/slab_order.hpp"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <random>
#include <set>

#include "configs/lanes.hpp"
#include "sharding/batch_digest.hpp"
#include "sharding/sample_plan.hpp"
#include "sharding/slab_ends.hpp"

namespace entrain::tests {
namespace {
using sharding::SamplePlan;
using sharding::SlabOrder;
using sharding::SlabSettings;
using sharding::Slot;
using Numbers = std::vector<std::int64_t>;

Numbers equal_slabs(std::int64_t slabs, std::int64_t rows) {
  Numbers ends;
  for (std::int64_t i = 1; i <= slabs; ++i) ends.push_back(i * rows);
  return ends;
}

// Slabs of 1 to `most` samples, as where a split leaves rows out.
Numbers ragged_slabs(std::int64_t slabs, std::int64_t most, unsigned seed) {
  std::mt19937 random(seed);
  Numbers ends;
  std::int64_t end = 0;
  for (std::int64_t i = 0; i < slabs; ++i)
    ends.push_back(end += 1 + static_cast<std::int64_t>(random() % most));
  return ends;
}

struct Shape {
  Numbers ends;
  std::int64_t lanes, lane_images, open = 64;
  std::int64_t size() const { return ends.back(); }
  std::int64_t batch() const { return lanes * lane_images; }
  SlabSettings settings() const { return {ends, lane_images, open}; }
  SlabOrder order(std::uint64_t seed = 1) const { return {settings(), batch(), seed}; }
  std::int64_t slab_of(std::int64_t sample) const {
    return std::upper_bound(ends.begin(), ends.end(), sample) - ends.begin();
  }
  std::int64_t lane_of(std::int64_t epoch, std::int64_t position) const {
    return (epoch * size() + position) % batch() / lane_images;
  }
  std::int64_t batch_of(std::int64_t epoch, std::int64_t position) const {
    return (epoch * size() + position) / batch();
  }
};

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all{{equal_slabs(400, 32), 8, 32},
                                      {equal_slabs(400, 32), 8, 8},
                                      {equal_slabs(640, 8), 1, 64},
                                      {equal_slabs(200, 10), 64, 3},
                                      {ragged_slabs(301, 40, 1), 8, 7},
                                      {ragged_slabs(97, 64, 2), 5, 11, 20},
                                      {ragged_slabs(33, 99, 3), 16, 4},
                                      {ragged_slabs(999, 3, 4), 4, 16},
                                      {equal_slabs(3, 1000), 8, 16},
                                      {ragged_slabs(7, 5, 5), 1, 1, 1},
                                      {ragged_slabs(50, 50, 6), 2, 9, 3},
                                      {{1}, 1, 1},
                                      {{777}, 4, 8}};
  return all;
}

Numbers samples_of(const SlabOrder& order, std::int64_t epoch) {
  Numbers samples;
  order.for_each(epoch, 0, order.size(), [&](std::int64_t i, std::int64_t sample) {
    EXPECT_EQ(i, static_cast<std::int64_t>(samples.size()));
    samples.push_back(sample);
  });
  return samples;
}

TEST(SlabOrder, EverySampleStandsOnceInEveryEpoch) {
  for (const Shape& shape : shapes()) {
    const SlabOrder order = shape.order();
    for (const std::int64_t epoch : {0, 1, 2, 3, 1'000'003}) {
      Numbers samples = samples_of(order, epoch);
      std::sort(samples.begin(), samples.end());
      for (std::size_t i = 0; i < samples.size(); ++i)
        ASSERT_EQ(samples[i], static_cast<std::int64_t>(i)) << "N " << shape.size() << " epoch " << epoch;
      ASSERT_EQ(static_cast<std::int64_t>(samples.size()), shape.size());
    }
  }
}

TEST(SlabOrder, WhatStandsSomewhereDoesNotDependOnWhatWasAskedBefore) {
  for (const Shape& shape : shapes()) {
    const SlabOrder forward = shape.order(), random = shape.order();
    std::map<std::int64_t, Numbers> epochs;
    for (std::int64_t epoch = 0; epoch < 4; ++epoch) epochs[epoch] = samples_of(forward, epoch);
    std::mt19937 draw(9);
    for (int i = 0; i < 300; ++i) {
      const std::int64_t epoch = draw() % 4, position = draw() % shape.size();
      ASSERT_EQ(random.at(epoch, position), epochs[epoch][static_cast<std::size_t>(position)]);
      const std::int64_t count = std::min<std::int64_t>(shape.size() - position, draw() % 70);
      random.for_each(epoch, position, count, [&](std::int64_t k, std::int64_t sample) {
        ASSERT_EQ(sample, epochs[epoch][static_cast<std::size_t>(position + k)]);
      });
    }
  }
}

// Sums, over slabs, the lanes beyond the first that meet it.
std::int64_t num_cuts(const Shape& shape, std::int64_t epoch, const Numbers& samples) {
  std::map<std::int64_t, std::set<std::int64_t>> lanes;
  for (std::size_t p = 0; p < samples.size(); ++p)
    lanes[shape.slab_of(samples[p])].insert(shape.lane_of(epoch, static_cast<std::int64_t>(p)));
  std::int64_t cuts = 0;
  for (const auto& [slab, met] : lanes) cuts += static_cast<std::int64_t>(met.size()) - 1;
  return cuts;
}

TEST(SlabOrder, ASlabIsMetByOneLaneUnlessTheEndOfAStretchCutsIt) {
  std::int64_t all = 0;
  for (const Shape& shape : shapes()) {
    const SlabOrder order = shape.order(3);
    for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
      const std::int64_t cuts = num_cuts(shape, epoch, samples_of(order, epoch));
      EXPECT_LE(cuts, shape.lanes - 1) << "N " << shape.size() << " V " << shape.lanes;
      all += cuts;
    }
  }
  EXPECT_GT(all, 100) << "cuts are what could be wrong";
  const Shape& shape = shapes()[0];
  const sharding::Permutation full(shape.size(), 3, 1);
  Numbers samples;
  full.for_each(0, 0, shape.size(), [&](std::int64_t, std::int64_t sample) { samples.push_back(sample); });
  EXPECT_GT(num_cuts(shape, 0, samples), 1000) << "a full permutation has every lane meet every slab";
}

// The windows of a lane: the shortest pieces of its sequence that share no slab. Slabs of each.
Numbers window_sizes(const Shape& shape, std::int64_t epoch, const Numbers& samples, std::int64_t lane) {
  Numbers of_lane;
  for (std::size_t p = 0; p < samples.size(); ++p)
    if (shape.lane_of(epoch, static_cast<std::int64_t>(p)) == lane)
      of_lane.push_back(shape.slab_of(samples[p]));
  std::map<std::int64_t, std::size_t> last;
  for (std::size_t i = 0; i < of_lane.size(); ++i) last[of_lane[i]] = i;
  Numbers sizes;
  std::size_t end = 0;
  std::set<std::int64_t> open;
  for (std::size_t i = 0; i < of_lane.size(); ++i) {
    open.insert(of_lane[i]);
    end = std::max(end, last[of_lane[i]]);
    if (end == i) sizes.push_back(static_cast<std::int64_t>(open.size())), open.clear();
  }
  return sizes;
}

TEST(SlabOrder, AWindowHasEnoughSlabsAndNotTwiceAsMany) {
  int windows = 0;
  for (const std::int64_t lanes : {1, 2, 8, 64})
    for (const std::int64_t slabs : {640, 700, 1300}) {
      const Shape shape{equal_slabs(slabs, 16), lanes, 8};
      const std::int64_t wanted = (64 + lanes - 1) / lanes;
      const SlabOrder order = shape.order();
      for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
        const Numbers samples = samples_of(order, epoch);
        for (std::int64_t lane = 0; lane < lanes; ++lane)
          for (const std::int64_t size : window_sizes(shape, epoch, samples, lane)) {
            EXPECT_GE(size, wanted) << slabs << " slabs, lane " << lane << " of " << lanes;
            EXPECT_LT(size, std::max<std::int64_t>(2, 2 * wanted));
            ++windows;
          }
      }
    }
  EXPECT_GT(windows, 3000);
}

// Per batch and lane, how many samples it takes of each slab: the largest; and the largest distance from the share that
// the slab has of the lane's window.
struct Most {
  std::int64_t of_whole = 0;  // slabs in windows of whole slabs of equal size
  double beyond_share = 0;
};
Most most_of_a_slab(const Shape& shape, std::int64_t epoch, const Numbers& samples) {
  Most most;
  for (std::int64_t lane = 0; lane < shape.lanes; ++lane) {
    Numbers positions, slabs;
    for (std::int64_t p = 0; p < shape.size(); ++p)
      if (shape.lane_of(epoch, p) == lane)
        positions.push_back(p), slabs.push_back(shape.slab_of(samples[static_cast<std::size_t>(p)]));
    std::size_t begin = 0;
    for (const std::int64_t size : window_sizes(shape, epoch, samples, lane)) {
      std::map<std::int64_t, std::int64_t> whole;
      std::size_t end = begin;
      while (end < slabs.size() &&
             (static_cast<std::int64_t>(whole.size()) < size || whole.count(slabs[end]) != 0))
        ++whole[slabs[end++]];
      bool equal = true;
      for (const auto& [slab, count] : whole) equal = equal && count == whole.begin()->second;
      std::map<std::int64_t, std::map<std::int64_t, std::int64_t>> taken;  // by batch and slab
      std::map<std::int64_t, std::int64_t> places;
      for (std::size_t i = begin; i < end; ++i) {
        const std::int64_t batch = shape.batch_of(epoch, positions[i]);
        ++places[batch];
        ++taken[batch][slabs[i]];
      }
      for (auto& [batch, of_slab] : taken)
        for (const auto& [slab, in_window] : whole) {
          const double share =
              static_cast<double>(places[batch] * in_window) / static_cast<double>(end - begin);
          most.beyond_share =
              std::max(most.beyond_share, std::abs(static_cast<double>(of_slab[slab]) - share));
          if (equal) most.of_whole = std::max(most.of_whole, of_slab[slab]);
        }
      begin = end;
    }
  }
  return most;
}

TEST(SlabOrder, OfAWholeSlabABatchTakesAtMostASixtyFourth) {
  for (const auto& [lanes, m] :
       {std::pair{8, 32}, {8, 8}, {8, 50}, {1, 64}, {1, 24}, {4, 16}, {64, 4}, {16, 33}}) {
    const Shape shape{equal_slabs(700, 32), lanes, m};
    const SlabOrder order = shape.order();
    for (std::int64_t epoch = 0; epoch < 3; ++epoch)
      EXPECT_LE(most_of_a_slab(shape, epoch, samples_of(order, epoch)).of_whole, (shape.batch() + 63) / 64)
          << lanes << " lanes of " << m;
  }
}

TEST(SlabOrder, OfOtherSlabsItTakesTheirShareGiveOrTakeThree) {
  double most = 0;
  for (const Shape& shape : shapes()) {
    const SlabOrder order = shape.order();
    for (std::int64_t epoch = 0; epoch < 4; ++epoch)
      most = std::max(most, most_of_a_slab(shape, epoch, samples_of(order, epoch)).beyond_share);
  }
  EXPECT_LE(most, 3);
  EXPECT_GT(most, 0.5) << "else nothing was uneven";
}

TEST(SlabOrder, TheSamplesOfASlabComeInADrawnOrder) {
  const Shape shape{equal_slabs(640, 32), 1, 64};  // windows of 64 slabs, batches of one sample of each
  const Numbers samples = samples_of(shape.order(), 0);
  std::map<std::int64_t, std::int64_t> before;
  int ascents = 0, steps = 0, same_place = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::int64_t slab = shape.slab_of(samples[i]);
    if (before.count(slab) != 0) ++steps, ascents += samples[i] > before[slab];
    before[slab] = samples[i];
    same_place += i >= 64 && slab == shape.slab_of(samples[i - 64]);
  }
  EXPECT_EQ(steps, 640 * 31);
  EXPECT_NEAR(ascents, steps / 2, 500);  // seven standard deviations
  EXPECT_NEAR(same_place, 320, 130) << "of batch to batch, slabs change places too";
}

// Of which slabs a window consists, and in which order the samples of a slab come, is another matter in every epoch.
TEST(SlabOrder, EpochsAndSeedsGiveOtherCompanyAndOtherOrders) {
  const Shape shape{equal_slabs(400, 32), 8, 32};
  const SlabOrder order = shape.order(), other = shape.order(2);
  const Numbers first = samples_of(order, 0), second = samples_of(order, 1), seeded = samples_of(other, 0);
  int same_epoch = 0, same_seed = 0;
  for (std::size_t i = 0; i < first.size(); ++i)
    same_epoch += first[i] == second[i], same_seed += first[i] == seeded[i];
  EXPECT_LT(same_epoch, 30);
  EXPECT_LT(same_seed, 30);
  const auto company = [&](const Numbers& samples, std::int64_t slab) {  // slabs in the batches of this one
    std::map<std::int64_t, std::set<std::int64_t>> batches;
    for (std::size_t i = 0; i < samples.size(); ++i)
      batches[static_cast<std::int64_t>(i) / 256].insert(shape.slab_of(samples[i]));
    std::set<std::int64_t> met;
    for (const auto& [batch, slabs] : batches)
      if (slabs.count(slab) != 0) met.insert(slabs.begin(), slabs.end());
    return met;
  };
  std::set<std::int64_t> ever;
  for (std::int64_t epoch = 0; epoch < 40; ++epoch) ever.merge(company(samples_of(order, epoch), 17));
  EXPECT_EQ(ever.size(), 400U) << "every slab meets every other one in time";
}

// ---- in the plan ----

sharding::PlanSettings plan_settings(const Shape& shape, std::uint64_t seed = 1) {
  return {
      .num_samples = shape.size(), .global_batch = shape.batch(), .seed = seed, .slabs = shape.settings()};
}

TEST(SlabPlan, NoSampleStandsTwiceInABatchAndEachOncePerEpoch) {
  int straddling = 0;
  for (const Shape& shape : shapes()) {
    if (shape.size() > 6000) continue;
    const SamplePlan plan(plan_settings(shape));
    std::map<std::int64_t, std::map<std::int64_t, int>> seen;
    for (std::int64_t step = 0; step * shape.batch() < 5 * shape.size(); ++step) {
      std::set<std::int64_t> in_batch;
      const auto slots = plan.batch(step);
      for (const Slot& slot : slots) {
        in_batch.insert(slot.sample);
        ++seen[slot.epoch][slot.sample];
      }
      ASSERT_EQ(in_batch.size(), slots.size()) << "N " << shape.size() << " step " << step;
      straddling += slots.front().epoch != slots.back().epoch;
    }
    for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
      ASSERT_EQ(static_cast<std::int64_t>(seen[epoch].size()), shape.size());
      for (const auto& [sample, times] : seen[epoch]) ASSERT_EQ(times, 1);
    }
  }
  EXPECT_GT(straddling, 20);
}

TEST(SlabPlan, RanksOfAnyNumberSeeTogetherWhatOneSees) {
  const Shape shape{ragged_slabs(120, 20, 8), 8, 6};
  const SamplePlan plan(plan_settings(shape));
  for (std::int64_t step = 0; step < 60; ++step) {
    const auto whole = plan.batch(step);
    for (std::int64_t world = 1; world <= 8; ++world) {
      std::vector<Slot> together;
      for (std::int64_t rank = 0; rank < world; ++rank) {
        const LaneBlock mine = lanes_of(rank, world, 8);
        const auto part = SamplePlan(plan_settings(shape)).batch(step, mine.first * 6, mine.count * 6);
        together.insert(together.end(), part.begin(), part.end());
      }
      ASSERT_EQ(together, whole) << "world " << world;
    }
  }
}

std::string bits_of(const SamplePlan& plan) {
  sharding::BatchDigest sum;
  for (std::int64_t i = 0; i < 120; ++i) {
    const auto batch = plan.batch(plan.first_step() + i);
    sum += sharding::digest_of_lane(i, batch);
  }
  return sum.hex();
}

// Made with the version before slabs: a run that began then goes on.
TEST(SlabPlan, WithoutSlabsNothingChanged) {
  const auto check = [](const sharding::PlanSettings& settings, const char* digest, const char* bits) {
    const SamplePlan plan(settings);
    EXPECT_EQ(plan.digest(), digest);
    EXPECT_EQ(bits_of(plan), bits);
    EXPECT_EQ(plan.slabs_digest(), "");
  };
  check({.num_samples = 1000, .global_batch = 96, .seed = 7},
        "64207d6b99a70158f6ab3af880cca64f48c860a717becd652fcc379ddf0d0c8b",
        "47795818a1cfbe4b3cfa985f2beff322");
  check({.num_samples = 100, .global_batch = 64, .seed = 3},
        "ba5f0623722148aeae026f7dfedc7a3906b6ddd81abff976a75f630c358e2fb5",
        "df1b59a52a7b4a7167c5947c8ec85820");
  check(
      {.num_samples = 5000, .global_batch = 64, .seed = 1, .classes = {}, .first_step = 40, .first_epoch = 3},
      "ace4cbf85934fa625e7365c26304271c272707cfa07a5ab30f541b8d73401269", "6d570478b9f78f9f28704fd7a04cedbb");
}

TEST(SlabPlan, TheOrderIsTheOneOfTheFirstVersion) {
  const SamplePlan equal(plan_settings({equal_slabs(100, 32), 8, 12})),
      ragged(plan_settings({ragged_slabs(100, 32, 1), 4, 9, 16}, 5));
  EXPECT_EQ(equal.digest(), "fc65730fd9ccfc429ae9d1b39883e61dcaedc6d606e1f9b789c7581db7e697ca");
  EXPECT_EQ(bits_of(equal), "f8822872736144f566fbe72a64ab149a");
  EXPECT_EQ(ragged.digest(), "49a9468b718e7b999f71ac02945f6bd5425dea4b12aec223c4f826391d4b231b");
  EXPECT_EQ(bits_of(ragged), "a8e1c465f57a89b4414d854326edf5f2");
}

TEST(SlabPlan, TheDigestKnowsSlabsAndWindows) {
  const Shape shape{equal_slabs(100, 30), 4, 8};
  Shape narrow = shape, moved = shape, lanes = shape;
  narrow.open = 16, moved.ends[3] += 1, lanes.lanes = 8, lanes.lane_images = 4;
  std::set<std::string> digests{SamplePlan(shape.size(), shape.batch(), 1).digest()};
  for (const Shape& each : {shape, narrow, moved, lanes})
    digests.insert(SamplePlan(plan_settings(each)).digest());
  EXPECT_EQ(digests.size(), 5U);
  EXPECT_EQ(SamplePlan(plan_settings(shape)).slabs_digest().size(), 64U);
}

TEST(SlabPlan, ClassesKeepTheirOwnOrder) {
  const Shape shape{equal_slabs(10, 30), 4, 8};
  auto settings = plan_settings(shape);
  for (std::int64_t i = 0; i < shape.size(); ++i)
    settings.classes.push_back(static_cast<std::uint32_t>(i / 2));
  const SamplePlan with(settings);
  settings.slabs = {};
  const SamplePlan without(settings);
  EXPECT_EQ(with.digest(), without.digest());
  EXPECT_EQ(bits_of(with), bits_of(without));
}

TEST(SlabPlan, SlabsOfOtherSamplesAreABug) {
  auto settings = plan_settings({equal_slabs(10, 30), 4, 8});
  settings.num_samples = 299;
  EXPECT_THROW(SamplePlan{settings}, std::logic_error);
  settings = plan_settings({equal_slabs(10, 30), 4, 8});
  settings.slabs.lane_images = 5;
  EXPECT_THROW(SamplePlan{settings}, std::logic_error);
  settings.slabs = {{30, 20, 300}, 8, 64};
  EXPECT_THROW(SamplePlan{settings}, std::logic_error);
}

}  // namespace
}  // namespace entrain::tests
