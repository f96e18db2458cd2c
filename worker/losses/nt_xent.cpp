#include "worker/losses/nt_xent.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "worker/collectives/lane_tree.hpp"

// Legend: R rows of this rank, S = 2G rows of all ranks, L rows of one lane, m images of one lane, C columns
// of one tile, D embedding width. With s_kj = z_k.z_j / tau, lse_k = log sum_{j != k} exp s_kj, P_kj =
// exp(s_kj - lse_k):
//   loss = 1/2G sum_k [lse_k - s_k,partner(k)]
//   dL/dz_k = 1/(2G tau) sum_{j != k} (P_kj + P_jk - 2 [j is k's partner]) z_j
// With classes, s_kj = -inf for every pair of one class that is not (k, partner of k): both its P are 0.
// P_jk = exp(s_kj - lse_j), so the gradient of a row needs nothing of the others but z and lse: gather z,
// then lse, and each row's gradient is complete where the row lives. No [R, S] matrix is kept: tiles are
// computed twice.
//
// Same bits on any number of ranks: every product has the fixed shape (lane, tile) and reads its operands
// from the gathered z, where a lane has the same place, hence the same memory alignment, for every number of
// ranks.
namespace entrain::worker {
namespace {

// All rows as every rank sees them after the first gather, cut into tiles of columns.
struct Scene {
  at::Tensor z_SD;
  at::Tensor classes_S;  // undefined: all rows differ
  double temperature;
  std::int64_t images;  // m
  std::int64_t tile_columns;
};

// One column tile seen from one lane: entry (k, k + to_self) is row k against itself.
struct Tile {
  at::Tensor z_CD, no_negatives_LC;  // the latter: pairs of one class; undefined: there are none
  std::int64_t first, to_self;
};

// act(cells, row): `cells` views the tile's entries that are the positives of rows row, row + 1, ... of the
// lane. Rows of view 0 have their positive m columns to the right of their own place, rows of view 1 m to the
// left.
template <typename Act>
void for_positives(const at::Tensor& s_LC, const Tile& tile, std::int64_t m, Act act) {
  for (const auto& [row, shift] : {std::pair{std::int64_t{0}, m}, std::pair{m, -m}}) {
    const std::int64_t offset = tile.to_self + row + shift;
    const at::Tensor cells = s_LC.narrow(0, row, m).diagonal(offset);
    if (cells.numel() > 0) act(cells, row + std::max<std::int64_t>(0, -offset));
  }
}

Tile tile_at(const Scene& scene, std::int64_t first_column, std::int64_t first_row) {
  const std::int64_t columns = std::min(scene.tile_columns, scene.z_SD.size(0) - first_column);
  Tile tile{scene.z_SD.narrow(0, first_column, columns), {}, first_column, first_row - first_column};
  if (!scene.classes_S.defined()) return tile;
  const at::Tensor rows_L1 = scene.classes_S.narrow(0, first_row, 2 * scene.images).unsqueeze(1);
  tile.no_negatives_LC = rows_L1.eq(scene.classes_S.narrow(0, first_column, columns).unsqueeze(0));
  for_positives(tile.no_negatives_LC, tile, scene.images,
                [](const at::Tensor& cells, std::int64_t) { cells.fill_(false); });
  return tile;
}

// s_LC := logits of the lane against the tile. No row is its own negative, nor one of its class.
void logits_into_(const at::Tensor& s_LC, const at::Tensor& z_over_tau_LD, const Tile& tile) {
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  at::Tensor out = s_LC;
  at::mm_out(out, z_over_tau_LD, tile.z_CD.t());
  out.diagonal(tile.to_self).fill_(kNone);
  if (tile.no_negatives_LC.defined()) out.masked_fill_(tile.no_negatives_LC, kNone);
}

// [L, 3] double: log-sum-exp over all other rows, logit of the positive, 1 where no negative comes up to it.
// The sum is streamed over tiles, scaled by the largest logit so far. The positives are kept apart and added
// at the end. The largest starts at the lowest finite number, not at -inf: a tile may hold only the row
// itself.
at::Tensor row_terms(const Scene& scene, std::int64_t first_row) {
  const std::int64_t L = 2 * scene.images;
  const at::Tensor z_LD = scene.z_SD.narrow(0, first_row, L), z_over_tau_LD = z_LD / scene.temperature;
  const double lowest = z_LD.scalar_type() == at::kDouble ? std::numeric_limits<double>::lowest()
                                                          : std::numeric_limits<float>::lowest();
  at::Tensor largest_L1 = at::full({L, 1}, lowest, z_LD.options());
  at::Tensor sum_L1 = at::zeros({L, 1}, z_LD.options());
  const at::Tensor positive_L1 = at::empty({L, 1}, z_LD.options());
  const at::Tensor scratch = at::empty({L * scene.tile_columns}, z_LD.options());
  for (std::int64_t c = 0; c < scene.z_SD.size(0); c += scene.tile_columns) {
    const Tile tile = tile_at(scene, c, first_row);
    const at::Tensor s_LC = scratch.narrow(0, 0, L * tile.z_CD.size(0)).view({L, -1});
    logits_into_(s_LC, z_over_tau_LD, tile);
    for_positives(s_LC, tile, scene.images, [&](const at::Tensor& cells, std::int64_t row) {
      positive_L1.select(1, 0).narrow(0, row, cells.numel()).copy_(cells);
      cells.fill_(-std::numeric_limits<double>::infinity());
    });
    const at::Tensor larger_L1 = at::maximum(largest_L1, s_LC.amax(1, true));
    sum_L1.mul_((largest_L1 - larger_L1).exp_()).add_(s_LC.sub_(larger_L1).exp_().sum(1, true));
    largest_L1 = larger_L1;
  }
  const at::Tensor negative = largest_L1.to(at::kDouble), positive = positive_L1.to(at::kDouble);
  const at::Tensor top = at::maximum(negative, positive);
  const at::Tensor lse =
      top + (sum_L1.to(at::kDouble) * (negative - top).exp() + (positive - top).exp()).log();
  return at::cat({lse, positive, positive.gt(negative).to(at::kDouble)}, 1);
}

// d loss / d z of one lane, [L, D].
at::Tensor row_gradient(const Scene& scene, std::int64_t first_row, const at::Tensor& lse_S) {
  const std::int64_t L = 2 * scene.images, S = scene.z_SD.size(0);
  const at::Tensor z_LD = scene.z_SD.narrow(0, first_row, L), z_over_tau_LD = z_LD / scene.temperature;
  const at::Tensor lse_L1 = lse_S.narrow(0, first_row, L).unsqueeze(1);
  const at::Tensor scratch = at::empty({2, L * scene.tile_columns}, z_LD.options());
  at::Tensor sum_LD = at::zeros({L, z_LD.size(1)}, z_LD.options());
  for (std::int64_t c = 0; c < S; c += scene.tile_columns) {
    const Tile tile = tile_at(scene, c, first_row);
    const std::int64_t C = tile.z_CD.size(0);
    const at::Tensor weight_LC = scratch[0].narrow(0, 0, L * C).view({L, C});
    at::Tensor as_negative_LC = scratch[1].narrow(0, 0, L * C).view({L, C});
    logits_into_(weight_LC, z_over_tau_LD, tile);
    at::sub_out(as_negative_LC, weight_LC, lse_S.narrow(0, tile.first, C).unsqueeze(0));
    weight_LC.sub_(lse_L1).exp_().add_(as_negative_LC.exp_());  // as anchor, and in the sums of the others
    for_positives(weight_LC, tile, scene.images,
                  [](const at::Tensor& cells, std::int64_t) { cells.sub_(2); });
    sum_LD.addmm_(weight_LC, tile.z_CD);
  }
  return sum_LD.div_(static_cast<double>(S) * scene.temperature);
}

}  // namespace

LossAndGradient nt_xent(const at::Tensor& u_RD, double temperature, const LaneLayout& layout,
                        Collectives& comm, LaneThreads& threads, std::int64_t tile_columns,
                        const at::Tensor& classes_R) {
  TORCH_CHECK(
      u_RD.dim() == 2 && layout.views == 2 && u_RD.size(0) == layout.my_rows() && layout.my_rows() > 0,
      "nt_xent: want [", layout.my_rows(), ", D] for ", layout.mine.count, " lanes of 2 x ", layout.images,
      " rows, got ", u_RD.sizes(), " with ", layout.views, " views");
  TORCH_CHECK(temperature > 0 && tile_columns >= 0, "nt_xent: temperature ", temperature, " and tile of ",
              tile_columns, " columns must be positive (0 columns: chosen)");
  TORCH_CHECK(!classes_R.defined() || (classes_R.dim() == 1 && classes_R.size(0) == u_RD.size(0)),
              "nt_xent: want one class per row");
  const at::Tensor u = u_RD.detach();
  const std::int64_t L = layout.lane_rows(), lanes = layout.mine.count;
  const auto lane = [L](const at::Tensor& rows, std::int64_t l) { return rows.narrow(0, l * L, L); };

  // Norms in double: neither tiny nor huge rows under- or overflow. 0 / 0 is NaN and reaches every rank's
  // loss.
  const at::Tensor norm_R1 = at::empty({u.size(0), 1}, u.options().dtype(at::kDouble));
  const at::Tensor z_RD = at::empty(u.sizes(), u.options());
  threads.for_each(lanes, [&](std::int64_t l) {
    const at::Tensor wide = lane(u, l).to(at::kDouble), norm = wide.square().sum(1, true).sqrt();
    lane(norm_R1, l).copy_(norm);
    lane(z_RD, l).copy_(wide / norm);
  });
  const GatheredRows z = comm.all_gather_rows(z_RD);  // the first collective
  TORCH_CHECK(z.all.size(0) == layout.all_rows(), "nt_xent: ", layout.all_rows(),
              " rows expected from all ranks, got ", z.all.size(0));
  // By the lane's size, never by the number of ranks.
  if (tile_columns == 0) tile_columns = std::max<std::int64_t>(1, kLossTileEntries / L);
  const at::Tensor classes_S = classes_R.defined() ? comm.all_gather_rows(classes_R).all : at::Tensor();
  const Scene scene{z.all, classes_S, temperature, layout.images, std::min(tile_columns, z.all.size(0))};

  const at::Tensor terms_R3 = at::empty({u.size(0), 3}, norm_R1.options());
  threads.for_each(lanes,
                   [&](std::int64_t l) { lane(terms_R3, l).copy_(row_terms(scene, z.first + l * L)); });
  const at::Tensor terms_S3 = comm.all_gather_rows(terms_R3).all;  // the last collective
  const at::Tensor lse_S = terms_S3.select(1, 0).to(u.scalar_type(), /*non_blocking=*/false, /*copy=*/true);

  LossAndGradient result;
  result.dz_RD = at::empty(u.sizes(), u.options());
  threads.for_each(lanes, [&](std::int64_t l) {
    const at::Tensor z_LD = lane(z_RD, l).to(at::kDouble);
    const at::Tensor g_LD = row_gradient(scene, z.first + l * L, lse_S).to(at::kDouble);
    lane(result.dz_RD, l).copy_((g_LD - z_LD * (z_LD * g_LD).sum(1, true)) / lane(norm_R1, l));
  });
  // Every rank adds the same numbers in the same shapes: per lane, then the tree.
  const at::Tensor loss_S = terms_S3.select(1, 0) - terms_S3.select(1, 1);
  const auto S = static_cast<double>(layout.all_rows());
  result.loss = tree_sum(loss_S.view({layout.lanes, L}).sum(1)).item<double>() / S;
  result.contrastive_accuracy = terms_S3.select(1, 2).sum().item<double>() / S;
  return result;
}

}  // namespace entrain::worker
