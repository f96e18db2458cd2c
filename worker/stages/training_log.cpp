#include "worker/stages/training_log.hpp"

#include <utility>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"

namespace entrain::worker {

TrainingLog::TrainingLog(const Stage& stage, std::int64_t first_step, std::int64_t total_steps,
                         std::int64_t views_per_step)
    : total_steps_(total_steps), views_per_step_(views_per_step), step_(first_step), first_step_(first_step) {
  if (!stage.leads()) return;
  metrics_.emplace(stage.config().run.dir + "/metrics.jsonl", first_step > 0 ? first_step : -1);
  progress_.emplace(first_step, total_steps);
}

void TrainingLog::begin_step(std::int64_t step) {
  set_log_step(step);
  step_began_ = seconds();
}

void TrainingLog::end_step(const StepMetrics& m) {
  set_log_step(m.step);
  step_ = m.step;
  if (!metrics_) return;
  const double took = step_seconds();
  const double views_per_s = static_cast<double>(views_per_step_) / took;
  write_metrics({{"step", m.step},
                 {"time", seconds()},
                 {"loss", m.loss},
                 {"contrastive_accuracy", m.contrastive_accuracy},
                 {"lr", m.lr},
                 {"grad_norm", m.gradient_norm},
                 {"step_s", took},
                 {"views_per_s", views_per_s},
                 {"data_wait_s", m.data.waited - data_.waited},
                 {"data_read_s", m.data.read - data_.read},
                 {"data_render_s", m.data.render - data_.render},
                 {"data_idle_s", m.data.idle - data_.idle},
                 {"commit_stall_s", m.commit_stall_seconds},
                 {"committing", m.committing}});
  data_ = m.data;
  progress_->update(m.step, m.loss, views_per_step_);
}

// Metrics are for people: a disk that is full does not end training (commits say what that means for them).
void TrainingLog::write_metrics(const nlohmann::json& line) {
  try {
    metrics_->append(line);
    told_lost_ = false;
  } catch (const CheckpointError& e) {
    if (!std::exchange(told_lost_, true))
      log(Level::kWarning, cat(e.what(), "; training goes on, the metrics of these steps are lost"));
  }
}

void TrainingLog::stopped(std::string_view why) {
  if (progress_) progress_->finish();
  log(Level::kInfo, cat("stopped by ", why, " and committed after step ", step_, " of ", total_steps_,
                        "; the same command goes on from there (exit 75)"));
}

void TrainingLog::finished() {
  if (step_ == first_step_) {
    log(Level::kInfo, cat("done already: all ", total_steps_, " steps are committed"));
    return;
  }
  if (progress_) progress_->finish();
  log(Level::kInfo,
      cat("done: ", step_ - first_step_, " steps in ", static_cast<std::int64_t>(seconds()), " s"));
}

}  // namespace entrain::worker
