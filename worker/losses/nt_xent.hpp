#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "worker/collectives/collectives.hpp"
#include "worker/collectives/lane_layout.hpp"
#include "worker/collectives/lane_threads.hpp"

namespace entrain::worker {

struct LossAndGradient {
  double loss = 0;   ///< nats, mean over the 2G anchors of all ranks; the same bits on every rank
  at::Tensor dz_RD;  ///< d loss / d u_RD of this rank's rows; carries 1/(2G), so lanes are SUMMED later
  double contrastive_accuracy = 0;  ///< share of the 2G anchors whose positive is nearer than every other row
};

/// Entries of one tile of logits in nt_xent, so that it stays in a core's cache (fastest of 2^14 ... 2^18 on
/// Zen 4). A lane of L rows is multiplied with 2^16 / L columns at a time: part of the bits in fp32, not of
/// the mathematics.
inline constexpr std::int64_t kLossTileEntries = 65536;

/// SimCLR's normalised temperature-scaled cross entropy with negatives from every rank, and its gradient.
///   u_RD          [R, D] float or double, this rank's rows, ordered (lane, view, image); any length but 0
///   temperature   > 0, no unit (divides a cosine)
///   layout        views == 2; the partner of row (lane, view, image) is (lane, 1 - view, image)
///   tile_columns  0: as kLossTileEntries says; else that many, for tests
///   classes_R     [R] int64: rows of one class are no negatives of each other (the positive stays one); undefined on
///                 all ranks: every other row is a negative
///   returns       mean over 2G anchors, 1 positive and 2(G - 1) negatives each, whatever rank holds them
/// Loss and gradient have the same bits for every number of ranks and threads. A zero row or a non-finite
/// value on any rank makes the loss NaN on all of them; it is for the caller to stop, on all ranks alike.
/// Throws c10::Error on a wrong shape. Collective: two all-gathers, three with classes.
/// Chen et al. 2020 (arXiv:2002.05709) eq. 1; google-research/simclr objective.py:34-88 gives twice this.
LossAndGradient nt_xent(const at::Tensor& u_RD, double temperature, const LaneLayout& layout,
                        Collectives& comm, LaneThreads& threads, std::int64_t tile_columns = 0,
                        const at::Tensor& classes_R = {});

}  // namespace entrain::worker
