#include "coordinator/supervise/node_probe.hpp"

#include "checkpoint/json_member.hpp"

namespace entrain::supervise {

nlohmann::json json_of(const NodeProbe& node) {
  nlohmann::json json{{"host", node.host},
                      {"write_seconds", node.write_seconds},
                      {"write_error", node.write_error},
                      {"skew_seconds", node.skew_seconds},
                      {"megabytes_per_s", node.links},
                      {"inside_megabytes_per_s", node.inside_megabytes_per_s}};
  for (const auto& gpu : node.gpus) json["gpus"].push_back(json_of(gpu));
  return json;
}

NodeProbe node_probe_of(const nlohmann::json& json) {
  NodeProbe node;
  if (!json.is_object()) return node;
  node.host = checkpoint::text_of(json, "host");
  node.write_seconds = checkpoint::number_of(json, "write_seconds").value_or(0);
  node.write_error = checkpoint::text_of(json, "write_error");
  node.skew_seconds = checkpoint::number_of(json, "skew_seconds").value_or(0);
  if (const auto links = json.find("megabytes_per_s"); links != json.end() && links->is_object())
    for (const auto& [to, rate] : links->items())
      if (rate.is_number()) node.links[to] = rate.get<double>();
  node.inside_megabytes_per_s = checkpoint::number_of(json, "inside_megabytes_per_s").value_or(0);
  if (const auto gpus = json.find("gpus"); gpus != json.end() && gpus->is_array())
    for (const auto& gpu : *gpus) node.gpus.push_back(gpu_probe_of(gpu));
  return node;
}

std::vector<std::vector<std::pair<int, int>>> ring_rounds(int nodes) {
  std::vector<std::vector<std::pair<int, int>>> rounds;
  if (nodes < 2) return rounds;
  const bool odd = nodes % 2 == 1;
  for (int first = 0; first < (nodes == 2 ? 1 : 2); ++first) {
    rounds.emplace_back();
    for (int node = first; node + 1 < nodes + (odd ? 0 : first); node += 2)
      rounds.back().emplace_back(node, (node + 1) % nodes);
  }
  if (odd) rounds.push_back({{nodes - 1, 0}});
  return rounds;
}

}  // namespace entrain::supervise
