#include "coordinator/supervise/gpu_verdict.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "configs/cat.hpp"
#include "coordinator/health/slowdown.hpp"

namespace entrain::supervise {
namespace {

using Products = std::map<std::string, std::map<std::string, int>>;  // model -> digest -> how many GPUs

Products products_of(const std::vector<NodeProbe>& nodes) {
  Products products;
  for (const auto& node : nodes)
    for (const auto& gpu : node.gpus)
      if (gpu.error.empty()) ++products[gpu.name][gpu.digest];
  return products;
}

// What more than half of a model's GPUs compute; empty: there is no such value.
std::string most_compute(const std::map<std::string, int>& digests) {
  int all = 0;
  for (const auto& [digest, count] : digests) all += count;
  for (const auto& [digest, count] : digests)
    if (2 * count > all) return digest;
  return "";
}

std::string list_of(const std::vector<std::uint64_t>& numbers) {
  std::string text;
  for (const auto number : numbers) text += cat(text.empty() ? "" : ", ", number);
  return text;
}

// Empty: nothing.
std::string what_is_wrong(const GpuProbe& gpu, const std::map<std::string, std::string>& usual) {
  const std::string whose = cat("GPU of rank ", gpu.rank, gpu.uuid.empty() ? "" : cat(" (", gpu.uuid, ')'));
  if (!gpu.error.empty()) return cat(whose, ": ", gpu.error);
  if (!gpu.xids.empty())
    return cat(whose, ": critical error while it computed, Xid ", list_of(gpu.xids), "; dmesg tells more");
  if (gpu.uncorrected > 0)
    return cat(whose, ": ", gpu.uncorrected,
               " memory errors that ECC could not correct since the driver was loaded; "
               "reset it (nvidia-smi -r), and have it replaced if they come again");
  if (const auto broken = health::slowdown_text(gpu.slowdown & health::kBrokenClocks); !broken.empty())
    return cat(whose, ": its clocks are low: ", broken);
  if (const auto& most = usual.at(gpu.name); !most.empty() && gpu.digest != most)
    return cat(whose, ": computes another product than most GPUs of its model (", gpu.digest.substr(0, 12),
               ", they ", most.substr(0, 12), ')');
  return "";
}

void warn_of_heat(const NodeProbe& node, NodeVerdict& verdict) {
  for (const auto& gpu : node.gpus)
    if ((gpu.slowdown & health::kSoftwareThermalSlowdown) != 0)
      verdict.warnings.push_back(cat("the GPU of rank ", gpu.rank, " on ", node.host,
                                     " is slow: ", health::slowdown_text(health::kSoftwareThermalSlowdown),
                                     "; all others will wait for it"));
}

}  // namespace

NodeVerdict judge_gpus(const std::vector<NodeProbe>& nodes) {
  NodeVerdict verdict;
  const Products products = products_of(nodes);
  std::map<std::string, std::string> usual;
  for (const auto& [model, digests] : products) {
    usual[model] = most_compute(digests);
    if (usual[model].empty())
      verdict.warnings.push_back(
          cat("the GPUs (", model, ") compute ", digests.size(),
              " different results of one product, and none of them most: some are broken, "
              "or they have different drivers"));
  }
  for (const auto& node : nodes) {
    std::string why;
    for (const auto& gpu : node.gpus)
      if (why.empty() && !(products.empty() && !gpu.error.empty())) why = what_is_wrong(gpu, usual);
    if (!why.empty())
      verdict.bad.push_back({node.host, why});
    else
      warn_of_heat(node, verdict);
  }
  if (products.empty())
    for (const auto& node : nodes)
      if (!node.gpus.empty()) {
        verdict.warnings.push_back(cat("no node has a GPU that computes: ", node.gpus.front().error));
        break;
      }
  return verdict;
}

std::string gpu_summary(const std::vector<NodeProbe>& nodes, const NodeVerdict& verdict) {
  int gpus = 0;
  std::set<std::string> digests;
  for (const auto& node : nodes) {
    if (std::any_of(verdict.bad.begin(), verdict.bad.end(),
                    [&](const auto& b) { return b.host == node.host; }))
      continue;
    for (const auto& gpu : node.gpus)
      if (gpu.error.empty()) ++gpus, digests.insert(gpu.digest);
  }
  if (gpus == 0) return "";
  if (digests.size() > 1) return cat(", ", gpus, " GPUs compute ", digests.size(), " different products");
  return gpus == 1 ? ", 1 GPU computes" : cat(", ", gpus, " GPUs compute the same");
}

}  // namespace entrain::supervise
