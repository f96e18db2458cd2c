#include "coordinator/supervise/node_verdict.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "configs/cat.hpp"
#include "coordinator/supervise/gpu_verdict.hpp"

namespace entrain::supervise {
namespace {

constexpr double kSlow = 1.0 / 3;  // of what most nodes have
constexpr double kSkewSeconds = 1;

std::string number(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string rate_text(double megabytes_per_s) {
  return megabytes_per_s >= 1000 ? number("%.1f GB/s", megabytes_per_s / 1000)
                                 : number(megabytes_per_s < 10 ? "%.1f MB/s" : "%.0f MB/s", megabytes_per_s);
}

std::string milliseconds(double seconds) { return number("%.0f ms", std::ceil(1e3 * seconds)); }

double best_link(const NodeProbe& node) {
  double best = 0;
  for (const auto& [to, rate] : node.links) best = std::max(best, rate);
  return best;
}

double inside(const NodeProbe& node) { return node.inside_megabytes_per_s; }

// What more than half of the nodes reach: of an even number the lower median, so that of two nodes none is the measure of
// the other. 0: none has such a rate.
double reached_by_most(const std::vector<NodeProbe>& nodes, double (*rate)(const NodeProbe&)) {
  std::vector<double> rates;
  for (const auto& node : nodes)
    if (rate(node) > 0) rates.push_back(rate(node));
  if (rates.empty()) return 0;
  std::sort(rates.begin(), rates.end());
  return rates[(rates.size() - 1) / 2];
}

bool is_bad(const std::vector<BadNode>& bad, const std::string& host) {
  return std::any_of(bad.begin(), bad.end(), [&](const BadNode& b) { return b.host == host; });
}

std::string slow_links(const NodeProbe& node, double usual) {
  std::string text;
  for (const auto& [to, rate] : node.links)
    text += cat(text.empty() ? "" : ", ", rate_text(rate), " to ", to);
  return cat("its links are slow: ", text, "; most nodes have ", rate_text(usual));
}

void warn_of_links(const std::vector<NodeProbe>& nodes, double usual, NodeVerdict& verdict) {
  for (const auto& node : nodes)
    for (const auto& [to, rate] : node.links)
      if (node.host < to && rate < kSlow * usual && !is_bad(verdict.bad, node.host) &&
          !is_bad(verdict.bad, to))
        verdict.warnings.push_back(cat("the link between ", node.host, " and ", to, " has ", rate_text(rate),
                                       ", most nodes have ", rate_text(usual),
                                       "; both have better ones, so both stay"));
}

double usual_clock(const std::vector<NodeProbe>& nodes) {
  std::vector<double> skews;
  for (const auto& node : nodes) skews.push_back(node.skew_seconds);
  std::sort(skews.begin(), skews.end());
  return skews.empty() ? 0 : skews[(skews.size() - 1) / 2];
}

void warn_of_node(const NodeProbe& node, double clock, double usual_inside, NodeVerdict& verdict) {
  const double ahead = node.skew_seconds - clock;
  if (std::abs(ahead) > kSkewSeconds)
    verdict.warnings.push_back(
        cat("the clock of ", node.host, " is ", number("%.1f s ", std::abs(ahead)),
            ahead > 0 ? "ahead of" : "behind",
            " the others; the run does not depend on it, but times in logs and of files do not compare"));
  if (inside(node) > 0 && inside(node) < kSlow * usual_inside)
    verdict.warnings.push_back(cat("the ranks on ", node.host, " exchange ", rate_text(inside(node)),
                                   " with each other, those of most nodes ", rate_text(usual_inside)));
}

}  // namespace

NodeVerdict judge(const std::vector<NodeProbe>& nodes) {
  NodeVerdict verdict;
  const double usual = reached_by_most(nodes, best_link), usual_inside = reached_by_most(nodes, inside);
  verdict.no_folder = !nodes.empty() && std::all_of(nodes.begin(), nodes.end(), [](const NodeProbe& n) {
    return !n.write_error.empty();
  });
  for (const auto& node : nodes) {
    if (!node.write_error.empty() && !verdict.no_folder)
      verdict.bad.push_back({node.host, "it cannot use the run's folder: " + node.write_error});
    else if (!node.links.empty() && best_link(node) < kSlow * usual)
      verdict.bad.push_back({node.host, slow_links(node, usual), true});
  }
  const NodeVerdict gpus = judge_gpus(nodes);
  for (const auto& node : gpus.bad)
    if (!is_bad(verdict.bad, node.host)) verdict.bad.push_back(node);
  verdict.warnings = gpus.warnings;
  warn_of_links(nodes, usual, verdict);
  for (const auto& node : nodes)
    if (!is_bad(verdict.bad, node.host)) warn_of_node(node, usual_clock(nodes), usual_inside, verdict);
  return verdict;
}

NodeVerdict confirmed(const NodeVerdict& first, NodeVerdict second) {
  std::erase_if(second.bad, [&](const BadNode& b) { return b.slow && !is_bad(first.bad, b.host); });
  return second;
}

std::string summary(const std::vector<NodeProbe>& nodes, const NodeVerdict& verdict) {
  double write = 0, link = 0, between_ranks = 0, ahead = 0, behind = 0;
  const auto slowest = [](double& worst, double rate) {
    if (rate > 0 && (worst == 0 || rate < worst)) worst = rate;
  };
  for (const auto& node : nodes) {
    if (is_bad(verdict.bad, node.host)) continue;
    write = std::max(write, node.write_seconds);
    ahead = std::max(ahead, node.skew_seconds), behind = std::min(behind, node.skew_seconds);
    slowest(between_ranks, inside(node));
    for (const auto& [to, rate] : node.links)
      if (!is_bad(verdict.bad, to)) slowest(link, rate);
  }
  std::string text = cat("1 MiB written and read back in ", milliseconds(write), " at worst");
  if (link > 0) text += cat(", links ", rate_text(link), " at worst");
  if (between_ranks > 0) text += cat(", inside a node ", rate_text(between_ranks), " at worst");
  if (nodes.size() > 1) text += cat(", clocks within ", milliseconds(ahead - behind));
  return text + gpu_summary(nodes, verdict);
}

}  // namespace entrain::supervise
