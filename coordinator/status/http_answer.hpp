#pragma once
#include <string>
#include <string_view>

#include "coordinator/status/run_status.hpp"

namespace entrain::status {

/// What a request asked for, as far as an answer depends on it.
struct Question {
  std::string_view method;         ///< GET, HEAD, ...
  std::string_view target;         ///< /status?token=...
  std::string_view authorization;  ///< the header of that name
};

struct Answer {
  int code = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body{};
  bool events = false;  ///< instead of a body: the status whenever it changes
};

/// A document and its texts, each made at most once and only when somebody asks.
class Published {
 public:
  void publish(RunStatus status);
  const RunStatus& status() const { return status_; }
  const std::string& json() const;
  const std::string& metrics() const;
  /// Grows when something else than the clock (`now`) has changed.
  std::uint64_t version() const;

 private:
  RunStatus status_;
  mutable std::string json_, metrics_, timeless_;
  mutable std::uint64_t version_ = 0;
  mutable bool compared_ = false;
};

/// `token`: what everything but /healthz asks for; `where`: what a 401 says about where it is found.
Answer answer(const Question& question, const Published& published, std::string_view token,
              std::string_view where);

}  // namespace entrain::status
