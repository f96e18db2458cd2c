#pragma once
#include <sys/resource.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "coordinator/control/server.hpp"
#include "tests/coordinator/control/raw_peer.hpp"

namespace entrain::tests {

/// Polls until it is true, for at most `seconds`.
inline bool eventually(const std::function<bool()>& condition, double seconds = 20) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

/// A ControlServer in a thread of its own, on a port of its own, and what it told.
class ServerThread {
 public:
  struct Told {
    std::vector<control::Hello> hellos{};
    std::vector<control::NodeId> ids{};
    std::vector<control::NodeBeat> beats{};
    std::vector<std::int64_t> commits{};
    std::vector<control::Bye> byes{};
    std::vector<std::string> gone{};
  };

  explicit ServerThread(std::uint32_t generation = 1, control::ServerLimits limits = {},
                        const std::string& token = kToken) {
    handler_.hello = [this](control::NodeId id, const control::Hello& hello) {
      const std::lock_guard lock(mutex_);
      told_.hellos.push_back(hello);
      told_.ids.push_back(id);
      return answer;
    };
    handler_.beat = [this](control::NodeId, const control::NodeBeat& beat) {
      ++num_beats;
      const std::lock_guard lock(mutex_);
      if (keep_beats) told_.beats.push_back(beat);
    };
    handler_.committed = [this](control::NodeId, std::int64_t step) {
      const std::lock_guard lock(mutex_);
      told_.commits.push_back(step);
    };
    handler_.bye = [this](control::NodeId, const control::Bye& bye) {
      const std::lock_guard lock(mutex_);
      told_.byes.push_back(bye);
    };
    handler_.gone = [this](control::NodeId, const std::string& why) {
      const std::lock_guard lock(mutex_);
      told_.gone.push_back(why);
    };
    server_.emplace(io_, "127.0.0.1", std::uint16_t{0}, token, kRunId, generation, handler_, limits);
    port_ = server_->port();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~ServerThread() {
    if (!thread_.joinable()) return;
    io_.stop();
    thread_.join();
  }
  ServerThread(const ServerThread&) = delete;
  ServerThread& operator=(const ServerThread&) = delete;

  std::uint16_t port() const { return port_; }
  Told told() const {
    const std::lock_guard lock(mutex_);
    return told_;
  }
  /// Calls it in the server's thread and waits.
  void with(const std::function<void(control::ControlServer&)>& call) {
    std::promise<void> done;
    boost::asio::post(io_, [&] {
      call(*server_);
      done.set_value();
    });
    done.get_future().wait();
  }
  std::uint64_t refused() {
    std::uint64_t count = 0;
    with([&](control::ControlServer& server) { count = server.refusals().refused(); });
    return count;
  }
  double cpu_seconds() {
    rusage used{};
    with([&](control::ControlServer&) { ::getrusage(RUSAGE_THREAD, &used); });
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
  }

  std::variant<control::Lease, control::Refuse> answer =
      control::Lease{1, 8, {}};  ///< set before anybody connects
  bool keep_beats = true;
  std::atomic<std::uint64_t> num_beats{0};

 private:
  boost::asio::io_context io_;
  control::ServerHandler handler_;
  mutable std::mutex mutex_;
  Told told_;
  std::optional<control::ControlServer> server_;  // gone before io_
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace entrain::tests
