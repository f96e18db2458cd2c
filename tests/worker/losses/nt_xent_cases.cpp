#include "tests/worker/losses/nt_xent_cases.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "configs/philox.hpp"
#include "tests/support/forwarding_collectives.hpp"
#include "tests/support/ranks.hpp"

namespace entrain::tests {
namespace {

// Forwards everything; what a gather returns goes through `spoil` first.
class SpoiledCollectives final : public ForwardingCollectives {
 public:
  SpoiledCollectives(worker::Collectives& inner, Spoil spoil)
      : ForwardingCollectives(inner), spoil_(std::move(spoil)) {}
  worker::GatheredRows all_gather_rows(const at::Tensor& rows) override {
    worker::GatheredRows gathered = inner_.all_gather_rows(rows);
    return spoil_ ? spoil_(std::move(gathered), gathers_++) : gathered;
  }

 private:
  Spoil spoil_;
  int gathers_ = 0;
};

}  // namespace

at::Tensor fixed_rows(const NtXentCase& c) {
  const at::Tensor u_SD = at::empty({2 * c.lanes * c.images, c.width}, at::kDouble);
  auto* u = u_SD.mutable_data_ptr<double>();
  for (std::int64_t row = 0; row < u_SD.size(0); ++row) {
    const auto first = static_cast<std::uint64_t>(std::min(row, partner_of(row, c.images)));
    Draws image(1, Purpose::kInit, first, 0, 1),
        own(1, Purpose::kInit, static_cast<std::uint64_t>(row), 0, 2);
    for (std::int64_t d = 0; d < c.width; ++d) *u++ = image.uniform(-1, 1) + own.uniform(-1, 1);
  }
  return u_SD.to(c.dtype);
}

Whole loss_on(worker::Collectives& comm, const NtXentCase& c, const at::Tensor& u_SD, const Spoil& spoil,
              std::int64_t tile_columns, int threads) {
  worker::LaneLayout layout;
  layout.lanes = c.lanes;
  layout.images = c.images;
  layout.mine = lanes_of(comm.rank(), comm.size(), c.lanes);
  SpoiledCollectives spoiled(comm, spoil);
  worker::LaneThreads lane_threads(threads);
  const at::Tensor u_RD = u_SD.narrow(0, layout.mine.first * layout.lane_rows(), layout.my_rows());
  at::Tensor classes_R;
  if (c.classes_S.defined())
    classes_R = c.classes_S.narrow(0, layout.mine.first * layout.lane_rows(), layout.my_rows());
  const auto mine = nt_xent(u_RD, c.temperature, layout, spoiled, lane_threads, tile_columns, classes_R);
  return {mine.loss, comm.all_gather_rows(mine.dz_RD).all, mine.contrastive_accuracy};
}

Whole loss_on(int num_ranks, const NtXentCase& c, const Spoil& spoil) {
  const at::Tensor u_SD = fixed_rows(c);
  std::vector<Whole> ranks(num_ranks);
  run_ranks(num_ranks,
            [&](worker::Collectives& comm) { ranks[comm.rank()] = loss_on(comm, c, u_SD, spoil); });
  for (const Whole& rank : ranks)
    if (!spoil && !same_bits(rank, ranks[0])) throw std::runtime_error("ranks report different losses");
  return ranks[0];
}

bool agree(const Whole& a, const Whole& b, double relative) {
  const double largest = b.dz_SD.abs().max().item<double>();
  const double off = (a.dz_SD.to(at::kDouble) - b.dz_SD.to(at::kDouble)).abs().max().item<double>();
  return std::abs(a.loss - b.loss) <= relative * std::abs(b.loss) && off <= relative * largest;
}

bool same_bits(const Whole& a, const Whole& b) {
  return a.loss == b.loss && a.accuracy == b.accuracy && at::equal(a.dz_SD, b.dz_SD);
}

double equation_one(const at::Tensor& u_SD, const NtXentCase& c) {
  const at::Tensor wide_SD = u_SD.to(at::kDouble).contiguous();
  const std::int64_t S = wide_SD.size(0), D = wide_SD.size(1);
  const auto* u = wide_SD.const_data_ptr<double>();
  const auto dot = [&](std::int64_t a, std::int64_t b) {
    double sum = 0;
    for (std::int64_t d = 0; d < D; ++d) sum += u[a * D + d] * u[b * D + d];
    return sum;
  };
  const auto similarity = [&](std::int64_t a, std::int64_t b) {
    return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
  };
  double sum = 0;
  for (std::int64_t k = 0; k < S; ++k) {
    const double positive = similarity(k, partner_of(k, c.images)) / c.temperature;
    double others = 0;
    for (std::int64_t j = 0; j < S; ++j)
      if (j != k) others += std::exp(similarity(k, j) / c.temperature - positive);
    sum += std::log(others);
  }
  return sum / static_cast<double>(S);
}

Whole equation_one_by_autograd(const at::Tensor& u_SD, const NtXentCase& c) {
  const std::int64_t S = u_SD.size(0);
  at::Tensor u = u_SD.to(at::kDouble).clone();
  u.requires_grad_(true);
  const at::Tensor z = u / u.square().sum(1, true).sqrt();
  const at::Tensor s_SS = z.mm(z.t()) / c.temperature;
  at::Tensor self = at::eye(S, at::kBool);
  std::vector<std::int64_t> partners;
  for (std::int64_t k = 0; k < S; ++k) partners.push_back(partner_of(k, c.images));
  if (c.classes_S.defined()) {
    const auto of = [&](std::int64_t k) { return c.classes_S[k].item<std::int64_t>(); };
    for (std::int64_t k = 0; k < S; ++k)
      for (std::int64_t j = 0; j < S; ++j)
        if (of(k) == of(j) && j != partners[k]) self[k][j] = true;
  }
  const at::Tensor p_S1 = at::tensor(partners, at::kLong).unsqueeze(1);
  const at::Tensor lse = s_SS.masked_fill(self, -std::numeric_limits<double>::infinity()).logsumexp(1);
  const at::Tensor loss = (lse - s_SS.gather(1, p_S1).squeeze(1)).mean();
  loss.backward();
  const at::Tensor nearest =
      s_SS.detach().masked_fill(self, -std::numeric_limits<double>::infinity()).argmax(1);
  return {loss.item<double>(), u.grad(), nearest.eq(p_S1.squeeze(1)).to(at::kDouble).mean().item<double>()};
}

}  // namespace entrain::tests
