#pragma once
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "coordinator/status/run_status.hpp"

namespace entrain::status {

struct HttpSettings {
  std::string address = "127.0.0.1";  ///< an IP address; loopback unless somebody asked for more
  std::uint16_t port = 0;             ///< 0: any that is free
  std::string token{};  ///< asked for on all but /healthz, as ?token=T or Authorization: Bearer T
  std::string where = "in the file .token of the run's folder";  ///< of the token, for who lacks it
  std::size_t max_connections = 64;    ///< at the limit a new one takes the place of the one idle for longest
  std::size_t max_event_streams = 32;  ///< so that followers never crowd out scrapes
  std::chrono::milliseconds patience{5000};     ///< for a first request to come in, for an answer to be taken
  std::chrono::milliseconds keep_alive{10000};  ///< for a further request on the same connection
  std::chrono::milliseconds event_interval{1000}, heartbeat{15000};  ///< of /events
};

/// Tells a run's status over HTTP/1.1: / (page), /healthz, /status, /metrics, /ranks, /events. Reads nothing from the
/// disk and takes no orders. All of it happens in the thread that runs `io`; publish() and close() are called there.
class HttpServer {
 public:
  /// Listens from now on. LaunchError: no token, no such address, or a port that is taken.
  HttpServer(boost::asio::io_context& io, HttpSettings settings);
  /// close().
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// What is told from now on; followers of /events get it if something else than the clock has changed.
  void publish(RunStatus status);
  /// Is asked for from now on, and no other.
  void use_token(std::string token);
  std::uint16_t port() const;
  /// http://127.0.0.1:4711/?token=...
  std::string url() const;
  /// Ends all connections and listens no longer.
  void close();

 private:
  struct Hub;
  std::shared_ptr<Hub> hub_;
};

}  // namespace entrain::status
