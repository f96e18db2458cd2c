#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "coordinator/control/awake_clock.hpp"
#include "coordinator/control/connection.hpp"
#include "coordinator/control/messages.hpp"
#include "coordinator/control/refusal_log.hpp"

namespace entrain::control {

/// One connection of one node; never used again within a server's life.
using NodeId = std::uint64_t;

struct Refuse {
  std::string reason{};
};

/// What the server tells its owner, from the thread that runs the io_context. A function that is not set is not called.
struct ServerHandler {
  /// A node of the present generation has proven itself. Refused: it gets a STOP with the reason.
  std::function<std::variant<Lease, Refuse>(NodeId, const Hello&)> hello;
  std::function<void(NodeId, const NodeBeat&)> beat;
  std::function<void(NodeId, std::int64_t step)> committed;
  std::function<void(NodeId, const Bye&)> bye;
  /// Once for each node that got a lease. A node that reconnects is gone before it says hello again. After a fence it
  /// only means that the connection is closed.
  std::function<void(NodeId, const std::string& why)> gone;
};

struct ServerLimits {
  double handshake_seconds = 5;      ///< from accept to HELLO
  std::size_t unauthenticated = 64;  ///< connections without a right HELLO; a further one is closed at once
  ConnectionLimits connection{};
};

/// The supervisor's end of the control plane. Lives in the one thread that runs the io_context.
class ControlServer {
 public:
  /// Listens on a numeric address; port 0: any. LaunchError: no token of 32 bytes (whatever the address), or the
  /// address cannot be had.
  ControlServer(boost::asio::io_context& io, const std::string& address, std::uint16_t port,
                std::string token, std::uint64_t run_id, std::uint32_t generation, ServerHandler& handler,
                ServerLimits limits = {});
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  std::uint16_t port() const;
  /// From now on only this generation is welcome; nodes of older ones are fenced.
  void begin_generation(std::uint32_t generation);
  /// For nodes that connect from now on; those that hold a lease keep the key they have. LaunchError: not of 32 bytes.
  void use_token(std::string token);

  // To one node, or to all that hold a lease.
  void stop(const std::string& reason, std::optional<NodeId> node = {});
  void stacks(std::optional<NodeId> node = {});
  /// Says that `generation` and all before it are over, to the nodes of those, and closes their connections.
  void fence(std::uint32_t generation, const std::string& reason, std::optional<NodeId> node = {});

  std::size_t nodes() const;  ///< that hold a lease
  const RefusalLog& refusals() const { return refusals_; }

 private:
  struct Node {
    std::shared_ptr<Connection> connection;
    std::string token{}, nonce{};  // token: with which its challenge was made
    Hello hello{};
    Lease lease{};
    enum class State { kChallenged, kLeased, kLeaving } state = State::kChallenged;
    double age = 0, since_lease = 0;  // seconds
    bool told = false;                // hello was answered with a lease: gone is due
  };

  void accept();
  void on_accept(const boost::system::error_code& error, Connection::Socket socket);
  void welcome(Connection::Socket socket);
  void on_frame(NodeId id, const Frame& frame);
  void on_hello(NodeId id, Node& node, const Frame& frame, const Message& message);
  void on_message(NodeId id, Node& node, const Message& message);
  void on_ended(NodeId id, const Ended& ended);
  void replace_former(const Hello& hello);
  void send(Node& node, const Message& message);
  void send_to(std::optional<NodeId> id, const Message& message);
  void fence_off(Node& node, std::uint32_t generation, const std::string& reason);
  void wait_for_tick();
  void tick();

  boost::asio::io_context& io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer timer_;
  std::string token_;
  const std::uint64_t run_id_;
  std::uint32_t generation_;
  ServerHandler& handler_;
  const ServerLimits limits_;
  std::map<NodeId, Node> nodes_;
  NodeId next_id_ = 1;
  std::size_t unauthenticated_ = 0;
  bool accepting_ = false;
  AwakeClock clock_;
  RefusalLog refusals_;
  const std::shared_ptr<bool> alive_ =
      std::make_shared<bool>(true);  // handlers may run after this object's end
};

}  // namespace entrain::control
