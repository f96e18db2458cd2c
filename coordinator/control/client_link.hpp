#pragma once
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "coordinator/control/awake_clock.hpp"
#include "coordinator/control/client.hpp"
#include "coordinator/control/connection.hpp"
#include "coordinator/control/messages.hpp"
#include "coordinator/control/node_beat.hpp"

namespace entrain::control {

/// What the client's thread does. Shared with the thread, which may be stuck in a file system when the client ends.
class ControlClient::Link : public std::enable_shared_from_this<ControlClient::Link> {
 public:
  Link(ClientOptions options, const ProgressBoard& board);

  void run();
  // From other threads.
  void end();
  bool wait_until_ended(std::chrono::milliseconds patience) {
    return ended_.wait_for(patience) == std::future_status::ready;
  }
  std::future<void> bye(int code, const std::string& reason);

 private:
  enum class State { kApart, kConnecting, kConnected, kGreeted, kLeased, kFenced };

  void wait_for_tick();
  void tick();
  void attempt();
  void on_connected(const boost::system::error_code& error, const std::string& token, std::uint64_t run_id);
  void on_frame(const Frame& frame, const std::string& token);
  void on_challenge(const Challenge& challenge, const std::string& token);
  void on_lease(const Lease& lease);
  void on_fence(const Fence& fence);
  void on_ended(const Ended& ended);
  void part(const std::string& why);
  void send(const Message& message);
  void send_news(double seconds);
  void stop_all(const std::string& reason);

  const ClientOptions options_;
  const ProgressBoard board_;
  NodeBeats beats_;
  boost::asio::io_context io_;
  boost::asio::steady_timer timer_{io_};
  std::optional<Connection::Socket> connecting_;
  std::shared_ptr<Connection> connection_;
  State state_ = State::kApart;
  AwakeClock clock_;
  double retry_in_ = 0, pause_, attempt_age_ = 0, without_supervisor_ = 0, beat_in_ = 0;  // seconds
  std::chrono::steady_clock::time_point fenced_at_{};
  std::int64_t committed_told_ = -1;
  bool loss_told_ = false, orphan_told_ = false;
  std::optional<Bye> bye_;
  bool bye_sent_ = false;
  std::promise<void> bye_done_, ended_promise_;
  std::future<void> ended_ = ended_promise_.get_future();
  std::atomic<bool> ending_{false};
  std::minstd_rand jitter_;
};

}  // namespace entrain::control
