#pragma once
#include <string>
#include <vector>

#include "configs/run_config.hpp"
#include "sharding/corpus.hpp"
#include "sharding/value_window.hpp"
#include "worker/views/canvas.hpp"
#include "worker/views/view_parameters.hpp"

namespace entrain::worker {

struct SheetLayout {
  int rows = 8;     ///< images, spread evenly over the corpus
  int columns = 6;  ///< the original and columns - 1 views
};

/// What training would see, for a person to judge: each row an original, squeezed to a square, with the crops
/// outlined, and its views under frames of the same colours, each with its parameters below. The views are
/// those of epoch 0 under run.seed. Throws what Corpus::read throws, ConfigError for views that cannot be made.
Canvas contact_sheet(const sharding::Corpus& corpus, const ViewSection& section, sharding::ValueWindow window,
                     std::uint64_t seed, SheetLayout layout);

/// The parameters in three lines of at most 31 characters: share of the area, width x height, flips and rotation;
/// brightness, contrast, saturation and hue by first letter in the order applied; gamma, gray, blur, equalisation.
std::vector<std::string> captions(const ViewParameters& view, const sharding::ImageShape& shape);

}  // namespace entrain::worker
