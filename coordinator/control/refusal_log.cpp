#include "coordinator/control/refusal_log.hpp"

#include "configs/cat.hpp"
#include "configs/log.hpp"

namespace entrain::control {

void RefusalLog::note(const std::string& text) {
  ++refused_;
  if (quiet_for_ > 0)
    ++held_back_;
  else
    tell(text);
}

void RefusalLog::pass_time(double seconds) {
  quiet_for_ -= seconds;
  if (quiet_for_ > 0 || held_back_ == 0) return;
  const auto count = held_back_;
  held_back_ = 0;
  tell(cat(count, " more"));
}

void RefusalLog::tell(const std::string& text) {
  log(Level::kWarning, cat("control: refused: ", text));
  ++lines_;
  quiet_for_ = 1;
}

}  // namespace entrain::control
