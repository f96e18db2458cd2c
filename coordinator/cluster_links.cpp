#include "coordinator/cluster_links.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace entrain::coordinator {
namespace {

// Ranks are numbered node by node, so a ring leaves each node once.
struct Shape {
  double ranks, nodes, per_node;
};

Shape shape_of(const Cluster& cluster, std::int64_t ranks) {
  const std::int64_t nodes = (ranks + cluster.gpus - 1) / cluster.gpus;
  return {static_cast<double>(ranks), static_cast<double>(nodes),
          static_cast<double>(std::min(ranks, cluster.gpus))};
}

// NCCL's protocols (src/graph/tuning.cc) relative to the first: what a hop costs inside and between nodes, the share of
// the bandwidth that is left on one node and on several, and seconds to begin.
struct Protocol {
  double intra, inter, share_one_node, share, begin_s;
};
constexpr std::array<Protocol, 3> kProtocols{{
    {1.0, 1.0, 0.30, 0.10, 6.6e-6},   // LL
    {1.9, 1.5, 0.92, 0.92, 14.0e-6},  // LL128
    {3.4, 5.2, 1.00, 1.00, 8.4e-6},   // Simple
}};

// The cards of a node carry its part of a ring or a tree together.
double bus_rate(const Cluster& cluster, const Shape& s) {
  return s.nodes > 1 ? std::min(cluster.intra_rate, s.per_node * cluster.inter_rate) : cluster.intra_rate;
}

// `rounds`: how often the data goes round; 1 for an all-gather, 2 for an all-reduce.
double ring_seconds(const Cluster& cluster, const Shape& s, double rounds, double bytes, const Protocol& p) {
  const double hops = rounds * (s.ranks - 1), between = s.nodes > 1 ? rounds * (s.nodes - 1) : 0;
  const double rate = bus_rate(cluster, s) * (s.nodes > 1 ? p.share : p.share_one_node);
  return p.begin_s + (hops - between) * p.intra * cluster.intra_alpha_s +
         between * p.inter * cluster.inter_alpha_s + bytes * hops / s.ranks / rate;
}

double tree_seconds(const Cluster& cluster, const Shape& s, double bytes, const Protocol& p) {
  const double rate = bus_rate(cluster, s) * (s.nodes > 1 ? p.share : p.share_one_node);
  return p.begin_s + 2 * bytes / rate +
         2 * ((s.per_node - 1) * p.intra * cluster.intra_alpha_s +
              std::ceil(std::log2(s.nodes)) * p.inter * cluster.inter_alpha_s);
}

template <class Seconds>
double least(const Seconds& seconds) {
  double out = seconds(kProtocols[0]);
  for (const Protocol& p : kProtocols) out = std::min(out, seconds(p));
  return out;
}

}  // namespace

double all_gather_seconds(const Cluster& cluster, std::int64_t ranks, double bytes) {
  if (ranks <= 1) return 0;
  const Shape s = shape_of(cluster, ranks);
  return least([&](const Protocol& p) { return ring_seconds(cluster, s, 1, bytes, p); });
}

double all_reduce_seconds(const Cluster& cluster, std::int64_t ranks, double bytes) {
  if (ranks <= 1) return 0;
  const Shape s = shape_of(cluster, ranks);
  return least([&](const Protocol& p) {
    return std::min(ring_seconds(cluster, s, 2, bytes, p), tree_seconds(cluster, s, bytes, p));
  });
}

// Unlike a ring's, these messages all leave the node: g GPUs send g times as much over the network.
double all_to_all_seconds(const Cluster& cluster, std::int64_t ranks, double bytes, Among among) {
  if (ranks <= 1) return 0;
  const Shape s = shape_of(cluster, ranks);
  const double inside = among == Among::kAcross ? 0 : s.per_node - 1;
  const double outside = among == Among::kNode     ? 0
                         : among == Among::kAcross ? s.nodes - 1
                                                   : s.ranks - s.per_node;
  const double part = bytes / (inside + outside + 1);
  return kProtocols[2].begin_s + inside * cluster.intra_alpha_s + outside * cluster.inter_alpha_s +
         std::max(inside * part / cluster.intra_rate, outside * part / cluster.inter_rate);
}

}  // namespace entrain::coordinator
