#include "coordinator/status/http_session.hpp"

#include <algorithm>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <utility>

namespace entrain::status {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::uint32_t kHeaderLimit = 8192;

std::string_view view_of(beast::string_view text) { return {text.data(), text.size()}; }

bool has_body(const http::request_parser<http::empty_body>& parser) {
  return parser.chunked() || parser.content_length().value_or(0) > 0;
}

// The answer to what is no request that can be read; nothing: the client left or was too slow.
std::optional<Answer> answer_to(beast::error_code error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return Answer{.code = 431, .body = "A request of at most 8 KiB, please.\n"};
  if (error.category() == http::make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message)
    return Answer{.code = 400, .body = "This is not HTTP/1.1.\n"};
  return std::nullopt;
}

}  // namespace

HttpSession::HttpSession(asio::ip::tcp::socket socket, std::shared_ptr<HttpShared> shared)
    : stream_(std::move(socket)),
      shared_(std::move(shared)),
      busy_(shared_->connections >= shared_->settings.max_connections),
      buffer_(2 * kHeaderLimit),
      timer_(stream_.get_executor()) {
  ++shared_->connections;
}

HttpSession::~HttpSession() {
  --shared_->connections;
  if (following_) --shared_->event_streams;
}

void HttpSession::close() {
  ErrorCode ignored;
  timer_.cancel(ignored);
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  stream_.close();
}

void HttpSession::read() {
  parser_.emplace();
  parser_->header_limit(kHeaderLimit);
  stream_.expires_after(shared_->settings.patience);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](ErrorCode e, std::size_t) { self->on_request(e); });
}

void HttpSession::on_request(ErrorCode error) {
  if (error) {
    const auto answer = answer_to(error);
    return answer ? send(*answer, false, false) : close();
  }
  const auto& request = parser_->get();
  const bool head = request.method() == http::verb::head;
  if (has_body(*parser_))
    return send({.code = 413, .body = "A request without a body, please.\n"}, false, head);
  const Answer answer = answer_request();
  if (answer.events && !head) return follow(answer);
  send(answer, request.keep_alive() && !busy_, head);
}

Answer HttpSession::answer_request() const {
  if (busy_) return {.code = 503, .body = "Too many connections; try again in a moment.\n"};
  const auto& request = parser_->get();
  const auto& settings = shared_->settings;
  Answer answer = status::answer({view_of(request.method_string()), view_of(request.target()),
                                  view_of(request[http::field::authorization])},
                                 shared_->published, settings.token, settings.where);
  if (answer.events && shared_->event_streams >= settings.max_event_streams)
    return {.code = 503, .body = "Too many follow /events already; ask /status every few seconds.\n"};
  return answer;
}

void HttpSession::send(const Answer& answer, bool keep_alive, bool head) {
  response_ = {static_cast<http::status>(answer.code), 11};
  response_.set(http::field::content_type, answer.type);
  response_.set(http::field::cache_control, "no-store");
  response_.set("X-Content-Type-Options", "nosniff");
  response_.set("Referrer-Policy", "no-referrer");
  response_.set("Content-Security-Policy", shared_->page_policy);
  if (answer.code == 401) response_.set(http::field::www_authenticate, "Bearer realm=\"entrain\"");
  if (answer.code == 405) response_.set(http::field::allow, "GET, HEAD");
  if (answer.code == 503) response_.set(http::field::retry_after, "2");
  response_.keep_alive(keep_alive);
  if (!answer.events) response_.content_length(answer.body.size());
  if (!head) response_.body() = answer.body;
  stream_.expires_after(shared_->settings.patience);
  const auto sent = [self = shared_from_this(), keep_alive, events = answer.events && !head](ErrorCode error,
                                                                                             std::size_t) {
    if (error || (!keep_alive && !events)) return self->close();
    if (events) return self->on_event_sent(error);
    self->read();
  };
  auto serializer = std::make_shared<http::response_serializer<http::string_body>>(response_);
  // The length in the header is that of the body that GET would get.
  if (head || answer.events)
    http::async_write_header(stream_, *serializer,
                             [serializer, sent](ErrorCode e, std::size_t n) { sent(e, n); });
  else
    http::async_write(stream_, *serializer, [serializer, sent](ErrorCode e, std::size_t n) { sent(e, n); });
}

void HttpSession::follow(const Answer& answer) {
  following_ = writing_ = true;
  ++shared_->event_streams;
  watch_for_the_end();
  send(answer, false, false);
}

// A follower has nothing more to say: what arrives is the end of the connection, or is thrown away.
void HttpSession::watch_for_the_end() {
  stream_.socket().async_read_some(asio::buffer(ignored_),
                                   [self = shared_from_this()](ErrorCode error, std::size_t) {
                                     if (error) return self->close();
                                     self->watch_for_the_end();
                                   });
}

void HttpSession::wake() {
  if (following_ && !writing_) wait();
}

void HttpSession::send_event(std::string text) {
  writing_ = true;
  event_ = std::move(text);
  last_sent_ = Clock::now();
  stream_.expires_after(shared_->settings.patience);
  asio::async_write(stream_, asio::buffer(event_),
                    [self = shared_from_this()](ErrorCode e, std::size_t) { self->on_event_sent(e); });
}

void HttpSession::on_event_sent(ErrorCode error) {
  if (error) return close();
  writing_ = false;
  wait();
}

// Sends the newest document as soon as it may, or a heartbeat once nothing was sent for long.
void HttpSession::wait() {
  const auto& settings = shared_->settings;
  const auto now = Clock::now();
  const bool news = shared_->published.version() != told_version_;
  const auto due = news ? last_event_ + settings.event_interval : last_sent_ + settings.heartbeat;
  if (now < due) {
    timer_.expires_at(due);  // cancels an earlier wait
    timer_.async_wait([self = shared_from_this()](ErrorCode error) {
      if (!error && !self->writing_) self->wait();
    });
    return;
  }
  if (!news) return send_event(": heartbeat\n\n");
  told_version_ = shared_->published.version();
  last_event_ = now;
  send_event("data: " + shared_->published.json() + "\n\n");
}

}  // namespace entrain::status
