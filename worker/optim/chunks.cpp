#include "worker/optim/chunks.hpp"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <algorithm>
#include <cmath>

namespace entrain::worker {

Chunks chunks_of(const ParameterSet& parameters) {
  Chunks chunks;
  const auto* start = static_cast<const char*>(parameters.flat().const_data_ptr());
  const auto width = static_cast<std::int64_t>(parameters.flat().element_size());
  for (std::size_t i = 0; i < parameters.all().size(); ++i) {
    const at::Tensor& value = parameters.all()[i].value;
    const std::int64_t first = (static_cast<const char*>(value.const_data_ptr()) - start) / width;
    chunks.first_chunk.push_back(chunks.all.size());
    for (std::int64_t done = 0; done < value.numel(); done += kChunkElements)
      chunks.all.push_back({first + done, std::min(kChunkElements, value.numel() - done), i});
  }
  chunks.first_chunk.push_back(chunks.all.size());
  return chunks;
}

double tree_of(std::span<const double> parts) {
  if (parts.empty()) return 0;
  if (parts.size() == 1) return parts[0];
  const std::size_t half = (parts.size() + 1) / 2;
  return tree_of(parts.first(half)) + tree_of(parts.subspan(half));
}

double l2_norm(const at::Tensor& flat_P, LaneThreads& threads) {
  TORCH_CHECK(flat_P.dim() == 1 && flat_P.is_contiguous(), "l2_norm: want a flat tensor, got ",
              flat_P.sizes());
  const std::int64_t count = (flat_P.numel() + kChunkElements - 1) / kChunkElements;
  Chunks chunks;
  for (std::int64_t c = 0; c < count; ++c)
    chunks.all.push_back(
        {c * kChunkElements, std::min(kChunkElements, flat_P.numel() - c * kChunkElements), 0});
  std::vector<double> sums(chunks.all.size());
  AT_DISPATCH_FLOATING_TYPES(flat_P.scalar_type(), "l2_norm", [&] {
    const scalar_t* values = flat_P.const_data_ptr<scalar_t>();
    for_each_chunk(chunks, threads, [&](std::size_t c) {
      const scalar_t* v = values + chunks.all[c].first;
      sums[c] = sum_of_squares(chunks.all[c].count, [v](std::int64_t i) { return v[i]; });
    });
  });
  return std::sqrt(tree_of(sums));
}

}  // namespace entrain::worker
