#include "sharding/slab_ends.hpp"

#include <algorithm>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::sharding {

std::vector<std::int64_t> slab_ends(std::span<const std::int64_t> rows,
                                    std::span<const std::int64_t> first_rows,
                                    std::span<const std::int64_t> rows_per_slab) {
  const std::size_t files = first_rows.size() - 1;
  if (rows_per_slab.size() != files && rows_per_slab.size() != 1)
    throw DataError(
        cat("the order of samples was made for ", rows_per_slab.size(), " files, the corpus has ", files));
  const auto [fewest, most] = std::minmax_element(rows_per_slab.begin(), rows_per_slab.end());
  if (*fewest < 1) throw DataError(cat("slabs of ", *fewest, " rows: want 1 or more"));
  if (*most == 1) return {};
  std::vector<std::int64_t> ends;
  std::int64_t slab_begin = 0, slab_end = 0;  // rows of the slab of the sample before
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (slab_begin <= rows[i] && rows[i] < slab_end) continue;
    if (i > 0) ends.push_back(static_cast<std::int64_t>(i));
    const auto file = static_cast<std::size_t>(
        std::upper_bound(first_rows.begin(), first_rows.end(), rows[i]) - first_rows.begin() - 1);
    const std::int64_t own = rows_per_slab[rows_per_slab.size() == 1 ? 0 : file],
                       together = *most / own * own;
    slab_begin = first_rows[file] + (rows[i] - first_rows[file]) / together * together;
    slab_end = std::min(slab_begin + together, first_rows[file + 1]);
  }
  ends.push_back(static_cast<std::int64_t>(rows.size()));
  return ends;
}

}  // namespace entrain::sharding
