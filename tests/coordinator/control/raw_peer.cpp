#include "tests/coordinator/control/raw_peer.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <stdexcept>

#include "coordinator/control/keys.hpp"
#include "coordinator/control/mac.hpp"

namespace entrain::tests {
namespace {

using Clock = std::chrono::steady_clock;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool readable(int fd, double timeout_s) {
  pollfd wanted{fd, POLLIN, 0};
  return ::poll(&wanted, 1, static_cast<int>(timeout_s * 1000)) == 1;
}

double seconds_until(Clock::time_point end) {
  return std::chrono::duration<double>(end - Clock::now()).count();
}

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

control::Hello hello_of(const std::string& host, std::int32_t rank, std::uint32_t generation) {
  return {control::random_secret(), host, {{rank, 1000 + rank}}, 8, generation, "build", "config", "corpus"};
}

RawPeer::RawPeer(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const auto address = loopback(port);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd_);
    throw std::runtime_error("connection refused");
  }
}

RawPeer::~RawPeer() { ::close(fd_); }

std::string RawPeer::receive_challenge(const std::string& token) {
  reader_.emplace(kRunId, control::challenge_key(token));
  const auto message = receive();
  if (!message || !std::holds_alternative<control::Challenge>(*message)) return {};
  return nonce_ = std::get<control::Challenge>(*message).nonce;
}

void RawPeer::send_hello(const control::Hello& hello, const std::string& token) {
  writer.emplace(kRunId, control::client_key(token, nonce_));
  reader_->set_key(control::server_key(token, nonce_, hello.nonce));
  generation = hello.generation;
  send(hello);
}

bool RawPeer::join(const control::Hello& hello) {
  if (receive_challenge().empty()) return false;
  send_hello(hello);
  const auto answer = receive();
  return answer && std::holds_alternative<control::Lease>(*answer);
}

void RawPeer::send_challenge() {
  expect_client_of(control::random_secret());
  writer.emplace(kRunId, control::challenge_key(kToken));
  send(control::Challenge{nonce_});
}

void RawPeer::expect_client_of(const std::string& nonce) {
  nonce_ = nonce;
  reader_.emplace(kRunId, control::client_key(kToken, nonce));
}

std::optional<control::Hello> RawPeer::receive_hello() {
  const auto message = receive();
  if (!message || !std::holds_alternative<control::Hello>(*message)) return std::nullopt;
  const auto& hello = std::get<control::Hello>(*message);
  writer->set_key(control::server_key(kToken, nonce_, hello.nonce));
  return hello;
}

std::string RawPeer::frame_of(const control::Message& message) {
  return writer->write(control::type_of(message), generation, control::payload_of(message));
}

void RawPeer::send_bytes(const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t size = ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (size <= 0) return;
    at += static_cast<std::size_t>(size);
  }
}

std::string RawPeer::read_some(double timeout_s, bool& closed) {
  if (timeout_s < 0 || !readable(fd_, timeout_s)) return {};
  std::array<char, 4096> chunk{};
  const ssize_t size = ::recv(fd_, chunk.data(), chunk.size(), 0);
  closed = size <= 0;
  return closed ? std::string() : std::string(chunk.data(), static_cast<std::size_t>(size));
}

std::optional<control::Message> RawPeer::receive(double timeout_s) {
  bool closed = false;
  for (const auto end = after(timeout_s); !closed && seconds_until(end) > 0;) {
    if (const auto frame = reader_->next()) return control::understand(frame->type, frame->payload).message;
    refusal_ = reader_->refusal();
    if (!refusal_.empty()) return std::nullopt;
    reader_->add(read_some(seconds_until(end), closed));
  }
  return std::nullopt;
}

bool RawPeer::closed_within(double timeout_s) {
  bool closed = false;
  for (const auto end = after(timeout_s); !closed && seconds_until(end) > 0;)
    read_some(seconds_until(end), closed);
  return closed;
}

RawListener::RawListener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  auto address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(fd_, 16) != 0 ||
      ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("cannot listen");
  port_ = ntohs(address.sin_port);
}

RawListener::~RawListener() { ::close(fd_); }

RawPeer::Socket RawListener::accept(double timeout_s) {
  if (!readable(fd_, timeout_s)) throw std::runtime_error("nobody connected");
  return {::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)};
}

}  // namespace entrain::tests
