#include "coordinator/status/http_session.hpp"

#include <algorithm>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <limits>
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

// The answer to what is no request that can be read; nothing: it can be, or the client left or was too slow.
std::optional<Answer> refusal_of(beast::error_code error) {
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
      buffer_(2 * kHeaderLimit),
      timer_(stream_.get_executor()) {}

HttpSession::~HttpSession() { become(Doing::kGone); }

void HttpSession::become(Doing doing) {
  if (doing_ == Doing::kFollowing && doing != doing_) --shared_->event_streams;
  if (doing == Doing::kFollowing && doing != doing_) ++shared_->event_streams;
  doing_ = doing;
  since_ = Clock::now();
}

void HttpSession::close() {
  become(Doing::kGone);
  ErrorCode ignored;
  timer_.cancel(ignored);
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  stream_.close();
}

void HttpSession::read() {
  parser_.emplace();
  parser_->header_limit(kHeaderLimit);
  parser_->body_limit(std::numeric_limits<std::uint64_t>::max());  // of a body nothing is read
  become(Doing::kIdle);
  stream_.expires_after(answered_ ? shared_->settings.keep_alive : shared_->settings.patience);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](ErrorCode e, std::size_t) { self->on_request(e); });
}

void HttpSession::on_request(ErrorCode error) {
  if (doing_ == Doing::kGone) return;
  auto refusal = refusal_of(error);
  if (error && !refusal) return close();
  if (!error && has_body(*parser_)) refusal = {.code = 413, .body = "A request without a body, please.\n"};
  const auto& request = parser_->get();
  const bool head = request.method() == http::verb::head;
  const bool order = !head && request.method() != http::verb::get && !request.method_string().empty();
  const Answer answer = refusal && !order ? *refusal : answer_request();  // what gives orders is told so
  if (answer.events && !head) return follow(answer);
  send(answer, !refusal && !order && request.keep_alive(), head);
}

Answer HttpSession::answer_request() const {
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
  if (doing_ != Doing::kFollowing) become(Doing::kAnswering);
  answered_ = true;
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
    if (error || self->doing_ == Doing::kGone) return self->close();
    if (events) return self->on_event_sent(error);
    return keep_alive ? self->read() : self->leave();
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
  become(Doing::kFollowing);
  writing_ = true;
  watch_for_the_end();
  send(answer, false, false);
}

// Who has nothing more to say: what arrives is the end of the connection, or is thrown away.
void HttpSession::watch_for_the_end() {
  stream_.socket().async_read_some(asio::buffer(ignored_),
                                   [self = shared_from_this()](ErrorCode error, std::size_t) {
                                     if (error) return self->close();
                                     self->watch_for_the_end();
                                   });
}

// Says that nothing more comes, and waits a moment for the client to leave too: closed with a request half read, the
// kernel could take the answer back.
void HttpSession::leave() {
  become(Doing::kIdle);
  ErrorCode ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  timer_.expires_after(shared_->settings.patience);
  timer_.async_wait([self = shared_from_this()](ErrorCode error) {
    if (!error) self->close();
  });
  watch_for_the_end();
}

void HttpSession::wake() {
  if (doing_ == Doing::kFollowing && !writing_) wait();
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
  if (doing_ == Doing::kGone) return;
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
