#pragma once
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "coordinator/control/frame.hpp"

namespace entrain::control {

struct ConnectionLimits {
  double frame_seconds = 5;                         ///< for a frame that has begun to be whole
  double finish_seconds = 5;                        ///< for the other side to close, once we have finished
  double silence_seconds = 60;                      ///< without a frame
  std::size_t queued_bytes = std::size_t{2} << 20;  ///< not yet taken by the other side
};

/// How a connection ended.
struct Ended {
  std::string why{};
  bool refused = false;  ///< by us: the other side broke the rules
};

/// Frames over one socket. Lives in the one thread that runs the socket's io_context; kept alive by its own pending
/// operations, so an owner lets go of it with detach().
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  struct Events {
    std::function<void(const Frame&)> frame;
    std::function<void(const Ended&)> ended;  ///< once, never from within another call
  };

  Connection(Socket socket, std::uint64_t run_id, std::string key_in, std::string key_out,
             ConnectionLimits limits);
  void start(Events events);
  void set_key_in(std::string key) { reader_.set_key(std::move(key)); }
  void set_key_out(std::string key) { writer_.set_key(std::move(key)); }
  /// Queued; nothing once the connection has ended or finish() was called.
  void send(Type type, std::uint32_t generation, std::string_view payload);
  /// Sends what is queued, tells the other side that nothing follows, and ends when that closes, too. Frames that
  /// still arrive are not looked at.
  void finish();
  void refuse(const std::string& why) { end({why, true}); }
  void close(const std::string& why) { end({why, false}); }
  /// No events from now on; closes.
  void detach();
  /// Several times a second, with the seconds since the last call: what lasts too long is ended.
  void pass_time(double seconds);
  bool ended() const { return ended_; }
  const std::string& peer() const { return peer_; }

 private:
  void end(Ended ended);
  void read();
  void on_read(const boost::system::error_code& error, std::size_t size);
  void take_frames();
  void write();
  void on_written(const boost::system::error_code& error);

  Socket socket_;
  std::string peer_;
  FrameReader reader_;
  FrameWriter writer_;
  const ConnectionLimits limits_;
  Events events_;
  std::array<char, 4096> chunk_{};
  std::deque<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  double frame_age_ = 0, finish_age_ = 0, silence_ = 0;  // seconds
  bool ended_ = false, finishing_ = false;
};

}  // namespace entrain::control
