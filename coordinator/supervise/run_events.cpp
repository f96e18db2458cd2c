#include "coordinator/supervise/run_events.hpp"

#include <algorithm>
#include <fstream>
#include <limits>

#include "configs/log.hpp"
#include "coordinator/status/run_files.hpp"
#include "coordinator/status/utc_time.hpp"

namespace entrain::supervise {
RunEvents::RunEvents(const std::string& run_dir) {
  const std::string path = run_dir + "/events.jsonl";
  std::ifstream in(path, std::ios::binary);
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) continue;
    keep({status::text_of(json, "time"), status::text_of(json, "kind"), status::text_of(json, "text")});
  }
  file_.emplace(path, std::numeric_limits<std::int64_t>::max());
}

// Failures in a row since the last commit; a run that was stopped or ended begins to count anew.
void RunEvents::keep(status::Event event) {
  if (event.kind == "launch" && first_launch_.empty()) first_launch_ = event.time;
  if (event.kind == "launch" && !last_end_.empty()) {
    idle_seconds_ += std::max(0.0, status::seconds_between(last_end_, event.time).value_or(0));
    last_end_.clear();
  }
  if (event.kind == "end") last_end_ = event.time;
  if (event.kind == "exit") ++past_.failures, ++past_.cycles;
  if (event.kind == "commit" || event.kind == "end") past_.cycles = 0;
  newest_.push_back(std::move(event));
  if (newest_.size() > status::kMostEvents) newest_.erase(newest_.begin());
}

void RunEvents::add(const std::string& kind, const std::string& text) {
  const status::Event event{utc_now(), kind, text};
  try {
    file_->append({{"time", event.time}, {"kind", kind}, {"text", text}});
  } catch (const std::exception& e) {
    log(Level::kWarning, e.what());  // a full disk does not end the supervision
  }
  keep(event);
}

}  // namespace entrain::supervise
