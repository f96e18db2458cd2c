#include "coordinator/status/metrics.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "configs/section.hpp"
#include "coordinator/status/gpu_totals.hpp"
#include "coordinator/status/utc_time.hpp"

namespace entrain::status {
namespace {

constexpr std::array<std::string_view, 6> kStates{"starting",   "training", "stopping",
                                                  "recovering", "ended",    "unknown"};
constexpr std::array<std::string_view, 4> kHealths{"alive", "suspect", "dead", "ended"};

using Label = std::pair<std::string_view, std::string_view>;

// A label value: any UTF-8, with \, " and newline escaped. What is not UTF-8 is shown as \xe9.
std::string escaped(std::string_view value) {
  std::string out;
  const std::string text = is_utf8(value) ? std::string(value) : printable(value);
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

class Text {
 public:
  explicit Text(const RunStatus& s)
      : common_("run_id=\"" + escaped(s.run_id) + "\",stage=\"" + escaped(s.stage) + '"') {}

  // The samples that follow are of this name.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = "entrain_" + std::string(name);
    ((((out_ += "# HELP ") += name_) += ' ') += help) += '\n';
    ((((out_ += "# TYPE ") += name_) += ' ') += type) += '\n';
  }
  void sample(double value, std::initializer_list<Label> labels = {}) {
    ((out_ += name_) += '{') += common_;
    for (const auto& [label, text] : labels) (((out_ += ',') += label) += "=\"") += escaped(text) + '"';
    ((out_ += "} ") += number(value)) += '\n';
  }
  void gauge(std::string_view name, std::string_view help, double value) {
    family(name, "gauge", help);
    sample(value);
  }
  void gauge(std::string_view name, std::string_view help, const std::optional<double>& value) {
    if (value) gauge(name, help, *value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string common_, name_, out_;
};

void add_run(Text& text, const RunStatus& s) {
  const bool up = s.state == "starting" || s.state == "training" || s.state == "stopping";
  text.gauge("up", "1 while ranks start, train or stop in order; 0 while recovering and once ended.",
             up ? 1 : 0);
  text.family("state", "gauge", "1 for the state that the run is in, 0 for the others.");
  for (const auto state : kStates) text.sample(s.state == state ? 1 : 0, {{"state", state}});
  text.family("run_info", "gauge", "Always 1; its labels say where the supervisor is.");
  text.sample(1, {{"host", s.supervisor_host}, {"job_id", s.job_id}});
  const auto count = [](auto value) { return static_cast<double>(value); };
  text.gauge("generation", "Launches of the ranks so far.", count(s.generation));
  text.gauge("ranks", "Ranks of this generation.", count(s.world));
  // Of a stage that has none, a zero would be an alarm.
  const bool steps = has_commits(s) || s.step > 0 || s.total_steps > 0;
  if (steps)
    text.gauge("step", "Finished steps; falls back to the last commit when the run recovers.", count(s.step));
  if (steps) text.gauge("steps_planned", "Steps of the whole run.", count(s.total_steps));
  if (has_commits(s))
    text.gauge("committed_step", "Newest step that a resume would begin with.", count(s.committed));
  if (!s.commits.empty())
    if (const auto when = parse_utc(s.commits.back().time))
      text.gauge("last_commit_timestamp_seconds", "When the newest commit was made, since 1970.",
                 count(*when));
  text.gauge("loss", "Loss of the newest step.", s.loss);
  text.gauge("views_per_second", "Augmented views trained per second, all ranks together.",
             s.views_per_second);
  text.gauge("step_duration_seconds", "Time of one step.", s.step_seconds);
  text.gauge("goodput_ratio", "Share of the time since the first launch spent on steps that still count.",
             s.goodput);
  text.family("failures_total", "counter", "Generations that ended in a failure.");
  text.sample(count(s.failures));
  text.gauge("eta_seconds", "Time to the last step at the present speed.", s.eta_seconds);
  text.gauge("deadline_seconds", "Time to the end of the batch job.", s.deadline_seconds);
  if (s.exit_code >= 0) text.gauge("exit_code", "How the run ended; 0: done.", count(s.exit_code));
}

template <typename Value>
void add_ranks(Text& text, const RunStatus& s, std::string_view name, std::string_view type,
               std::string_view help, Value value) {
  text.family(name, type, help);
  for (const RankStatus& r : s.ranks)
    text.sample(static_cast<double>(value(r)), {{"rank", std::to_string(r.beat.rank)}});
}

void add_all_ranks(Text& text, const RunStatus& s) {
  add_ranks(text, s, "rank_step", "gauge", "Finished steps of a rank.",
            [](const RankStatus& r) { return r.beat.step; });
  text.family("rank_phase_seconds", "gauge", "Time that a rank has been in the phase it is in.");
  for (const RankStatus& r : s.ranks)
    text.sample(r.beat.seconds_in_phase,
                {{"rank", std::to_string(r.beat.rank)}, {"phase", control::name_of(r.beat.phase)}});
  add_ranks(text, s, "rank_collectives_total", "counter",
            "Collectives that a rank has entered in this generation.",
            [](const RankStatus& r) { return r.beat.collectives; });
  add_ranks(text, s, "rank_memory_bytes", "gauge", "Resident memory of a rank.",
            [](const RankStatus& r) { return r.beat.memory_bytes; });
  add_ranks(text, s, "rank_step_duration_seconds", "gauge", "Time of a rank's last finished step.",
            [](const RankStatus& r) { return r.beat.step_seconds; });
  add_ranks(text, s, "rank_batches_ahead", "gauge", "Global batches that a rank has read ahead.",
            [](const RankStatus& r) { return r.beat.queue_depth; });
  add_ranks(text, s, "rank_behind", "gauge", "1 where the others wait for this rank.",
            [](const RankStatus& r) { return r.behind ? 1 : 0; });
  text.family("rank_health", "gauge",
              "1 for the health that the failure detector sees, ended once the run is, 0 for the others.");
  for (const RankStatus& r : s.ranks)
    for (const auto health : kHealths)
      text.sample(r.health == health ? 1 : 0,
                  {{"rank", std::to_string(r.beat.rank)}, {"host", r.host}, {"health", health}});
}

// Of the ranks that tell it; nothing where none does.
void add_gpus(Text& text, const RunStatus& s, std::string_view name, std::string_view type,
              std::string_view help, std::optional<double> health::GpuLoad::*value) {
  bool begun = false;
  for (const RankStatus& r : s.ranks) {
    if (!(r.beat.gpu.*value)) continue;
    if (!std::exchange(begun, true)) text.family(name, type, help);
    text.sample(*(r.beat.gpu.*value), {{"rank", std::to_string(r.beat.rank)}});
  }
}

void add_all_gpus(Text& text, const RunStatus& s) {
  using health::GpuLoad;
  add_gpus(text, s, "gpu_utilization_ratio", "gauge",
           "Share of the last moments in which a rank's GPU computed.", &GpuLoad::utilization);
  add_gpus(text, s, "gpu_memory_used_bytes", "gauge", "Memory of a rank's GPU in use.",
           &GpuLoad::memory_bytes);
  add_gpus(text, s, "gpu_temperature_celsius", "gauge", "Temperature of a rank's GPU.",
           &GpuLoad::temperature_celsius);
  add_gpus(text, s, "gpu_power_watts", "gauge", "Power that a rank's GPU draws.", &GpuLoad::power_watts);
  add_gpus(text, s, "energy_joules_total", "counter", "Energy that a rank's GPU used in this generation.",
           &GpuLoad::energy_joules);
  text.gauge("energy_per_thousand_images_joules", "At the power and speed of now, all GPUs together.",
             gpu_totals(s).joules_per_1000_images);
}

}  // namespace

std::string metrics_text(const RunStatus& status) {
  Text text(status);
  add_run(text, status);
  if (!status.ranks.empty()) add_all_ranks(text, status);
  add_all_gpus(text, status);
  return text.take();
}

}  // namespace entrain::status
