#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace entrain::coordinator {

/// Nodes of GPUs and the links between them. A link costs `alpha` seconds per hop and carries `rate` bytes per second.
struct Cluster {
  std::int64_t nodes = 1, gpus = 8;  ///< GPUs of one node
  std::string gpu = "h100";          ///< whose speed is assumed where views_per_s is 0
  double views_per_s = 0;            ///< of one GPU, as measured: forward, backward and update
  double intra_alpha_s = 1.0e-6;     ///< one hop inside a node
  double intra_rate = 480e9;         ///< bus bandwidth of a node's all-reduce (nccl-tests)
  double inter_alpha_s = 2.7e-6;     ///< one hop between nodes
  double inter_rate = 46e9;          ///< of one GPU to other nodes: its network card, or its share of one
  double price_per_gpu_hour = 0;     ///< in any currency; 0: not asked for
  std::vector<std::string> given{};  ///< keys that were given; all others are assumed

  bool was_given(const std::string& key) const;
};

/// "nodes=32,gpus=8,alpha_us=2.7": `--cluster`. ConfigError: a key that is unknown (with the list of those that are
/// known), given twice or out of range; no nodes or no gpus.
Cluster parse_cluster(const std::string& text);

/// Seconds of one collective among the first `ranks` GPUs, node after node, by the formulas of NCCL's own tuning: the
/// best of ring and tree, each with the best of three protocols. 0 for one rank.
///   all-gather: `bytes` of the whole result.      all-reduce: `bytes` of one rank's buffer.
double all_gather_seconds(const Cluster& cluster, std::int64_t ranks, double bytes);
double all_reduce_seconds(const Cluster& cluster, std::int64_t ranks, double bytes);
/// Who takes part in a call.
enum class Among { kAll, kNode, kAcross };  ///< all ranks | those of a node | one of each node

/// Each rank sends `bytes` in equal parts to all that take part, directly, message after message.
double all_to_all_seconds(const Cluster& cluster, std::int64_t ranks, double bytes,
                          Among among = Among::kAll);

}  // namespace entrain::coordinator
