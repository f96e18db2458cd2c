#include <algorithm>
#include <array>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

#include "configs/cat.hpp"
#include "coordinator/number_text.hpp"
#include "coordinator/plan.hpp"

namespace entrain::coordinator {
namespace {

std::string fixed(double value, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

std::string bytes_text(std::int64_t bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return cat(fixed(value, unit == 0 || value >= 100 ? 0 : 1), ' ', kUnits[unit]);
}

std::string span(std::int64_t low, std::int64_t high) {
  return low == high ? grouped(low) : cat(grouped(low), '-', grouped(high));
}

std::string row(const std::string& name, const std::string& value, const std::string& remark = "") {
  std::string line = cat("  ", name, std::string(name.size() < 20 ? 20 - name.size() : 1, ' '), value);
  if (!remark.empty()) line += cat(std::string(line.size() < 40 ? 40 - line.size() : 2, ' '), remark);
  return line + '\n';
}

std::string rank_table(const Plan& plan) {
  const std::array<std::string, 8> head{"ranks",   "lanes",     "images",      "busy",
                                        "weights", "gradients", "activations", "all"};
  const auto line = [](const std::array<std::string, 8>& cells) {
    std::ostringstream out;
    out << ' ';
    for (std::size_t i = 0; i < cells.size(); ++i) out << std::setw(i == 0 || i == 3 ? 7 : 13) << cells[i];
    return out.str() + '\n';
  };
  std::string out =
      "per rank (memory is an estimate; weights with optimiser state, activations with images read ahead, "
      "all with the snapshot)\n" +
      line(head);
  for (const RankPlan& r : plan.ranks) {
    const bool power_of_two = (r.ranks & (r.ranks - 1)) == 0;
    if (r.ranks > 8 && !power_of_two) continue;
    out += line({grouped(r.ranks), span(r.lanes_min, r.lanes_max), span(r.images_min, r.images_max),
                 fixed(100 * r.busy, 0) + " %", bytes_text(r.weight_bytes + r.optimizer_bytes),
                 bytes_text(r.gradient_bytes), bytes_text(r.activation_bytes + r.data_bytes),
                 bytes_text(r.memory_bytes())});
  }
  if (plan.ranks.size() > 8)
    out += cat("  any number up to ", plan.ranks.size(), " will do; --json lists them all\n");
  return out;
}

// Only where several images are decoded together.
std::string order_rows(const sharding::SlabSummary& s) {
  if (s.slabs == 0) return "";
  std::string out = "\norder\n";
  out += row("slabs", grouped(s.slabs),
             cat("up to ", grouped(s.rows), " images each, decoded together, ", bytes_text(s.bytes)));
  if (s.open == 0)
    return out + row("order", "full", "one permutation: an image costs the decoding of its slab");
  out += row("order", "windows",
             cat(grouped(s.open), " slabs are mixed at a time, over all lanes; each is decoded once"));
  return out + row("slab memory", bytes_text(s.open * s.bytes),
                   "decoded, over all ranks; up to twice that for a moment");
}

}  // namespace

std::string plan_text(const Plan& plan, const ResolvedConfig& config) {
  const RunConfig& c = config.config;
  const auto& image = plan.input.image;
  std::string out = "corpus\n";
  out += row("images", grouped(plan.input.num_samples), plan.input.corpus);
  if (!plan.input.assumed)
    out +=
        row("each",
            cat(image.width, " x ", image.height, " x ", image.channels, ' ', sharding::name_of(image.type)),
            bytes_text(static_cast<std::int64_t>(image.bytes())));
  if (!plan.input.digest.empty()) out += row("digest", plan.input.digest.substr(0, 16));
  out += "\nbatch\n";
  out += row("global batch", grouped(plan.global_batch),
             cat(c.batch.lanes, " lanes x ", c.batch.lane_images, " images, on any number of ranks"));
  out += row("negatives", grouped(plan.negatives), "per anchor, from all ranks");
  out += order_rows(plan.input.slabs);
  out += "\nlength\n";
  out += row("steps", grouped(plan.total_steps),
             cat(fixed(plan.epochs, 1), " epochs of ", fixed(plan.steps_per_epoch, 1), " steps"));
  out += row("views", grouped(plan.total_steps * plan.views_per_step),
             cat(grouped(plan.views_per_step), " per step, ", c.views.crop_pixels, " px"));
  out += row("learning rate", fixed(plan.peak_lr, 6),
             cat(c.optim.name, ", ", c.schedule.name, ", ", grouped(plan.warmup_steps), " steps of warm-up"));
  out += plan.seconds ? row("time", duration_text(*plan.seconds),
                            cat("at ", fixed(plan.input.views_per_second, 1), " views/s over all ranks"))
                      : row("time", "unknown",
                            "give --throughput VIEWS_PER_S (views_per_s of a few steps in metrics.jsonl)");
  out += "\nnetwork\n";
  out += row("encoder", grouped(plan.encoder_parameters),
             cat("parameters; ", c.model.name, ", ", image.channels, " channel",
                 image.channels == 1 ? "" : "s", plan.input.assumed ? " (assumed)" : ""));
  out += row("projection head", grouped(plan.head_parameters), "parameters");
  out += row("forward", cat(fixed(static_cast<double>(plan.macs_per_view) * 1e-9, 3), " GMAC"),
             "per view; backward twice that");
  out += "\n" + rank_table(plan) + "\ndisk\n";
  out += row("checkpoint", bytes_text(plan.checkpoint_bytes));
  out += row(c.checkpoint.keep_every.empty() ? "at most" : "at least", bytes_text(plan.disk_bytes),
             cat(c.checkpoint.keep + c.checkpoint.keep_best, " kept",
                 c.checkpoint.keep_every.empty() ? "" : cat(", one every ", c.checkpoint.keep_every),
                 " and one being written, in ", c.run.dir.empty() ? "run.dir" : c.run.dir));
  out += row("snapshot", bytes_text(plan.checkpoint_bytes),
             "of memory, shared out over the ranks: commits are written while training goes on");
  out += row("metrics", bytes_text(plan.metrics_bytes));
  if (plan.ledger_bytes) out += row("ledger", bytes_text(*plan.ledger_bytes));
  out += row("commits", plan.commits ? grouped(*plan.commits) : "unknown",
             c.checkpoint.every == "auto" ? "as often as their cost and the run's failures make best"
                                          : cat("one every ", c.checkpoint.every, ", and at the end"));
  for (const auto& warning : plan.warnings) out += cat("\nwarning: ", warning);
  return plan.warnings.empty() ? out : out + '\n';
}

nlohmann::ordered_json order_json(const sharding::SlabSummary& s) {
  return {{"windows", s.open > 0}, {"slabs", s.slabs},     {"slab_images", s.rows},
          {"slab_bytes", s.bytes}, {"open_slabs", s.open}, {"open_bytes", s.open * s.bytes}};
}

std::string plan_json(const Plan& plan, const ResolvedConfig& config) {
  nlohmann::ordered_json ranks = nlohmann::ordered_json::array();
  for (const RankPlan& r : plan.ranks)
    ranks.push_back({{"ranks", r.ranks},
                     {"lanes", {r.lanes_min, r.lanes_max}},
                     {"images", {r.images_min, r.images_max}},
                     {"busy", r.busy},
                     {"weight_bytes", r.weight_bytes},
                     {"gradient_bytes", r.gradient_bytes},
                     {"optimizer_bytes", r.optimizer_bytes},
                     {"activation_bytes", r.activation_bytes},
                     {"data_bytes", r.data_bytes},
                     {"snapshot_bytes", r.snapshot_bytes},
                     {"program_bytes", r.program_bytes},
                     {"memory_bytes", r.memory_bytes()}});
  const auto& image = plan.input.image;
  nlohmann::ordered_json out{{"images", plan.input.num_samples},
                             {"image",
                              {{"width", image.width},
                               {"height", image.height},
                               {"channels", image.channels},
                               {"type", sharding::name_of(image.type)},
                               {"assumed", plan.input.assumed}}},
                             {"corpus_digest", plan.input.digest},
                             {"order", order_json(plan.input.slabs)},
                             {"global_batch", plan.global_batch},
                             {"lanes", config.config.batch.lanes},
                             {"negatives_per_anchor", plan.negatives},
                             {"steps", plan.total_steps},
                             {"steps_per_epoch", plan.steps_per_epoch},
                             {"epochs", plan.epochs},
                             {"warmup_steps", plan.warmup_steps},
                             {"peak_lr", plan.peak_lr},
                             {"encoder_parameters", plan.encoder_parameters},
                             {"head_parameters", plan.head_parameters},
                             {"macs_per_view", plan.macs_per_view},
                             {"checkpoint_bytes", plan.checkpoint_bytes},
                             {"disk_bytes", plan.disk_bytes},
                             {"commits", nullptr},
                             {"ledger_bytes", nullptr},
                             {"seconds", nullptr},
                             {"per_rank", ranks},
                             {"warnings", plan.warnings}};
  if (plan.commits) out["commits"] = *plan.commits;
  if (plan.ledger_bytes) out["ledger_bytes"] = *plan.ledger_bytes;
  if (plan.seconds) out["seconds"] = *plan.seconds;
  return out.dump(2) + "\n";
}

}  // namespace entrain::coordinator
