#include "coordinator/status/http_server.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>
#include <vector>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/status/http_session.hpp"
#include "coordinator/status/page.hpp"

namespace entrain::status {

namespace asio = boost::asio;
using asio::ip::tcp;

struct HttpServer::Hub : std::enable_shared_from_this<Hub> {
  Hub(asio::io_context& io, HttpSettings settings)
      : shared(std::make_shared<HttpShared>()), acceptor(io), pause(io) {
    shared->settings = std::move(settings);
    shared->page_policy = page_policy(page_html());
  }

  void listen() {
    const HttpSettings& settings = shared->settings;
    if (settings.token.empty())
      throw LaunchError("the status server needs a token; without one everybody could read the run's status");
    boost::system::error_code error;
    const auto address = asio::ip::make_address(settings.address, error);
    if (error)
      throw LaunchError(
          cat("status server: \"", settings.address, "\" is no IP address; want 127.0.0.1, say"));
    const tcp::endpoint endpoint(address, settings.port);
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error)
      throw LaunchError(cat("status server: cannot listen on ", settings.address, ':', settings.port, ": ",
                            error.message(), "; choose another port, or 0 for any"));
  }

  void accept() {
    acceptor.async_accept([self = shared_from_this()](boost::system::error_code error, tcp::socket socket) {
      if (!self->acceptor.is_open()) return;
      if (!error) self->begin(std::move(socket));
      // No more files: the next attempt would fail at once, and again.
      if (error && error != asio::error::connection_aborted) return self->accept_later();
      self->accept();
    });
  }

  void accept_later() {
    pause.expires_after(std::chrono::milliseconds(200));
    pause.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error && self->acceptor.is_open()) self->accept();
    });
  }

  void begin(tcp::socket socket) {
    std::erase_if(sessions, [](const auto& weak) {
      const auto session = weak.lock();
      return !session || session->doing() == HttpSession::Doing::kGone;
    });
    if (sessions.size() >= shared->settings.max_connections) make_room();
    const auto session = std::make_shared<HttpSession>(std::move(socket), shared);
    sessions.push_back(session);
    session->read();
  }

  // Closes the one that does least, of several the one that has done so for longest: whoever comes is answered, however
  // many say nothing.
  void make_room() {
    std::shared_ptr<HttpSession> least;
    const auto key = [](const HttpSession& s) { return std::make_pair(s.doing(), s.since()); };
    for (const auto& weak : sessions)
      if (auto session = weak.lock(); session && (!least || key(*session) < key(*least)))
        least = std::move(session);
    if (least) least->close();
  }

  template <typename Work>
  void for_each_session(Work work) {
    for (const auto& weak : sessions)
      if (const auto session = weak.lock()) work(*session);
  }

  std::shared_ptr<HttpShared> shared;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  std::vector<std::weak_ptr<HttpSession>> sessions;
};

HttpServer::HttpServer(asio::io_context& io, HttpSettings settings)
    : hub_(std::make_shared<Hub>(io, std::move(settings))) {
  hub_->listen();
  hub_->accept();
}

HttpServer::~HttpServer() { close(); }

void HttpServer::publish(RunStatus status) {
  hub_->shared->published.publish(std::move(status));
  hub_->for_each_session([](HttpSession& session) { session.wake(); });
}

void HttpServer::use_token(std::string token) { hub_->shared->settings.token = std::move(token); }

std::uint16_t HttpServer::port() const {
  boost::system::error_code gone;
  return hub_->acceptor.local_endpoint(gone).port();
}

std::string HttpServer::url() const {
  const auto& settings = hub_->shared->settings;
  const bool v6 = settings.address.find(':') != std::string::npos;
  return cat("http://", v6 ? "[" : "", settings.address, v6 ? "]:" : ":", port(), "/?token=", settings.token);
}

void HttpServer::close() {
  boost::system::error_code ignored;
  hub_->acceptor.close(ignored);
  hub_->pause.cancel(ignored);
  hub_->for_each_session([](HttpSession& session) { session.close(); });
}

}  // namespace entrain::status
