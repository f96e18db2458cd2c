#include "coordinator/status/fetch.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "configs/process.hpp"
#include "coordinator/status/run_files.hpp"

namespace entrain::status {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr std::uint64_t kMostBytes = 64 << 20;

/// One GET: resolve, connect, write, read, each step by the callback of the one before.
class Asking {
 public:
  Asking(std::string host, std::string port, const std::string& token, std::chrono::milliseconds patience)
      : host_(std::move(host)), port_(std::move(port)), resolver_(io_), stream_(io_) {
    request_ = {http::verb::get, "/status", 11};
    request_.set(http::field::host, host_);
    request_.set(http::field::authorization, "Bearer " + token);
    request_.keep_alive(false);
    parser_.body_limit(kMostBytes);
    start();
    io_.run_for(patience);  // what is pending then ends with the members
  }
  /// The answer's code; 0: none came.
  int code() const { return done_ ? static_cast<int>(parser_.get().result_int()) : 0; }
  const std::string& body() const { return parser_.get().body(); }
  std::string why_not() const { return failed_.empty() ? "no answer in time" : failed_; }

 private:
  using ErrorCode = beast::error_code;
  bool ok(const ErrorCode& error) {
    if (error) failed_ = error.message();
    return !error;
  }
  void start() {
    resolver_.async_resolve(host_, port_, [this](ErrorCode e, const tcp::resolver::results_type& found) {
      if (!ok(e)) return;
      stream_.async_connect(found, [this](ErrorCode connected, const tcp::endpoint&) {
        if (ok(connected)) write();
      });
    });
  }
  void write() {
    http::async_write(stream_, request_, [this](ErrorCode e, std::size_t) {
      if (!ok(e)) return;
      http::async_read(stream_, buffer_, parser_, [this](ErrorCode read, std::size_t) { done_ = ok(read); });
    });
  }

  const std::string host_, port_;
  asio::io_context io_;
  tcp::resolver resolver_;
  beast::tcp_stream stream_;
  http::request<http::empty_body> request_;
  beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
  std::string failed_;
  bool done_ = false;
};

std::string first_line(std::string text) {
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  return text;
}

bool is_loopback(const std::string& host) {
  return host.starts_with("127.") || host == "::1" || host == "localhost";
}

// Why the server that wrote control.json cannot be the one at `address`; empty: it can.
std::string not_there(const nlohmann::json& control, const std::string& address) {
  const std::string host = text_of(control, "host");
  const std::int64_t pid = integer_of(control, "pid", 0);
  if (host.empty()) return "";
  if (host == host_name()) return pid > 0 && !process_lives(pid) ? cat("its process ", pid, " is gone") : "";
  return is_loopback(address) ? cat("it listens on ", host, " only, and this is ", host_name()) : "";
}

}  // namespace

Fetched fetch_status(const std::string& run_dir, std::chrono::milliseconds patience) {
  const nlohmann::json control = json_file(run_dir + "/control.json");
  const std::string address = text_of(control, "http");
  const std::size_t colon = address.rfind(':');
  if (address.empty() || colon == address.npos) return {};
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  Fetched fetched;
  fetched.from = "http://" + address;
  if (host == "0.0.0.0" || host == "::") host = text_of(control, "host");  // every address of its machine
  if (fetched.why_not = not_there(control, host); !fetched.why_not.empty()) return fetched;
  const std::string token = first_line(text_file(run_dir + "/.token"));
  if (token.empty()) {
    fetched.why_not = cat(run_dir, "/.token cannot be read; it is for the user who started the run");
    return fetched;
  }
  const Asking asking(host, address.substr(colon + 1), token, patience);
  if (asking.code() == 200) fetched.status = status_of(nlohmann::json::parse(asking.body(), nullptr, false));
  if (!fetched.status)
    fetched.why_not = asking.code() == 0     ? asking.why_not()
                      : asking.code() == 200 ? "what it answers is no status of a run"
                                             : cat("it answers ", asking.code());
  return fetched;
}

}  // namespace entrain::status
