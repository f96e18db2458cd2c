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
  std::size_t connections = 0, event_streams = 0;
};

/// One connection: request after request, or, after GET /events, the status until the client leaves. Lives as long as
/// an operation is pending.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(boost::asio::ip::tcp::socket socket, std::shared_ptr<HttpShared> shared);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  void read();
  /// A new document was published.
  void wake();
  void close();

 private:
  using Clock = std::chrono::steady_clock;
  using ErrorCode = boost::beast::error_code;

  void on_request(ErrorCode error);
  Answer answer_request() const;
  void send(const Answer& answer, bool keep_alive, bool head);
  void follow(const Answer& answer);
  void send_event(std::string text);
  void on_event_sent(ErrorCode error);
  void watch_for_the_end();
  void wait();

  boost::beast::tcp_stream stream_;
  std::shared_ptr<HttpShared> shared_;
  const bool busy_;  // one connection too many: every answer is 503
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::empty_body>> parser_;
  boost::beast::http::response<boost::beast::http::string_body> response_;

  bool following_ = false, writing_ = false;
  boost::asio::steady_timer timer_;
  Clock::time_point last_event_{}, last_sent_{};
  std::uint64_t told_version_ = 0;
  std::string event_;
  char ignored_[64] = {};
};

}  // namespace entrain::status
