#include "configs/progress.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/log.hpp"

namespace entrain {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr int kBarWidth = 24;

double seconds(std::chrono::steady_clock::duration d) { return std::chrono::duration<double>(d).count(); }

std::string fixed(double value, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

}  // namespace

Progress::Progress(std::int64_t first_step, std::int64_t total_steps, std::chrono::milliseconds interval)
    : first_(first_step),
      total_(total_steps),
      interval_(interval),
      bar_(log_is_terminal()),
      step_(first_step) {
  if (bar_) draw_bar();
}

Progress::~Progress() {
  if (bar_) set_status_line("");
}

void Progress::update(std::int64_t finished_steps, double loss, std::int64_t views) {
  const auto now = Clock::now();
  const double took = std::max(seconds(now - last_update_), 1e-9);
  const auto steps = static_cast<double>(std::max<std::int64_t>(finished_steps - step_, 1));
  // A plain mean at first, then an exponential one: a pause for a commit neither vanishes nor lasts.
  const double weight =
      std::max(1.0 / static_cast<double>(std::max<std::int64_t>(finished_steps - first_, 1)), 0.05);
  seconds_per_step_ += weight * (took / steps - seconds_per_step_);
  views_per_second_ = static_cast<double>(views) / steps / seconds_per_step_;
  step_ = finished_steps;
  views_ += views;
  loss_ = loss;
  last_update_ = now;
  if (now - last_shown_ < (bar_ ? kRedraw : interval_)) return;
  last_shown_ = now;
  if (bar_)
    draw_bar();
  else
    log(Level::kInfo, numbers());
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  if (bar_) set_status_line("");
  const double took = std::max(seconds(Clock::now() - start_), 1e-9);
  log(Level::kInfo, cat("step ", step_, '/', total_, ", ", fixed(static_cast<double>(views_) / took, 1),
                        " views/s on average, loss ", fixed(loss_, 4), ", took ", duration_text(took)));
}

std::string Progress::numbers() const {
  const double left = seconds_per_step_ * static_cast<double>(std::max<std::int64_t>(total_ - step_, 0));
  return cat(
      "step ", step_, '/', total_, " (",
      fixed(100.0 * static_cast<double>(step_) / static_cast<double>(std::max<std::int64_t>(total_, 1)), 1),
      " %), ", fixed(views_per_second_, 1), " views/s, loss ", fixed(loss_, 4), ", ",
      step_ > first_ ? duration_text(left) : "?", " left");
}

void Progress::draw_bar() const {
  const auto filled = static_cast<std::size_t>(
      total_ > 0 ? std::clamp<double>(kBarWidth * static_cast<double>(step_) / static_cast<double>(total_), 0,
                                      kBarWidth)
                 : 0);
  set_status_line(cat('[', std::string(filled, '#'), std::string(kBarWidth - filled, '-'), "] ", numbers()));
}

}  // namespace entrain
