#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "sharding/corpus.hpp"
#include "worker/models/network.hpp"
#include "worker/stages/stage.hpp"

namespace entrain::worker {

/// How an image is shown to a network that only looks: whole, resized, without a random draw.
struct PlainViews {
  ViewSection views;                       ///< crop_pixels: the side
  double window_low = 0, window_high = 0;  ///< as in DataSection
  std::int64_t chunk = 32;                 ///< images per call of the network
};

/// What a network says of [N, C, P, P] images: [N, width] float. Any thread may call it.
using RowWork = std::function<at::Tensor(const at::Tensor& x_NCPP)>;

/// One row per sample of `corpus`, in their order, on every rank: chunks are shared out over ranks and their
/// threads, then gathered. Collective. Chunks are cut without regard to ranks, so the bits are the same for any
/// number of them. Throws what reading throws, on all ranks; on a stop signal an Error of code 75, because
/// nothing that could be resumed has been committed.
at::Tensor rows_of_images(Stage& stage, const sharding::Corpus& corpus, const PlainViews& plain,
                          std::int64_t width, const RowWork& work);

/// Logits [N, K] of a classifier as its parameters are now. Collective.
at::Tensor logits_of_images(Stage& stage, ClassifierNetwork& network, const sharding::Corpus& corpus,
                            const PlainViews& plain);

/// Collective: throws that Error on all ranks where any of them caught a stop signal.
void leave_if_stopped(Stage& stage);

}  // namespace entrain::worker
