#pragma once
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "coordinator/status/http_server.hpp"

namespace entrain::tests {

/// The real server in a thread of its own, on a port of its own.
class Served {
 public:
  static status::HttpSettings settings() {
    status::HttpSettings s;
    s.token = "secret/+ 1";
    s.where = "in runs/a/.token";
    return s;
  }
  explicit Served(status::HttpSettings settings = Served::settings())
      : server_(std::make_unique<status::HttpServer>(io_, std::move(settings))), port_(server_->port()) {
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Served() {
    boost::asio::post(io_, [this] {
      server_.reset();
      guard_.reset();
    });
    thread_.join();
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  std::uint16_t port() const { return port_; }
  status::HttpServer& server() { return *server_; }
  void publish(status::RunStatus status) {
    std::promise<void> done;
    boost::asio::post(io_, [&] {
      server_->publish(std::move(status));
      done.set_value();
    });
    done.get_future().wait();
  }

 private:
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{io_.get_executor()};
  std::unique_ptr<status::HttpServer> server_;
  std::uint16_t port_;
  std::thread thread_;
};

}  // namespace entrain::tests
