#pragma once
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "worker/collectives/lane_threads.hpp"
#include "worker/models/parameters.hpp"

namespace entrain::worker {

/// Elements per partial sum of a norm: part of the bits, so fixed for ever. No chunk spans two parameters.
inline constexpr std::int64_t kChunkElements = 4096;

/// A run of elements of a flat buffer, within one parameter.
struct Chunk {
  std::int64_t first, count;
  std::size_t parameter;
};

/// A flat buffer cut into chunks, parameter by parameter; `first_chunk[i]` is where parameter i's begin, with
/// one more entry for the end.
struct Chunks {
  std::vector<Chunk> all;
  std::vector<std::size_t> first_chunk;
};
Chunks chunks_of(const ParameterSet& parameters);

/// Calls work(chunk index) for every chunk, many per piece of work, so that parameters of unequal size keep
/// all threads busy. Elementwise work and per-chunk sums only: neither order nor thread may matter.
template <typename Work>
void for_each_chunk(const Chunks& chunks, LaneThreads& threads, const Work& work) {
  constexpr std::int64_t kChunksPerPiece = 64;
  const auto count = static_cast<std::int64_t>(chunks.all.size());
  threads.for_each((count + kChunksPerPiece - 1) / kChunksPerPiece, [&](std::int64_t piece) {
    const std::int64_t end = std::min(count, (piece + 1) * kChunksPerPiece);
    for (std::int64_t c = piece * kChunksPerPiece; c < end; ++c) work(static_cast<std::size_t>(c));
  });
}

/// sum over i of f(i)^2 in double: eight running sums, folded in halves. f(i) is the i-th value of a chunk.
template <typename Value>
inline double sum_of_squares(std::int64_t count, const Value& f) {
  double sums[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (int j = 0; j < 8; ++j) {
      const auto x = static_cast<double>(f(i + j));
      sums[j] += x * x;
    }
  for (int j = 0; i < count; ++i, ++j) {
    const auto x = static_cast<double>(f(i));
    sums[j] += x * x;
  }
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

/// tree(n) = tree(first half, rounded up) + tree(rest); 0 for none.
double tree_of(std::span<const double> parts);

/// Euclidean norm of a flat float or double buffer, in the chunking above: the same bits for every number of
/// threads. Not finite if any element is not.
double l2_norm(const at::Tensor& flat_P, LaneThreads& threads);

}  // namespace entrain::worker
