#include "coordinator/control/connection.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "configs/cat.hpp"

namespace entrain::control {
namespace {

using boost::system::error_code;

constexpr int kUnacknowledgedMs =
    10000;  // a host that vanished sends no reset: its silence must end the connection

std::string describe(const Connection::Socket& socket) {
  error_code error;
  const auto peer = socket.remote_endpoint(error);
  return error ? "somebody who has left" : cat(peer.address().to_string(), ":", peer.port());
}

}  // namespace

Connection::Connection(Socket socket, std::uint64_t run_id, std::string key_in, std::string key_out,
                       ConnectionLimits limits)
    : socket_(std::move(socket)),
      peer_(describe(socket_)),
      reader_(run_id, std::move(key_in)),
      writer_(run_id, std::move(key_out)),
      limits_(limits) {
  error_code ignored;
  socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  // A launcher started by this process must not keep the connection open after this process has died.
  ::fcntl(socket_.native_handle(), F_SETFD, FD_CLOEXEC);
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMs,
               sizeof kUnacknowledgedMs);
}

void Connection::start(Events events) {
  events_ = std::move(events);
  read();
}

void Connection::send(Type type, std::uint32_t generation, std::string_view payload) {
  if (ended_ || finishing_) return;
  queue_.push_back(writer_.write(type, generation, payload));
  queued_bytes_ += queue_.back().size();
  if (queued_bytes_ > limits_.queued_bytes)
    refuse(
        cat("does not read: ", queued_bytes_, " bytes wait for it, at most ", limits_.queued_bytes, " may"));
  else if (queue_.size() == 1)
    write();
}

void Connection::finish() {
  if (ended_ || std::exchange(finishing_, true) || !queue_.empty()) return;
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void Connection::detach() {
  events_ = {};
  close("detached");
}

void Connection::end(Ended ended) {
  if (std::exchange(ended_, true)) return;
  error_code ignored;
  socket_.close(ignored);
  boost::asio::post(socket_.get_executor(), [self = shared_from_this(), ended = std::move(ended)] {
    const Events events = std::exchange(self->events_, {});
    if (events.ended) events.ended(ended);
  });
}

void Connection::pass_time(double seconds) {
  if (ended_) return;
  frame_age_ = reader_.in_frame() ? frame_age_ + seconds : 0;
  finish_age_ += finishing_ ? seconds : 0;
  silence_ += seconds;
  if (finish_age_ > limits_.finish_seconds)
    close("does not close");
  else if (!finishing_ && frame_age_ > limits_.frame_seconds)
    refuse(cat("began a frame and did not end it within ", limits_.frame_seconds, " s"));
  else if (!finishing_ && silence_ > limits_.silence_seconds)
    close(cat("silent for ", limits_.silence_seconds, " s"));
}

void Connection::read() {
  socket_.async_read_some(
      boost::asio::buffer(chunk_),
      [self = shared_from_this()](const error_code& error, std::size_t size) { self->on_read(error, size); });
}

void Connection::on_read(const error_code& error, std::size_t size) {
  if (ended_) return;
  if (error)
    return close(error == boost::asio::error::eof ? "the other side closed the connection" : error.message());
  // A socket that is closed with bytes unread resets the connection, and our last frame is lost on its way: so what
  // comes after finish() is read, too.
  if (!finishing_) {
    reader_.add({chunk_.data(), size});
    take_frames();
  }
  if (!ended_) read();
}

void Connection::take_frames() {
  while (const auto frame = reader_.next()) {
    frame_age_ = silence_ = 0;
    events_.frame(*frame);
    if (ended_ || finishing_) return;
  }
  if (!reader_.refusal().empty()) refuse(reader_.refusal());
}

void Connection::write() {
  boost::asio::async_write(
      socket_, boost::asio::buffer(queue_.front()),
      [self = shared_from_this()](const error_code& error, std::size_t) { self->on_written(error); });
}

void Connection::on_written(const error_code& error) {
  if (ended_) return;
  if (error) return close(error.message());
  queued_bytes_ -= queue_.front().size();
  queue_.pop_front();
  if (!queue_.empty()) return write();
  if (!finishing_) return;
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

}  // namespace entrain::control
