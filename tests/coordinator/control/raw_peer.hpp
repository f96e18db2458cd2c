#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "coordinator/control/frame.hpp"
#include "coordinator/control/messages.hpp"

namespace entrain::tests {

inline const std::string kToken(32, 't');
inline constexpr std::uint64_t kRunId = 0xabcdef0123456789;

control::Hello hello_of(const std::string& host, std::int32_t rank = 0, std::uint32_t generation = 1);

/// One end of a connection on 127.0.0.1, in plain blocking calls: a client, or a supervisor that takes one client.
class RawPeer {
 public:
  explicit RawPeer(std::uint16_t port);  ///< connects
  struct Socket {
    int fd;
  };
  explicit RawPeer(Socket accepted) : fd_(accepted.fd) {}
  ~RawPeer();
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  // As a client.
  std::string receive_challenge(const std::string& token = kToken);  ///< the nonce; empty: none came
  void send_hello(const control::Hello& hello, const std::string& token = kToken);
  /// receive_challenge, send_hello, and whether a LEASE came.
  bool join(const control::Hello& hello);

  // As a supervisor.
  void send_challenge();
  void expect_client_of(const std::string& nonce);  ///< part of send_challenge()
  std::optional<control::Hello> receive_hello();

  // Both, with the keys of the handshake.
  std::string frame_of(const control::Message& message);  ///< the bytes, numbered; not sent
  void send(const control::Message& message) { send_bytes(frame_of(message)); }
  void send_bytes(const std::string& bytes);  ///< errors are not looked at: the other side may have closed
  std::optional<control::Message> receive(double timeout_s = 10);
  bool closed_within(double timeout_s = 10);  ///< by the other side; what it still sends is thrown away
  const std::string& refusal() const { return refusal_; }

  std::uint32_t generation = 1;                ///< in the headers
  std::optional<control::FrameWriter> writer;  ///< after the handshake
  int fd() const { return fd_; }

 private:
  std::string read_some(double timeout_s, bool& closed);

  int fd_;
  std::optional<control::FrameReader> reader_;
  std::string nonce_, refusal_;
};

/// Listens on a port of its own on 127.0.0.1.
class RawListener {
 public:
  RawListener();
  ~RawListener();
  RawListener(const RawListener&) = delete;
  RawListener& operator=(const RawListener&) = delete;
  std::uint16_t port() const { return port_; }
  RawPeer::Socket accept(double timeout_s = 10);  ///< throws std::runtime_error

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

}  // namespace entrain::tests
