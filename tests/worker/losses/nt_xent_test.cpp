#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>

#include "tests/support/golden.hpp"
#include "tests/support/ranks.hpp"
#include "tests/worker/losses/nt_xent_cases.hpp"

namespace entrain::tests {
namespace {

Whole on_one_rank(const NtXentCase& c, const at::Tensor& u_SD, std::int64_t tile_columns = 0,
                  int threads = 2) {
  Whole whole;
  run_ranks(1, [&](worker::Collectives& comm) { whole = loss_on(comm, c, u_SD, {}, tile_columns, threads); });
  return whole;
}

void require_a_gradient(const Whole& w) {
  ASSERT_GT(w.dz_SD.abs().max().item<double>(), 1e-3) << "a zero gradient would prove nothing";
}

TEST(NtXent, EqualsEquationOneAtEveryTemperature) {
  for (const double temperature : {0.05, 0.07, 0.1, 0.2, 0.5, 1.0}) {
    for (const NtXentCase& c : {NtXentCase{8, 1, 3, temperature}, NtXentCase{4, 3, 5, temperature},
                                NtXentCase{1, 7, 4, temperature}, NtXentCase{2, 2, 6, temperature}}) {
      const at::Tensor u_SD = fixed_rows(c);
      const Whole got = on_one_rank(c, u_SD), want = equation_one_by_autograd(u_SD, c);
      require_a_gradient(want);
      EXPECT_NEAR(want.loss, equation_one(u_SD, c), 1e-12 * want.loss);
      EXPECT_TRUE(agree(got, want, 1e-10))
          << "tau " << temperature << " lanes " << c.lanes << " loss " << got.loss << " " << want.loss;
      EXPECT_DOUBLE_EQ(got.accuracy, want.accuracy);
    }
  }
}

TEST(NtXent, AccuracyIsNeitherNoneNorAllInTheseCases) {
  const NtXentCase c{8, 1, 3};
  const double accuracy = on_one_rank(c, fixed_rows(c)).accuracy;
  EXPECT_GT(accuracy, 0.05);
  EXPECT_LT(accuracy, 0.95);
}

// lightly orders rows (view, image), ours are (lane, view, image).
at::Tensor by_lanes(const at::Tensor& views_2GD, std::int64_t lanes) {
  return views_2GD.unflatten(1, {lanes, -1}).transpose(0, 1).flatten(0, 2).contiguous();
}

TEST(NtXent, EqualsLightlyInValueAndGradient) {
  const auto golden = read_golden("losses/nt_xent.json");
  const at::Tensor& u = golden.at("u");
  for (const std::int64_t lanes : {1, 2, 8}) {
    for (int i = 0; i < 4; ++i) {
      const NtXentCase c{lanes, u.size(1) / lanes, u.size(2), golden.at("temperatures")[i].item<double>()};
      const std::string n = std::to_string(i);
      const Whole want{golden.at("loss" + n).item<double>(), by_lanes(golden.at("gradient" + n), lanes)};
      require_a_gradient(want);
      const Whole got = on_one_rank(c, by_lanes(u, lanes));
      EXPECT_TRUE(agree(got, want, 1e-10)) << "tau " << c.temperature << " lanes " << lanes;
      EXPECT_NEAR(2 * got.loss, golden.at("google_loss" + n).item<double>(), 1e-10);
    }
  }
}

TEST(NtXent, GradientEqualsFiniteDifferences) {
  const NtXentCase c{4, 2, 4, 0.3};
  const at::Tensor u_SD = fixed_rows(c), dz_SD = on_one_rank(c, u_SD).dz_SD;
  for (std::int64_t place = 0; place < u_SD.numel(); place += 3) {
    const auto loss_at = [&](double shift) {
      at::Tensor moved = u_SD.clone();
      moved.view(-1)[place] += shift;
      return equation_one(moved, c);
    };
    const double slope = (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5;
    EXPECT_NEAR(dz_SD.view(-1)[place].item<double>(), slope, 1e-8) << "at " << place;
  }
}

TEST(NtXent, TileWidthsAgree) {
  for (const NtXentCase& c : {NtXentCase{8, 1, 3, 0.05}, NtXentCase{4, 9, 5, 0.1}}) {
    const at::Tensor u_SD = fixed_rows(c);
    const Whole full = on_one_rank(c, u_SD, u_SD.size(0));
    require_a_gradient(full);
    for (const std::int64_t tile : {1, 7, 64})
      EXPECT_TRUE(agree(on_one_rank(c, u_SD, tile), full, 1e-12)) << tile;
  }
}

TEST(NtXent, ThreadsDoNotChangeABit) {
  const NtXentCase c{8, 4, 32, 0.1, at::kFloat};
  const at::Tensor u_SD = fixed_rows(c);
  const Whole one = on_one_rank(c, u_SD, 16, 1);
  require_a_gradient(one);
  for (const int threads : {2, 3, 5}) EXPECT_TRUE(same_bits(one, on_one_rank(c, u_SD, 16, threads)));
}

TEST(NtXent, FloatStaysCloseToDoubleEvenAtTinyTemperatures) {
  for (const double temperature : {0.002, 0.02, 0.05, 1.0}) {
    const NtXentCase c{8, 16, 64, temperature, at::kFloat};
    const at::Tensor u_SD = fixed_rows(c);
    const Whole want = equation_one_by_autograd(u_SD, c), got = on_one_rank(c, u_SD);
    ASSERT_GT(want.dz_SD.abs().max().item<double>(), 1e-5);
    EXPECT_TRUE(agree(got, want, 2e-6 / std::min(1.0, temperature)))
        << temperature << " " << got.loss << " " << want.loss;
  }
}

TEST(NtXent, RowLengthsDoNotMatterEvenWhenTheirSquaresOverflow) {
  const NtXentCase c{4, 2, 8, 0.2, at::kFloat};
  const at::Tensor u_SD = fixed_rows(c);
  const Whole one = on_one_rank(c, u_SD);
  for (const double scale : {0x1p-70, 0x1p70}) {
    const Whole scaled = on_one_rank(c, u_SD * scale);
    EXPECT_EQ(scaled.loss, one.loss);
    EXPECT_TRUE(at::equal(scaled.dz_SD, one.dz_SD / scale));
  }
}

TEST(NtXent, CollapsedRowsGiveChanceAndNoFalseHits) {
  const NtXentCase c{4, 2, 8, 0.1};
  const Whole got = on_one_rank(c, at::ones({16, 8}, at::kDouble));
  EXPECT_NEAR(got.loss, std::log(15.0), 1e-12);
  EXPECT_LT(got.dz_SD.abs().max().item<double>(), 1e-12);
  EXPECT_EQ(got.accuracy, 0);
}

TEST(NtXent, OneImageHasOnlyItsPositive) {
  const NtXentCase c{1, 1, 4, 0.1};
  const Whole got = on_one_rank(c, fixed_rows(c));
  EXPECT_NEAR(got.loss, 0, 1e-12);
  EXPECT_EQ(got.accuracy, 1);
}

TEST(NtXent, AZeroOrBrokenRowOnOneRankIsNaNOnAllAndThrowsOnNone) {
  const NtXentCase c{8, 1, 3, 0.5, at::kFloat};
  for (const double bad :
       {0.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const at::Tensor u_SD = fixed_rows(c);
    u_SD.select(0, 15).fill_(bad);
    std::atomic<int> ranks_with_nan{0};
    run_ranks(3, [&](worker::Collectives& comm) {
      if (std::isnan(loss_on(comm, c, u_SD).loss)) ++ranks_with_nan;
    });
    EXPECT_EQ(ranks_with_nan, 3) << bad;
  }
}

TEST(NtXent, WrongShapesAreNamed) {
  const NtXentCase c{4, 2, 3};
  EXPECT_THROW(on_one_rank({4, 2, 3, 0.0}, fixed_rows(c)), c10::Error);
  run_ranks(1, [&](worker::Collectives& comm) {
    worker::LaneThreads threads(1);
    const worker::LaneLayout layout{4, 2, 2, {0, 4}}, one_view{4, 4, 1, {0, 4}};
    EXPECT_THROW(nt_xent(at::ones({15, 3}), 0.5, layout, comm, threads), c10::Error);
    EXPECT_THROW(nt_xent(at::ones({16, 3}), 0.5, one_view, comm, threads), c10::Error);
  });
}

}  // namespace
}  // namespace entrain::tests
