#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/support/ranks.hpp"
#include "tests/worker/losses/nt_xent_cases.hpp"

// Negative controls: mistakes that released codes have made, each of which must fail the comparison that the
// right result passes. First those of STYLE's table 6.5 and of a wrong place, made inside the real nt_xent by
// spoiling what its gathers return, or by misusing its result. Then wrong formulas, by autograd on the test's
// side.
namespace entrain::tests {
namespace {

constexpr double kTolerance = 1e-10;

class NtXentMistakes : public ::testing::TestWithParam<int> {
 protected:
  const NtXentCase case_{8, 1, 3};
  const Whole one_ = loss_on(1, case_);
  // The largest error of the gradient, over the largest gradient.
  double error(const Whole& w) const {
    return ((w.dz_SD - one_.dz_SD).abs().max() / one_.dz_SD.abs().max()).item<double>();
  }
};
INSTANTIATE_TEST_SUITE_P(Ranks, NtXentMistakes, ::testing::Values(2, 3, 4));

TEST_P(NtXentMistakes, NoneWhileNothingIsSpoiled) {
  const Whole same = loss_on(GetParam(), case_, [](auto gathered, int) { return gathered; });
  EXPECT_TRUE(agree(same, one_, kTolerance));
}

// loss_on returns what rank 0 gathered; rank 0's own place is right, the gradients of the others are not.
TEST_P(NtXentMistakes, OwnPlaceTakenAsZero) {
  const Whole bad = loss_on(GetParam(), case_, [](auto gathered, int) {
    gathered.first = 0;
    return gathered;
  });
  EXPECT_FALSE(agree(bad, one_, kTolerance));
  EXPECT_GT(error(bad), 1e-2);
}

TEST_P(NtXentMistakes, OwnPlaceOffByOneLane) {
  const Whole bad = loss_on(GetParam(), case_, [](auto gathered, int) {
    gathered.first = std::max<std::int64_t>(0, gathered.first - 2);
    return gathered;
  });
  EXPECT_FALSE(agree(bad, one_, kTolerance));
  EXPECT_GT(error(bad), 1e-2);
}

TEST_P(NtXentMistakes, LseOfOtherRanksLeftOut) {
  const int ranks = GetParam();
  const Whole bad = loss_on(ranks, case_, [ranks](auto gathered, int gather) {
    if (gather == 0) return gathered;
    const at::Tensor kept = gathered.all.clone();
    const std::int64_t own = 2 * lanes_of(0, ranks, 8).count;
    for (std::int64_t row = 0; row < 16; ++row)
      if (row < gathered.first || row >= gathered.first + own)
        kept[row][0] = std::numeric_limits<double>::infinity();  // exp(s - lse) = 0
    gathered.all = kept;
    return gathered;
  });
  EXPECT_FALSE(agree(bad, one_, kTolerance));
  EXPECT_GT(error(bad), 1e-2);
  EXPECT_LT(error(bad), 10) << "finite: only terms were left out";
}

TEST_P(NtXentMistakes, NoGatherLocalNegatives) {
  const at::Tensor u_SD = fixed_rows(case_);
  Whole bad;
  run_ranks(GetParam(), [&](worker::Collectives& comm) {
    const auto mine = lanes_of(comm.rank(), comm.size(), case_.lanes);
    // A world of its own for each lane: powers of two for any number of ranks.
    std::vector<at::Tensor> dz;
    double loss = 0;
    for (std::int64_t lane = mine.first; lane + 1 < mine.first + mine.count; lane += 2) {
      const NtXentCase local{2, 1, 3};
      const auto alone = worker::make_local_collectives(1);
      const Whole w = loss_on(*alone[0], local, u_SD.narrow(0, 2 * lane, 4));
      dz.push_back(w.dz_SD / comm.size());
      loss += w.loss;
    }
    const auto all = comm.all_gather_rows(at::cat(dz));
    if (comm.rank() == 0) bad = {loss, all.all};
  });
  const std::int64_t seen = std::min(bad.dz_SD.size(0), one_.dz_SD.size(0));
  const Whole right{one_.loss, one_.dz_SD.narrow(0, 0, seen)};
  EXPECT_FALSE(agree({bad.loss, bad.dz_SD.narrow(0, 0, seen)}, right, kTolerance));
}

TEST_P(NtXentMistakes, MeanOverOwnRowsThenSum) {
  Whole bad = loss_on(GetParam(), case_);
  bad.dz_SD = bad.dz_SD * GetParam();
  EXPECT_EQ(bad.loss, one_.loss) << "the loss does not show it";
  EXPECT_FALSE(agree(bad, one_, kTolerance));
}

TEST_P(NtXentMistakes, SumThenMeanOverRanks) {
  Whole bad = loss_on(GetParam(), case_);
  bad.dz_SD = bad.dz_SD / GetParam();
  EXPECT_FALSE(agree(bad, one_, kTolerance));
}

// ---- wrong formulas ----

enum class Formula {
  kRight,            // local rows, gather with gradient: SUM in backward
  kColumnsDetached,  // gathered rows as constants
  kAnchorTwice,      // as_anchor in place of as_negative
  kSliceBackward,    // own slot only of the gather's gradient
  kAverageBackward,  // gather backward AVG, then the mean over ranks
  kGlobalOwnSlot,    // global loss on every rank, own slot re-inserted, then the mean over ranks
  kLocalNegatives,   // no gather
  kViewMajorMasks,   // rows (rank, view, image), masks as if (view, image)
  kSelfNotMasked,
  kNoTemperature,  // 1/tau forgotten in the gradient
};

// Sum over anchors k in [first, first + count) of lse_k - s_k,partner, times 1/(2G); rows `anchors` against
// `columns`.
at::Tensor anchor_loss(const at::Tensor& anchors, const at::Tensor& columns, std::int64_t first,
                       std::int64_t first_column, const NtXentCase& c, Formula formula) {
  const std::int64_t S = columns.size(0);
  const at::Tensor s = anchors.mm(columns.t()) / c.temperature;
  std::vector<std::int64_t> self, partner;
  for (std::int64_t k = first; k < first + anchors.size(0); ++k) {
    self.push_back(k - first_column);
    partner.push_back(formula == Formula::kViewMajorMasks ? (k + S / 2) % S
                                                          : partner_of(k, c.images) - first_column);
  }
  const at::Tensor self_1 = at::tensor(self, at::kLong).unsqueeze(1),
                   partner_1 = at::tensor(partner, at::kLong).unsqueeze(1);
  const at::Tensor masked =
      formula == Formula::kSelfNotMasked ? s : s.scatter(1, self_1, -std::numeric_limits<double>::infinity());
  return (masked.logsumexp(1) - s.gather(1, partner_1).squeeze(1)).sum() /
         static_cast<double>(2 * c.lanes * c.images);
}

// d loss / d u after the reduction over W ranks, as `formula` would have it.
at::Tensor gradient_by(Formula formula, const at::Tensor& u_SD, const NtXentCase& c, int W) {
  const at::Tensor norm = u_SD.square().sum(1, true).sqrt(), z_SD = u_SD / norm;
  at::Tensor g_SD = at::zeros_like(z_SD);
  for (int r = 0; r < W; ++r) {
    const auto block = lanes_of(r, W, c.lanes);
    const std::int64_t first = 2 * c.images * block.first, count = 2 * c.images * block.count;
    at::Tensor z = z_SD.clone();
    z.requires_grad_(true);
    const bool whole = formula == Formula::kGlobalOwnSlot, local = formula == Formula::kLocalNegatives;
    const at::Tensor anchors = whole ? z : z.narrow(0, first, count);
    at::Tensor columns = local ? anchors : z;
    if (formula == Formula::kColumnsDetached || formula == Formula::kAnchorTwice) columns = z.detach();
    anchor_loss(anchors, columns, whole ? 0 : first, local ? first : 0, c, formula).backward();
    at::Tensor g = z.grad();
    if (formula == Formula::kSliceBackward || whole) {
      at::Tensor own = at::zeros_like(g);
      own.narrow(0, first, count).copy_(g.narrow(0, first, count));
      g = own;
    }
    g_SD += g;
  }
  if (formula == Formula::kAnchorTwice) g_SD *= 2;
  if (formula == Formula::kAverageBackward || formula == Formula::kGlobalOwnSlot) g_SD /= W;
  if (formula == Formula::kNoTemperature) g_SD *= c.temperature;
  return (g_SD - z_SD * (z_SD * g_SD).sum(1, true)) / norm;
}

struct Wrong {
  Formula formula;
  const char* name;
  double scale_low, scale_high, cosine_low, cosine_high;  // against the truth, in the manner of TRAINING 4.2
};

// The gather of the loss has no backward pass here, so these are what other designs get wrong. 3 ranks that
// hold 3, 3 and 2 lanes; the bounds on scale and cosine make sure that each control is the mistake that it
// says it is.
TEST(NtXentFormulas, EachReleasedMistakeIsSeenOnThreeRanks) {
  const NtXentCase c{8, 1, 4, 0.3};
  const at::Tensor u_SD = fixed_rows(c);
  const Whole got = loss_on(3, c);
  ASSERT_TRUE(agree({got.loss, gradient_by(Formula::kRight, u_SD, c, 3)}, got, kTolerance));
  for (const Wrong& wrong :
       {Wrong{Formula::kColumnsDetached, "columns detached", 0.3, 0.7, 0.9, 0.9999},
        Wrong{Formula::kAnchorTwice, "as_anchor twice", 0.8, 1.3, 0.9, 0.9999},
        Wrong{Formula::kSliceBackward, "slice backward", 0.6, 0.98, 0.9, 0.9999},
        Wrong{Formula::kAverageBackward, "average backward", 0.3333, 0.3334, 0.999999, 1.000001},
        Wrong{Formula::kGlobalOwnSlot, "global, own slot", 0.3333, 0.3334, 0.999999, 1.000001},
        Wrong{Formula::kLocalNegatives, "local negatives", 0.1, 1.5, 0.3, 0.99},
        Wrong{Formula::kViewMajorMasks, "view-major masks", -2, 2, -1, 0.95},
        Wrong{Formula::kSelfNotMasked, "self not masked", 0.5, 1.5, 0.3, 0.99999},
        Wrong{Formula::kNoTemperature, "no temperature", 0.2999, 0.3001, 0.999999, 1.000001}}) {
    const at::Tensor bad = gradient_by(wrong.formula, u_SD, c, 3);
    EXPECT_FALSE(agree({got.loss, bad}, got, kTolerance)) << wrong.name;
    const auto dot = [](const at::Tensor& a, const at::Tensor& b) { return (a * b).sum().item<double>(); };
    const double scale = dot(bad, got.dz_SD) / dot(got.dz_SD, got.dz_SD);
    const double cosine = dot(bad, got.dz_SD) / std::sqrt(dot(bad, bad) * dot(got.dz_SD, got.dz_SD));
    EXPECT_TRUE(wrong.scale_low < scale && scale < wrong.scale_high) << wrong.name << ": scale " << scale;
    EXPECT_TRUE(wrong.cosine_low < cosine && cosine < wrong.cosine_high)
        << wrong.name << ": cosine " << cosine;
  }
}

// Detached columns and as_anchor twice are equally wrong on any number of ranks: only the equation shows
// them.
TEST(NtXentFormulas, TwoMistakesAreTheSameOnAnyNumberOfRanks) {
  const NtXentCase c{8, 1, 4, 0.3};
  const at::Tensor u_SD = fixed_rows(c);
  const Whole truth = equation_one_by_autograd(u_SD, c);
  for (const Formula formula : {Formula::kColumnsDetached, Formula::kAnchorTwice}) {
    const at::Tensor one = gradient_by(formula, u_SD, c, 1);
    EXPECT_TRUE(agree({truth.loss, gradient_by(formula, u_SD, c, 3)}, {truth.loss, one}, kTolerance));
    EXPECT_FALSE(agree({truth.loss, one}, truth, kTolerance));
  }
}

}  // namespace
}  // namespace entrain::tests
