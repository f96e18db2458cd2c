#include <charconv>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/cli.hpp"
#include "coordinator/cluster_plan.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/plan.hpp"
#include "coordinator/simulate_run.hpp"
#include "sharding/batch_classes.hpp"
#include "sharding/corpus.hpp"
#include "sharding/order_choice.hpp"
#include "sharding/sample_plan.hpp"
#include "sharding/value_window.hpp"

namespace entrain::coordinator {
namespace {

const std::vector<CliOption> kOptions{
    {"--samples", "N", "plans for N images without opening any file"},
    {"--throughput", "VIEWS_PER_S", "tells how long it will take, at this speed of all ranks together"},
    {"--simulate", "FAULTS.yaml", "plays the run with such failures, many times, on a virtual clock"},
    {"--cluster", "nodes=N,gpus=N,...", "predicts step time, efficiency and cost on so many GPUs"}};

double number_option(const CommandLine& line, const std::string& name, double most) {
  const auto found = line.options.find(name);
  if (found == line.options.end()) return 0;
  const std::string& text = found->second;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0) || value > most)
    throw ConfigError(
        cat("entrain plan: ", name, ": want a number above 0 and at most ", most, ", got \"", text, '"'));
  return value;
}

std::string describe(const sharding::Corpus& corpus, const DataSection& data) {
  std::string out = cat("in ", data.files.size(), data.files.size() == 1 ? " path" : " paths");
  if (corpus.has_labels()) out += cat(", ", corpus.class_names().size(), " classes");
  if (corpus.has_groups()) out += ", with patients";
  if (corpus.has_splits()) out += ", with splits";
  if (corpus.has_sites()) out += ", with sites";
  if (corpus.num_skipped() > 0) out += cat(", ", corpus.num_skipped(), " unreadable rows left out");
  return out;
}

// Pretraining would refuse, so the plan does. Equal images of different groups are not looked for: that reads them all.
void require_batches(const BatchSection& batch, std::uint64_t seed, const sharding::Corpus& corpus) {
  if (batch.same_group != "forbid") return;
  std::vector<std::uint64_t> all_different(static_cast<std::size_t>(corpus.size()));
  std::iota(all_different.begin(), all_different.end(), std::uint64_t{0});
  const sharding::SamplePlan made(sharding::PlanSettings{corpus.size(), batch.lanes * batch.lane_images, seed,
                                                         sharding::batch_classes(corpus, all_different)});
}

PlanInput input_of(const CommandLine& line) {
  const RunConfig& config = line.config.config;
  PlanInput input;
  input.views_per_second = number_option(line, "--throughput", 1e15);
  input.num_samples = std::llround(number_option(line, "--samples", 1e15));
  if (input.num_samples > 0) {
    input.assumed = true;
    input.corpus = "assumed (--samples)";
    const std::int64_t side = config.views.crop_pixels;
    input.image = {side, side, config.views.preset == "xray" ? 1 : 3, sharding::ElementType::kU8};
    return input;
  }
  const auto corpus = sharding::Corpus::open(config.data);
  require_batches(config.batch, config.run.seed, corpus);
  sharding::value_window(config.data, corpus);  // refuses values that need a window chosen by somebody
  input.num_samples = corpus.size();
  input.image = corpus.shape();
  input.digest = corpus.digest();
  input.corpus = describe(corpus, config.data);
  const auto order = sharding::choose_order(corpus, config.data.order, config.batch.same_group,
                                            config.batch.lanes * config.batch.lane_images);
  input.slabs = sharding::summary_of(corpus, order);
  input.order_warnings = sharding::order_warnings(corpus, order, config.data, config.batch.same_group);
  return input;
}

}  // namespace

int plan_command(const std::vector<std::string>& args) {
  const CommandLine line = parse_config_command("plan", args, kOptions);
  if (line.answer) {
    std::cout << *line.answer;
    return 0;
  }
  const auto wanted = line.options.find("--cluster");
  const auto cluster =
      wanted == line.options.end() ? std::nullopt : std::optional(parse_cluster(wanted->second));
  const auto faults = line.options.find("--simulate");
  const auto request =
      faults == line.options.end() ? std::nullopt : std::optional(read_simulation(faults->second));
  const Plan plan = make_plan(line.config.config, input_of(line));
  // Before anything is printed: it may refuse.
  const auto simulation =
      request ? std::optional(simulate_plan(plan, line.config.config, *request)) : std::nullopt;
  if (line.json) {
    auto json = nlohmann::ordered_json::parse(plan_json(plan, line.config));
    if (cluster) json["cluster"] = cluster_json(plan_cluster(line.config.config, plan, *cluster));
    if (simulation) json["simulation"] = simulation_json(*simulation);
    std::cout << json.dump(2) << '\n';
    return 0;
  }
  std::cout << plan_text(plan, line.config);
  if (cluster)
    std::cout << cluster_text(plan_cluster(line.config.config, plan, *cluster), plan, line.config.config);
  if (simulation) std::cout << simulation_text(*simulation);
  return 0;
}

}  // namespace entrain::coordinator
