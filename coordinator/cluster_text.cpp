#include <array>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

#include "configs/cat.hpp"
#include "configs/section.hpp"
#include "coordinator/cluster_gpus.hpp"
#include "coordinator/cluster_plan.hpp"
#include "coordinator/number_text.hpp"

namespace entrain::coordinator {
namespace {

std::string fixed(double value, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

// 12,345 or 12.3: three figures or all of the whole ones.
std::string figures(double value) {
  return value >= 100 ? grouped(static_cast<std::int64_t>(value + 0.5)) : fixed(value, value >= 10 ? 1 : 2);
}

// 480, 2.7: as it was given.
std::string plain(double value) {
  std::ostringstream out;
  out << std::setprecision(6) << value;
  return out.str();
}

std::string megabytes(double bytes) {
  return bytes >= 1e6   ? figures(bytes * 1e-6) + " MB"
         : bytes >= 1e3 ? figures(bytes * 1e-3) + " KB"
                        : fixed(bytes, 0) + " B";
}

std::string line(const std::string& name, const std::string& value, const std::string& remark) {
  std::string out = cat("  ", name, std::string(name.size() < 20 ? 20 - name.size() : 1, ' '), value);
  return cat(out, std::string(out.size() < 44 ? 44 - out.size() : 2, ' '), remark, '\n');
}

std::string speed_line(const ClusterPlan& plan, const Plan& run, const RunConfig& config) {
  const std::string value = cat(figures(plan.views_per_s), " views/s");
  if (plan.cluster.views_per_s > 0) return line("a GPU", value, "given (views_per_s)");
  const GpuKind& gpu = *find_gpu(plan.cluster.gpu);
  return line("a GPU", value,
              cat("assumed: ", gpu.name, ", ", fixed(gpu.peak_flops * 1e-12, 0), " TFLOP/s (bf16) x ",
                  figures(100 * gpu.utilisation), " %",
                  config.run.precision == "bf16" ? "" : cat(" / ", kFp32Slowdown, " (fp32)"), " / ",
                  figures(flops_per_view(run.macs_per_view) * 1e-9),
                  " GFLOP a view; better: views_per_s=N as measured"));
}

std::string link_line(const Cluster& c, const std::string& name, const std::string& prefix, double alpha,
                      double rate, const std::string& what) {
  const bool all = c.was_given(prefix + "alpha_us") && c.was_given(prefix + "beta_gbs");
  const bool some = c.was_given(prefix + "alpha_us") || c.was_given(prefix + "beta_gbs");
  return line(name, cat(plain(alpha * 1e6), " us, ", plain(rate * 1e-9), " GB/s"),
              cat(all    ? "given"
                  : some ? "partly assumed"
                         : "assumed",
                  " (", prefix, "alpha_us, ", prefix, "beta_gbs): ", what));
}

std::string assumptions(const ClusterPlan& plan, const Plan& run, const RunConfig& config) {
  const Cluster& c = plan.cluster;
  std::string out = speed_line(plan, run, config);
  out += link_line(c, "inside a node", "intra_", c.intra_alpha_s, c.intra_rate,
                   "a hop; bus bandwidth of its all-reduce");
  out += link_line(c, "between nodes", "", c.inter_alpha_s, c.inter_rate, "a hop; of one GPU's network card");
  out +=
      "  time of a collective: hops x latency + bytes / bandwidth, best of ring and tree and of NCCL's three "
      "protocols\n"
      "  strict adds up inside each node, then among nodes, and gathers the result; nothing of it is hidden\n"
      "  fast reduces in buckets of 1 and 25 MB behind the last lane's backward pass (2/3 of its time)\n";
  out += cat("  not counted: waiting for the slowest GPU, commits, and reading: a node must make ",
             figures(plan.views_per_s * static_cast<double>(c.gpus)), " views/s\n");
  return out;
}

std::string calls_text(const ClusterRow& row) {
  std::string out = cat("a step sends, ", row.fast ? "fast" : "strict", ", on ", row.ranks, " GPUs\n");
  for (const StepCall& call : row.calls)
    out += line(call.operation, cat(call.times, " x ", megabytes(call.bytes)), call.what);
  return out;
}

std::string table(const ClusterPlan& plan) {
  const bool priced = plan.cluster.price_per_gpu_hour > 0;
  const std::array<std::string, 10> head{"GPUs",         "numerics",   "images/s", "step ms",   "compute ms",
                                         "exposed comm", "efficiency", "hours",    "GPU hours", "cost"};
  const auto cells = [&](const std::array<std::string, 10>& texts) {
    std::ostringstream out;
    for (std::size_t i = 0; i < (priced ? 10U : 9U); ++i) out << std::setw(i == 0 ? 6 : 13) << texts[i];
    return out.str() + '\n';
  };
  std::string out = cells(head);
  for (const ClusterRow& r : plan.rows)
    out +=
        cells({grouped(r.ranks), r.fast ? "fast" : "strict", figures(r.images_per_s), figures(r.step_s * 1e3),
               figures(r.compute_s * 1e3), figures(r.exposed_s * 1e3), fixed(100 * r.efficiency, 1) + " %",
               figures(r.hours), figures(r.gpu_hours), figures(r.cost)});
  return out;
}

std::string numbers(const std::vector<std::int64_t>& values) {
  std::vector<std::string> texts;
  for (const auto value : values) texts.push_back(grouped(value));
  return join(texts);
}

}  // namespace

std::string cluster_text(const ClusterPlan& plan, const Plan& run, const RunConfig& config) {
  const Cluster& c = plan.cluster;
  std::string out =
      cat("\ncluster of ", grouped(c.nodes), " x ", c.gpus, " GPUs, predicted: ", grouped(run.total_steps),
          " steps of ", grouped(run.global_batch), " images; as configured: ", config.run.numerics, ", ",
          config.run.precision, '\n');
  out += assumptions(plan, run, config);
  if (!plan.rows.empty()) {
    const std::size_t last = plan.rows.size() - 1;
    out += calls_text(plan.rows[plan.rows[last].fast && config.run.numerics != "fast" ? last - 1 : last]);
    out += table(plan);
  }
  if (!plan.without_lanes.empty())
    out +=
        cat("  ", numbers(plan.without_lanes), " GPUs: more than lanes (", config.batch.lanes,
            "); with more, smaller lanes (batch.lanes=", plan.without_lanes.back(), ") they can be used\n");
  if (!plan.uneven.empty())
    out += cat("  ", numbers(plan.uneven), " GPUs: fast needs a number that divides the lanes (",
               config.batch.lanes, ")\n");
  return out;
}

nlohmann::ordered_json cluster_json(const ClusterPlan& plan) {
  const Cluster& c = plan.cluster;
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const ClusterRow& r : plan.rows) {
    nlohmann::ordered_json calls = nlohmann::ordered_json::array();
    for (const StepCall& call : r.calls)
      calls.push_back({{"operation", call.operation},
                       {"times", call.times},
                       {"bytes", call.bytes},
                       {"what", call.what},
                       {"among", call.among == Among::kNode     ? "node"
                                 : call.among == Among::kAcross ? "across nodes"
                                                                : "all"}});
    rows.push_back({{"gpus", r.ranks},
                    {"numerics", r.fast ? "fast" : "strict"},
                    {"images_per_s", r.images_per_s},
                    {"step_s", r.step_s},
                    {"compute_s", r.compute_s},
                    {"communication_s", r.communication_s},
                    {"exposed_s", r.exposed_s},
                    {"efficiency", r.efficiency},
                    {"hours", r.hours},
                    {"gpu_hours", r.gpu_hours},
                    {"calls", calls}});
    if (c.price_per_gpu_hour > 0) rows.back()["cost"] = r.cost;
  }
  return {{"nodes", c.nodes},
          {"gpus_per_node", c.gpus},
          {"views_per_s", plan.views_per_s},
          {"views_per_s_assumed", c.views_per_s <= 0},
          {"alpha_us", c.inter_alpha_s * 1e6},
          {"beta_gbs", c.inter_rate * 1e-9},
          {"intra_alpha_us", c.intra_alpha_s * 1e6},
          {"intra_beta_gbs", c.intra_rate * 1e-9},
          {"given", c.given},
          {"rows", rows},
          {"more_than_lanes", plan.without_lanes},
          {"uneven_for_fast", plan.uneven}};
}

}  // namespace entrain::coordinator
