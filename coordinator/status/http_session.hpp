#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "coordinator/status/http_answer.hpp"
#include "coordinator/status/http_server.hpp"

namespace entrain::status {

/// What the connections of one server share.
struct HttpShared {
  HttpSettings settings;
  Published published;
  std::string page_policy;
  std::size_t event_streams = 0;
};

/// One connection: request after request, or, after GET /events, the status until the client leaves. Lives as long as
/// an operation is pending.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(boost::asio::ip::tcp::socket socket, std::shared_ptr<HttpShared> shared);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  using Clock = std::chrono::steady_clock;
  /// In the order in which they make room for others. kIdle: a request, or the end, has still to come.
  enum class Doing { kIdle, kAnswering, kFollowing, kGone };
  Doing doing() const { return doing_; }
  /// When it began to do so.
  Clock::time_point since() const { return since_; }

  void read();
  /// A new document was published.
  void wake();
  void close();

 private:
  using ErrorCode = boost::beast::error_code;

  void become(Doing doing);
  void on_request(ErrorCode error);
  Answer answer_request() const;
  void send(const Answer& answer, bool keep_alive, bool head);
  void follow(const Answer& answer);
  void send_event(std::string text);
  void on_event_sent(ErrorCode error);
  void watch_for_the_end();
  void leave();
  void wait();

  boost::beast::tcp_stream stream_;
  std::shared_ptr<HttpShared> shared_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::empty_body>> parser_;
  boost::beast::http::response<boost::beast::http::string_body> response_;

  Doing doing_ = Doing::kIdle;
  Clock::time_point since_ = Clock::now();
  bool answered_ = false, writing_ = false;
  boost::asio::steady_timer timer_;
  Clock::time_point last_event_{}, last_sent_{};
  std::uint64_t told_version_ = 0;
  std::string event_;
  char ignored_[4096] = {};
};

}  // namespace entrain::status
