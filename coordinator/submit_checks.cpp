#include "coordinator/submit_checks.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/process.hpp"
#include "coordinator/cli.hpp"
#include "coordinator/plan.hpp"
#include "coordinator/submit_equipment.hpp"
#include "coordinator/submit_jobs.hpp"
#include "coordinator/submit_refusal.hpp"
#include "coordinator/submit_start.hpp"
#include "sharding/corpus.hpp"
#include "sharding/value_window.hpp"
#include "slurm/submission.hpp"

namespace entrain::coordinator {
namespace {

namespace fs = std::filesystem;
using slurm::Finding;

constexpr std::int64_t kSamples = 32;

void append(std::vector<Finding>& out, std::vector<Finding> more) {
  for (auto& finding : more) out.push_back(std::move(finding));
}

std::string gigabytes(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, bytes < 1e10 ? "%.2f GB" : "%.0f GB", bytes / 1e9);
  return text;
}

// The corpus, or nothing and why.
std::optional<sharding::Corpus> open_corpus(const SubmitStage& stage, std::vector<Finding>& out) {
  try {
    const DataSection& data = stage.resolved.config.data;
    auto corpus = sharding::Corpus::open(data);
    sharding::value_window(data, corpus);
    std::vector<std::byte> image(static_cast<std::size_t>(corpus.shape().bytes()));
    const std::int64_t samples = std::min(kSamples, corpus.size());
    for (std::int64_t i = 0; i < samples; ++i) corpus.read(i * corpus.size() / samples, image.data());
    out.push_back(slurm::good(cat("data: ", corpus.size(), " images, ", samples, " of them read")));
    return corpus;
  } catch (const std::exception& e) {
    const Error error = error_of(e);
    out.push_back(slurm::failure(error.code(), cat("data: ", error.what())));
    return std::nullopt;
  }
}

double bytes_below(const std::string& folder) {
  double bytes = 0;
  std::error_code none;
  for (fs::recursive_directory_iterator at(folder, none), end; !none && at != end; at.increment(none))
    if (at->is_regular_file(none)) bytes += static_cast<double>(at->file_size(none));
  return bytes;
}

Finding disk_finding(const SubmitStage& stage, const Plan& plan) {
  fs::path folder = stage.run_dir;
  std::error_code none;
  while (!fs::exists(folder, none) && folder.has_parent_path() && folder != folder.parent_path())
    folder = folder.parent_path();
  const double runs = static_cast<double>(std::max<std::size_t>(stage.rows.size(), 1));
  const double wanted = runs * static_cast<double>(plan.disk_bytes + plan.metrics_bytes);
  const double there = bytes_below(stage.run_dir + "/checkpoints");
  const auto space = fs::space(folder, none);
  if (none) return slurm::warning(cat("disk: ", folder.string(), ": how much is free cannot be told"));
  const double free = static_cast<double>(space.available);
  const std::string both = cat("the kept checkpoints take ", gigabytes(wanted), ", ", folder.string(),
                               " has ", gigabytes(free), " free");
  if (wanted - there <= free) return slurm::good("disk: " + both);
  return slurm::failure(ExitCode::kPreflight,
                        cat("disk: ", both, "; free some, choose another run.dir, or lower checkpoint.keep"));
}

// A file that somebody has written into by hand, or that a disk has torn.
std::vector<Finding> torn_lists(const SubmitStage& stage) {
  std::vector<Finding> out;
  for (std::size_t i = 0; i < std::max<std::size_t>(stage.rows.size(), 1); ++i) {
    const std::string path =
        supervise::bad_nodes_path(stage.rows.empty() ? stage.run_dir : cat(stage.run_dir, "/row-", i));
    std::ifstream in(path);
    if (in && !nlohmann::json::parse(in, nullptr, false).is_array())
      out.push_back(slurm::warning(cat("bad nodes: ", path,
                                       ": is no list (JSON) and is passed over, so no "
                                       "node is excluded because of it; delete it")));
  }
  return out;
}

std::vector<Finding> bad_node_findings(const SubmitStage& stage) {
  std::vector<Finding> out = torn_lists(stage);
  std::string nodes;
  for (const auto& bad : bad_nodes_of(stage))
    nodes += cat(nodes.empty() ? "" : ", ", bad.node, " (", bad.why, "; job ", bad.job, ", ", bad.at, ')');
  if (nodes.empty()) return out;
  out.push_back(slurm::warning(cat(
      "bad nodes: ", nodes, ", excluded; delete ",
      supervise::bad_nodes_path(stage.run_dir + (stage.rows.empty() ? "" : "/row-*")), " to forget them")));
  return out;
}

std::vector<Finding> data_findings(const SubmitStage& stage, const SubmitStage* before) {
  std::vector<Finding> out;
  const RunConfig& config = stage.resolved.config;
  const auto corpus = open_corpus(stage, out);
  append(out, start_findings(stage, before));
  if (corpus) append(out, label_findings(stage, *corpus));
  if (stage.name != "pretrain" || !corpus) return out;
  try {
    PlanInput input;
    input.num_samples = corpus->size();
    input.image = corpus->shape();
    const Plan plan = make_plan(config, input);
    for (const auto& text : plan.warnings) out.push_back(slurm::warning("plan: " + text));
    out.push_back(disk_finding(stage, plan));
  } catch (const std::exception& e) {
    const Error error = error_of(e);
    out.push_back(slurm::failure(error.code(), error.what()));
  }
  return out;
}

}  // namespace

std::vector<Finding> submit_findings(const SubmitLine& line, const std::vector<slurm::JobScript>& jobs) {
  std::vector<Finding> out;
  const slurm::Site site = slurm::ask_site();
  const std::string worker = worker_program();
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const SubmitStage& stage = line.stages[i];
    auto mine = data_findings(stage, i > 0 ? &line.stages[i - 1] : nullptr);
    append(mine, equipment_findings(stage, worker));
    append(mine, bad_node_findings(stage));
    append(mine, slurm::site_findings(site, jobs[i].slurm, slurm::times_of(stage.run_dir),
                                      jobs[i].lead_seconds, line.rows.size()));
    if (site.silent.empty()) try {
        mine.push_back(slurm::good("sbatch: " + slurm::test_submission(slurm::job_script(jobs[i]))));
      } catch (const Error& e) {
        mine.push_back(slurm::failure(e.code(), refusal_text(e.what(), stage, jobs[i], site)));
      }
    for (auto& f : mine) {
      if (line.stages.size() > 1) f.text = cat(stage.name, ": ", f.text);
      out.push_back(std::move(f));
    }
  }
  return out;
}

void require_good(const std::vector<Finding>& findings) {
  std::set<std::string> told;  // stages share a cluster
  ExitCode code = ExitCode::kDone;
  int errors = 0;
  for (const auto& f : findings) {
    if (f.kind == Finding::Kind::kError && code == ExitCode::kDone) code = f.code;
    if (!told.insert(f.text).second) continue;
    errors += f.kind == Finding::Kind::kError;
    std::cout << (f.kind == Finding::Kind::kGood      ? "ok       "
                  : f.kind == Finding::Kind::kWarning ? "warning  "
                                                      : "error    ")
              << f.text << '\n';
  }
  std::cout.flush();
  if (code != ExitCode::kDone)
    throw Error(code, cat("nothing was submitted: ", errors, errors == 1 ? " check" : " checks",
                          " failed, see above"));
}

}  // namespace entrain::coordinator
