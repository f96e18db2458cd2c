#include "coordinator/status/from_files.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/process.hpp"
#include "coordinator/exit_file.hpp"
#include "coordinator/status/from_ledger.hpp"
#include "coordinator/status/run_files.hpp"
#include "coordinator/status/utc_time.hpp"

namespace entrain::status {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kFreshSeconds = 30;  // a supervisor writes status.json every five
constexpr double kSetupSeconds = 900;       // from taking the lock to the first step
constexpr std::size_t kLastSteps = 20;

bool holds_a_run(const std::string& run_dir) {
  std::error_code none;
  const auto there = [&](const char* name) { return fs::exists(run_dir + "/" + name, none); };
  return there("status.json") || there("ledger.jsonl") || there("metrics.jsonl") || there("exit.json") ||
         there("run.lock") || there("events.jsonl") || there("control.json") ||
         there("config.resolved.yaml") || there("checkpoints");
}

// Who holds run.lock, as far as it can be told from this machine.
struct Holder {
  enum class Life { kNobody, kGone, kLives, kElsewhere } life = Life::kNobody;
  std::string who;  ///< "process 4242 on node7"
};

Holder holder_of(const std::string& run_dir) {
  const nlohmann::json lock = json_file(run_dir + "/run.lock");
  const std::string host = text_of(lock, "host");
  const std::int64_t pid = integer_of(lock, "pid", 0);
  if (host.empty() || pid <= 0) return {};
  Holder holder{Holder::Life::kElsewhere, cat("process ", pid, " on ", host)};
  if (host == host_name())
    holder.life =
        process_lives(pid, integer_of(lock, "start_ticks", -1)) ? Holder::Life::kLives : Holder::Life::kGone;
  return holder;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

// Steps, loss, speeds and curves from metrics.jsonl.
void add_metrics(RunStatus& s, const std::string& run_dir) {
  std::vector<double> seconds, speeds;
  double all_seconds = 0;
  const auto lines = json_lines(run_dir + "/metrics.jsonl", kCurvePoints, kLastSteps);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::int64_t step = integer_of(lines[i], "step", -1);
    if (step < 0) continue;
    s.step = step;
    const bool recent = i + kLastSteps >= lines.size();
    if (const auto loss = number_of(lines[i], "loss")) s.loss_curve.emplace_back(step, *loss), s.loss = loss;
    if (const auto speed = number_of(lines[i], "views_per_s")) {
      s.speed_curve.emplace_back(step, *speed);
      if (recent) speeds.push_back(*speed);
    }
    if (const auto took = number_of(lines[i], "step_s")) {
      all_seconds += *took;
      if (recent) seconds.push_back(*took);
    }
  }
  if (!speeds.empty()) s.views_per_second = median(speeds);
  if (seconds.empty()) return;
  s.step_seconds = median(seconds);
  // Steps that were undone are cut off metrics.jsonl.
  const double worth = all_seconds / static_cast<double>(lines.size()) * static_cast<double>(s.step);
  const auto from = parse_utc(s.started);
  const double since =
      from ? written_at(run_dir + "/metrics.jsonl").value_or(0) - static_cast<double>(*from) : 0;
  if (since > 0) s.goodput = std::clamp(worth / since, 0.0, 1.0);
}

void add_events(RunStatus& s, const std::string& run_dir) {
  std::vector<Event> events;
  for (const auto& line : json_lines(run_dir + "/events.jsonl", kMostEvents, kMostEvents))
    events.push_back({text_of(line, "time"), text_of(line, "kind"), text_of(line, "text")});
  if (!events.empty()) s.events = std::move(events);
}

// Runs of earlier versions tell their length in the manifests alone.
std::int64_t total_steps_of(const std::string& run_dir) {
  std::string newest;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(run_dir + "/checkpoints", none))
    if (const std::string name = entry.path().filename(); name.starts_with("step-"))
      newest = std::max(newest, name);
  return integer_of(json_file(run_dir + "/checkpoints/" + newest + "/manifest.json"), "total_steps", 0);
}

// exit.json has no date: it is of this generation if it was written after its start.
void add_exit(RunStatus& s, const std::string& run_dir, const LedgerView& ledger) {
  const std::string path = run_dir + "/exit.json";
  const auto end = coordinator::read_exit(run_dir);
  const auto written = written_at(path);
  const auto start = parse_utc(ledger.last_start);
  if (!end || end->code < 0 || !written || (start && *written < static_cast<double>(*start))) return;
  s.state = "ended";
  s.exit_code = end->code;
  s.reason = end->reason;
}

std::optional<double> age_of(const std::string& path, const std::string& now) {
  const auto written = written_at(path);
  const auto seconds = parse_utc(now);
  if (!written || !seconds) return std::nullopt;
  return std::max(0.0, static_cast<double>(*seconds) - *written);
}

// How long nothing may be written before nobody is believed to be at work, in seconds.
double patience_of(const RunStatus& s) { return std::max(120.0, 10 * s.step_seconds.value_or(0)); }

// A run that no supervisor watches: who holds the lock, and when the last step was written.
void judge(RunStatus& s, const std::string& run_dir) {
  const Holder holder = holder_of(run_dir);
  const auto age = age_of(run_dir + "/metrics.jsonl", s.now);
  const std::string heard = age && s.step > 0 ? cat("; last step ", duration_text(*age), " ago") : "";
  const auto held = age_of(run_dir + "/run.lock", s.now);
  const bool believed = (age && *age <= patience_of(s)) || (held && *held <= kSetupSeconds);
  if (holder.life == Holder::Life::kLives || (holder.life == Holder::Life::kElsewhere && believed)) {
    s.state = s.step > 0 ? "training" : "starting";
    s.exit_code = -1;
    s.reason = cat("no supervisor; ", holder.who, " holds the run", heard);
    if (s.step_seconds && s.total_steps > 0)
      s.eta_seconds =
          *s.step_seconds * static_cast<double>(std::max<std::int64_t>(0, s.total_steps - s.step));
    return;
  }
  if (s.state == "ended") return;
  s.state = "unknown";
  s.reason = holder.life == Holder::Life::kElsewhere
                 ? cat("nothing new from ", holder.who, heard)
                 : cat("its ranks are gone without a word",
                       holder.life == Holder::Life::kGone ? cat(" (", holder.who, ")") : "", heard);
}

RunStatus without_supervisor(const std::string& run_dir, const std::string& now, const LedgerView& ledger) {
  RunStatus s = ledger.status;
  s.run_dir = run_dir;
  s.run_id = name_of_run(run_dir);
  s.now = now;
  if (ledger.last_start.empty()) s.state = "unknown";
  if (s.stage.empty()) s.stage = text_of(json_file(run_dir + "/metrics.json"), "stage");
  s.step = s.committed;
  add_metrics(s, run_dir);
  add_events(s, run_dir);
  if (s.total_steps == 0 && s.committed > 0) s.total_steps = total_steps_of(run_dir);
  if (!ledger.ended) add_exit(s, run_dir, ledger);
  judge(s, run_dir);
  if (!ledger.broken.empty()) s.events.push_back({now, "bad", ledger.broken});
  return s;
}

// A later start may have come to an end before its supervisor: its job's script says so in exit.json.
bool ended_again(RunStatus& s, const std::string& run_dir) {
  const auto wrote = parse_utc(s.now);
  const auto written = written_at(run_dir + "/exit.json");
  const auto end = coordinator::read_exit(run_dir);
  constexpr double kSame = 3;  // a supervisor writes both when it ends
  if (s.state != "ended" || !wrote || !written || !end || end->code < 0 ||
      *written < static_cast<double>(*wrote) + kSame)
    return false;
  s.exit_code = end->code;
  s.reason = end->reason;
  return true;
}

std::string supervisor_text(const RunStatus& s, bool gone, bool here) {
  return cat("its supervisor (process ", s.supervisor_pid, " on ", s.supervisor_host,
             gone   ? ") is gone"
             : here ? ") lives and is silent"
                    : ") is silent");
}

// A supervisor that wrote status.json and does not answer: by the age of what it wrote, and whether it lives.
void judge_supervisor(RunStatus& s, const std::string& now) {
  if (s.state == "ended") return;
  const double age = seconds_between(s.now, now).value_or(1e9);
  const bool here = s.supervisor_host == host_name();
  const bool gone = here && s.supervisor_pid > 0 && !process_lives(s.supervisor_pid);
  if (!gone && age <= kFreshSeconds) return;
  s.reason = cat(supervisor_text(s, gone, here), "; last heard ",
                 age < 1e8 ? duration_text(age) + " ago" : "long ago", ", ", s.state);
  s.state = "unknown";
  s.now = now;  // all ages are from now
  s.eta_seconds.reset();
  s.deadline_seconds.reset();
  for (RankStatus& r : s.ranks) {
    if (r.health != "dead") r.health = "unknown";
    r.behind = false;
  }
}

}  // namespace

std::optional<RunStatus> status_from_files(const std::string& run_dir, const std::string& now) {
  if (!holds_a_run(run_dir)) return std::nullopt;
  const LedgerView ledger = view_ledger(run_dir);
  auto told = status_of(json_file(run_dir + "/status.json"));
  if (!told) return without_supervisor(run_dir, now, ledger);
  // A start well behind it is of a run without supervisor.
  const auto written = parse_utc(told->now), started = parse_utc(ledger.last_start);
  if (written && started && *started > *written + kFreshSeconds)
    return without_supervisor(run_dir, now, ledger);
  if (ended_again(*told, run_dir)) return told;
  judge_supervisor(*told, now);
  if (told->state != "unknown") return told;
  // Ranks outlive their supervisor for a while, and may come to an end without it.
  RunStatus later = without_supervisor(run_dir, now, ledger);
  if (later.state == "ended") return later;
  const auto age = age_of(run_dir + "/metrics.jsonl", now);
  if (later.state != "training" || !age || *age > patience_of(later)) return told;
  later.reason = cat(told->reason.substr(0, told->reason.find(';')), ", its ranks go on; last step ",
                     duration_text(*age), " ago");
  return later;
}

}  // namespace entrain::status
