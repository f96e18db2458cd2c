#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace entrain::supervise {

/// RUN/bad_nodes.json: nodes that a preflight of this run found bad, one per line, so that later jobs do not get them again.
struct NotedNode {
  std::string node{}, why{};
  std::string job{};  ///< in which it was found
  std::string at{};   ///< 2026-03-02T10:04:11Z
};

/// For how long `entrain submit` leaves such a node out. By then somebody has repaired it or taken it out of service; and
/// a cluster whose nodes were busy for an hour is not lost to a run for ever.
constexpr double kForgetSeconds = 24 * 3600;

std::string bad_nodes_path(const std::string& run_dir);
/// What was noted, oldest first; of a file that is torn or absent nothing. Only what can be the name of a node.
std::vector<NotedNode> noted_nodes(const std::string& run_dir);
/// Adds these to what stands there, each node once, as it was found last. CheckpointError.
void note_nodes(const std::string& run_dir, const std::vector<NotedNode>& found);
/// Those younger than kForgetSeconds at the time `now` ("2026-03-02T10:04:11Z").
std::vector<NotedNode> young_nodes(const std::vector<NotedNode>& noted, std::string_view now);

}  // namespace entrain::supervise
