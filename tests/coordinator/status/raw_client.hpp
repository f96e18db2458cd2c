#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace entrain::tests {

/// One HTTP answer as it came.
struct RawAnswer {
  int code = 0;
  std::string head, body;
  std::string header(std::string_view name) const {
    const auto at = head.find("\r\n" + std::string(name) + ": ");
    if (at == head.npos) return "";
    const auto begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

/// A socket to 127.0.0.1 that sends and reads bytes, and knows just enough HTTP to tell answers apart.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
      ::close(fd_);
      throw std::runtime_error("cannot connect");
    }
  }
  ~RawClient() { ::close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  /// false: the server is gone; what it said before is still to be read.
  bool send(std::string_view text) const {
    while (!text.empty()) {
      const auto n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  /// Reads until `text` has come; false: the server closed, or it did not come within so many seconds.
  bool read_until(std::string_view text, double seconds = 20) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (got_.find(text) == got_.npos)
      if (std::chrono::steady_clock::now() > end || !read_some(seconds)) return false;
    return true;
  }
  /// Whether the server closes within so many seconds.
  bool is_closed(double seconds = 20) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (std::chrono::steady_clock::now() < end)
      if (!read_some(seconds)) return closed_;
    return false;
  }
  /// Whether the server broke off instead of ending in order.
  bool was_reset() const { return reset_; }
  /// The next answer; `head_only`: it has no body, whatever its length says. code 0: none came.
  RawAnswer answer(bool head_only = false) {
    RawAnswer answer;
    if (!read_until("\r\n\r\n")) return answer;
    const auto end = got_.find("\r\n\r\n") + 4;
    answer.head = take(end);
    answer.code = std::stoi(answer.head.substr(9, 3));
    const std::string length = answer.header("Content-Length");
    const std::size_t bytes = head_only || length.empty() ? 0 : std::stoul(length);
    while (got_.size() < bytes)
      if (!read_some(20)) throw std::runtime_error("the body is cut short");
    answer.body = take(bytes);
    return answer;
  }
  RawAnswer get(std::string_view target, std::string_view more = "", std::string_view method = "GET") {
    send(std::string(method) + ' ' + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more) +
         "\r\n");
    return answer(method == "HEAD");
  }
  /// What has come and was not taken.
  std::string& got() { return got_; }

 private:
  std::string take(std::size_t bytes) {
    const std::string front = got_.substr(0, bytes);
    got_.erase(0, front.size());
    return front;
  }
  bool read_some(double seconds) {
    const auto whole = static_cast<time_t>(seconds);
    const timeval patience{whole, static_cast<suseconds_t>((seconds - static_cast<double>(whole)) * 1e6) + 1};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    char bytes[4096];
    const auto n = ::recv(fd_, bytes, sizeof bytes, 0);
    reset_ = n < 0 && errno == ECONNRESET;
    closed_ = n == 0 || reset_;
    if (n > 0) got_.append(bytes, static_cast<std::size_t>(n));
    return n > 0;
  }

  int fd_;
  bool closed_ = false, reset_ = false;
  std::string got_;
};

}  // namespace entrain::tests
