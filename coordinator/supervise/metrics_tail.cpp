#include "coordinator/supervise/metrics_tail.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "coordinator/status/run_files.hpp"

namespace entrain::supervise {
namespace {

constexpr double kNew = 0.1;  // weight of the newest step in a smoothed number

constexpr double kStall = 3;  // of a step that took longer than so many usual ones, the rest was waiting

double smoothed(double before, double now) { return before == 0 ? now : before + kNew * (now - before); }

void thin(std::vector<std::pair<std::int64_t, double>>& curve, std::int64_t every) {
  std::erase_if(curve, [every](const auto& point) { return point.first % every != 0; });
}

}  // namespace

void MetricsTail::forget() {
  offset_ = 0, step_ = 0, loss_.reset(), step_seconds_ = views_per_second_ = seconds_ = 0, every_ = 1;
  losses_.clear(), speeds_.clear(), rest_.clear();
}

void MetricsTail::read() {
  struct stat file {};
  if (::stat(path_.c_str(), &file) != 0 || !S_ISREG(file.st_mode)) return;
  if (static_cast<std::uint64_t>(file.st_size) < offset_ || file.st_ino != inode_) forget();
  inode_ = file.st_ino;
  if (static_cast<std::uint64_t>(file.st_size) == offset_) return;
  std::ifstream in(path_, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(offset_));
  std::string text(static_cast<std::size_t>(file.st_size) - offset_, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  offset_ += text.size();
  rest_ += text;
  std::size_t at = 0;
  for (std::size_t end; (end = rest_.find('\n', at)) != std::string::npos; at = end + 1)
    take(rest_.substr(at, end - at));
  rest_.erase(0, at);
}

void MetricsTail::take(const std::string& line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) return;
  const auto number = [&](const char* key) { return status::number_of(json, key).value_or(0); };
  const auto step = static_cast<std::int64_t>(number("step"));
  if (step <= step_) return;
  step_ = step;
  loss_ = status::number_of(json, "loss");
  step_seconds_ =
      smoothed(step_seconds_,
               std::min(number("step_s"), kStall * (step_seconds_ > 0 ? step_seconds_ : number("step_s"))));
  views_per_second_ = smoothed(views_per_second_, number("views_per_s"));
  seconds_ += std::min(number("step_s"), kStall * step_seconds_);
  if (step % every_ != 0) return;
  if (loss_) losses_.emplace_back(step, *loss_);
  if (number("views_per_s") > 0) speeds_.emplace_back(step, number("views_per_s"));
  if (std::max(losses_.size(), speeds_.size()) <= status::kCurvePoints) return;
  every_ *= 2;
  thin(losses_, every_);
  thin(speeds_, every_);
}

void MetricsTail::fill(status::RunStatus& status) const {
  if (step_ == 0) return;
  status.loss_curve = losses_;
  status.speed_curve = speeds_;
  if (status.state == "starting" || status.state == "recovering") return;
  status.step = std::max(status.step, step_);
  status.loss = loss_;
  if (step_seconds_ == 0) return;
  status.step_seconds = step_seconds_;
  if (views_per_second_ > 0) status.views_per_second = views_per_second_;
  if (status.total_steps > status.step)
    status.eta_seconds = step_seconds_ * static_cast<double>(status.total_steps - status.step);
}

}  // namespace entrain::supervise
