#include "coordinator/status/run_status.hpp"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "coordinator/status/gpu_totals.hpp"

namespace entrain::status {
namespace {

nlohmann::json or_null(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

std::optional<double> number_or_nothing(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

nlohmann::json json_of(const GpuTotals& t) {
  return {{"count", t.gpus},
          {"utilization", or_null(t.utilization)},
          {"hottest_celsius", or_null(t.hottest_celsius)},
          {"hottest_rank", t.hottest_rank},
          {"power_watts", or_null(t.power_watts)},
          {"energy_joules", or_null(t.energy_joules)},
          {"joules_per_1000_images", or_null(t.joules_per_1000_images)}};
}

using Curve = std::vector<std::pair<std::int64_t, double>>;

// JSON has no word for NaN; a curve has a gap there.
Curve finite(const Curve& curve) {
  Curve out;
  for (const auto& point : curve)
    if (std::isfinite(point.second)) out.push_back(point);
  return out;
}

}  // namespace

std::string name_of_run(const std::string& run_dir) {
  const auto path = std::filesystem::absolute(run_dir).lexically_normal();
  return path.has_filename() ? path.filename() : path.parent_path().filename();
}

bool is_at_work(const RunStatus& status) {
  return !has_ended(status) && status.state != "unknown" && status.state != "waiting";
}

bool has_commits(const RunStatus& status) {
  return status.committed > 0 || (status.stage != "finetune" && status.stage != "evaluate");
}

RunStatus settled(RunStatus status) {
  if (!has_ended(status)) return status;
  status.eta_seconds.reset();
  status.deadline_seconds.reset();
  for (RankStatus& r : status.ranks) {
    if (r.health != "dead") r.health = "ended";
    r.behind = r.beat.stopped = false;
    r.beat.seconds_in_phase = 0;
    r.beat.queue_depth = 0;
    r.beat.memory_bytes = 0;
    health::GpuLoad used;
    used.energy_joules = r.beat.gpu.energy_joules;
    r.beat.gpu = used;
  }
  return status;
}

void to_json(nlohmann::json& json, const RankStatus& r) {
  json = r.beat;
  json["host"] = r.host;
  json["health"] = r.health;
  json["behind"] = r.behind;
}

void from_json(const nlohmann::json& json, RankStatus& r) {
  json.get_to(r.beat);
  json.at("host").get_to(r.host);
  json.at("health").get_to(r.health);
  json.at("behind").get_to(r.behind);
}

void to_json(nlohmann::json& json, const CommitStatus& c) { json = {{"step", c.step}, {"time", c.time}}; }

void from_json(const nlohmann::json& json, CommitStatus& c) {
  json.at("step").get_to(c.step);
  json.at("time").get_to(c.time);
}

void to_json(nlohmann::json& json, const Event& e) {
  json = {{"time", e.time}, {"kind", e.kind}, {"text", e.text}};
}

void from_json(const nlohmann::json& json, Event& e) {
  json.at("time").get_to(e.time);
  json.at("kind").get_to(e.kind);
  json.at("text").get_to(e.text);
}

void to_json(nlohmann::json& json, const RunStatus& s) {
  json = {{"run_dir", s.run_dir},
          {"run_id", s.run_id},
          {"stage", s.stage},
          {"state", s.state},
          {"reason", s.reason},
          {"exit_code", s.exit_code},
          {"supervisor_host", s.supervisor_host},
          {"supervisor_pid", s.supervisor_pid},
          {"job_id", s.job_id},
          {"generation", s.generation},
          {"world", s.world},
          {"started", s.started},
          {"now", s.now},
          {"step", s.step},
          {"total_steps", s.total_steps},
          {"committed", s.committed},
          {"loss", or_null(s.loss)},
          {"views_per_second", or_null(s.views_per_second)},
          {"step_seconds", or_null(s.step_seconds)},
          {"eta_seconds", or_null(s.eta_seconds)},
          {"deadline_seconds", or_null(s.deadline_seconds)},
          {"goodput", or_null(s.goodput)},
          {"failures", s.failures},
          {"ranks", s.ranks},
          {"commits", s.commits},
          {"events", s.events},
          {"loss_curve", finite(s.loss_curve)},
          {"speed_curve", finite(s.speed_curve)}};
  if (const GpuTotals gpus = gpu_totals(s); gpus.gpus > 0) json["gpus"] = json_of(gpus);
}

void from_json(const nlohmann::json& json, RunStatus& s) {
  json.at("run_dir").get_to(s.run_dir);
  json.at("run_id").get_to(s.run_id);
  json.at("stage").get_to(s.stage);
  json.at("state").get_to(s.state);
  json.at("reason").get_to(s.reason);
  json.at("exit_code").get_to(s.exit_code);
  json.at("supervisor_host").get_to(s.supervisor_host);
  json.at("supervisor_pid").get_to(s.supervisor_pid);
  json.at("job_id").get_to(s.job_id);
  json.at("generation").get_to(s.generation);
  json.at("world").get_to(s.world);
  json.at("started").get_to(s.started);
  json.at("now").get_to(s.now);
  json.at("step").get_to(s.step);
  json.at("total_steps").get_to(s.total_steps);
  json.at("committed").get_to(s.committed);
  s.loss = number_or_nothing(json, "loss");
  s.views_per_second = number_or_nothing(json, "views_per_second");
  s.step_seconds = number_or_nothing(json, "step_seconds");
  s.eta_seconds = number_or_nothing(json, "eta_seconds");
  s.deadline_seconds = number_or_nothing(json, "deadline_seconds");
  s.goodput = number_or_nothing(json, "goodput");
  json.at("failures").get_to(s.failures);
  json.at("ranks").get_to(s.ranks);
  json.at("commits").get_to(s.commits);
  json.at("events").get_to(s.events);
  json.at("loss_curve").get_to(s.loss_curve);
  json.at("speed_curve").get_to(s.speed_curve);
  s = settled(std::move(s));
}

}  // namespace entrain::status
