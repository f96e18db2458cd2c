#include "coordinator/control/server.hpp"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/control/keys.hpp"
#include "coordinator/control/mac.hpp"

namespace entrain::control {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr auto kTick = std::chrono::milliseconds(250);
constexpr double kLeaseSeconds = 5;  // between two LEASEs, by which a client sees that the supervisor lives

tcp::acceptor listen(boost::asio::io_context& io, const std::string& address, std::uint16_t port) {
  try {
    tcp::acceptor acceptor(io, tcp::endpoint(boost::asio::ip::make_address(address), port));
    ::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC);  // the launcher must not inherit it
    return acceptor;
  } catch (const boost::system::system_error& e) {
    throw LaunchError(cat("the control server cannot listen on ", address, " port ", port, ": ",
                          e.code().message(),
                          "; name a numeric address of this machine and a free port (0: any)"));
  }
}

// Without a secret anybody who reaches the port could stop or feed the run.
void require_secret(const std::string& token) {
  if (token.size() != kSecretBytes)
    throw LaunchError(cat("the control server does not listen without a token: want ", kSecretBytes,
                          " secret bytes, got ", token.size()));
}

bool same_processes(const Hello& a, const Hello& b) {
  return a.host == b.host && a.ranks.size() == b.ranks.size() &&
         std::equal(
             a.ranks.begin(), a.ranks.end(), b.ranks.begin(),
             [](const HelloRank& x, const HelloRank& y) { return x.rank == y.rank && x.pid == y.pid; });
}

}  // namespace

ControlServer::ControlServer(boost::asio::io_context& io, const std::string& address, std::uint16_t port,
                             std::string token, std::uint64_t run_id, std::uint32_t generation,
                             ServerHandler& handler, ServerLimits limits)
    : io_(io),
      acceptor_((require_secret(token), listen(io, address, port))),  // checked before the socket opens
      timer_(io),
      token_(std::move(token)),
      run_id_(run_id),
      generation_(generation),
      handler_(handler),
      limits_(limits) {
  accept();
  wait_for_tick();
}

ControlServer::~ControlServer() {
  *alive_ = false;
  for (auto& [id, node] : nodes_) node.connection->detach();
}

std::uint16_t ControlServer::port() const { return acceptor_.local_endpoint().port(); }

std::size_t ControlServer::nodes() const {
  return static_cast<std::size_t>(std::count_if(nodes_.begin(), nodes_.end(), [](const auto& item) {
    return item.second.state == Node::State::kLeased;
  }));
}

void ControlServer::begin_generation(std::uint32_t generation) {
  generation_ = generation;
  if (generation > 0) fence(generation - 1, cat("generation ", generation, " has begun"));
}

void ControlServer::use_token(std::string token) {
  require_secret(token);
  token_ = std::move(token);
}

void ControlServer::stop(const std::string& reason, std::optional<NodeId> node) {
  send_to(node, Stop{reason});
}

void ControlServer::stacks(std::optional<NodeId> node) { send_to(node, Stacks{}); }

void ControlServer::fence(std::uint32_t generation, const std::string& reason, std::optional<NodeId> id) {
  for (auto& [other, node] : nodes_)
    if (node.state == Node::State::kLeased && node.hello.generation <= generation && (!id || *id == other))
      fence_off(node, generation, reason);
}

void ControlServer::send(Node& node, const Message& message) {
  node.connection->send(type_of(message), generation_, payload_of(message));
}

void ControlServer::send_to(std::optional<NodeId> id, const Message& message) {
  const std::string payload = payload_of(message);
  for (auto& [other, node] : nodes_)
    if (node.state == Node::State::kLeased && (!id || *id == other))
      node.connection->send(type_of(message), generation_, payload);
}

void ControlServer::fence_off(Node& node, std::uint32_t generation, const std::string& reason) {
  send(node, Fence{generation, reason});
  node.connection->finish();
  if (node.state == Node::State::kChallenged) --unauthenticated_;
  node.state = Node::State::kLeaving;
}

void ControlServer::accept() {
  accepting_ = true;
  acceptor_.async_accept([this, alive = alive_](const error_code& error, tcp::socket socket) {
    if (*alive) on_accept(error, std::move(socket));
  });
}

void ControlServer::on_accept(const error_code& error, tcp::socket socket) {
  accepting_ = false;
  if (error) {  // no descriptor left, most likely: the next tick tries again
    refusals_.note(cat("a connection that could not be accepted: ", error.message()));
    return;
  }
  if (unauthenticated_ >= limits_.unauthenticated)
    refusals_.note(cat("a connection, since ", unauthenticated_, " others have not said who they are"));
  else
    welcome(std::move(socket));
  accept();
}

void ControlServer::welcome(tcp::socket socket) {
  const NodeId id = next_id_++;
  Node& node = nodes_[id];
  node.token = token_;
  node.nonce = random_secret();
  node.connection = std::make_shared<Connection>(std::move(socket), run_id_, client_key(token_, node.nonce),
                                                 challenge_key(token_), limits_.connection);
  ++unauthenticated_;
  node.connection->start({[this, id](const Frame& frame) { on_frame(id, frame); },
                          [this, id](const Ended& ended) { on_ended(id, ended); }});
  send(node, Challenge{node.nonce});
}

void ControlServer::on_frame(NodeId id, const Frame& frame) {
  Node& node = nodes_.at(id);
  if (frame.generation > generation_)
    return node.connection->refuse(
        cat("of generation ", frame.generation, ", but generation ", generation_, " is the newest"));
  const bool greets = node.state == Node::State::kChallenged;
  if (greets != (frame.type == Type::kHello)) return node.connection->refuse("a frame out of turn");
  const auto understood = understand(frame.type, frame.payload);
  if (!understood.message) return node.connection->refuse(understood.refusal);
  if (greets) return on_hello(id, node, frame, *understood.message);
  if (frame.generation < generation_)
    return fence_off(node, generation_ - 1, cat("generation ", generation_, " has begun"));
  on_message(id, node, *understood.message);
}

void ControlServer::on_hello(NodeId id, Node& node, const Frame& frame, const Message& message) {
  node.hello = std::get<Hello>(message);
  if (node.hello.generation != frame.generation)
    return node.connection->refuse(
        cat("HELLO of generation ", node.hello.generation, " in a frame of generation ", frame.generation));
  node.connection->set_key_out(server_key(node.token, node.nonce, node.hello.nonce));
  if (frame.generation < generation_) {
    refusals_.note(cat(node.hello.host, ", which is still in generation ", frame.generation));
    return fence_off(node, generation_ - 1, cat("generation ", generation_, " has begun"));
  }
  --unauthenticated_;
  node.state = Node::State::kLeaving;
  replace_former(node.hello);
  const auto answer = handler_.hello ? handler_.hello(id, node.hello) : Refuse{"nobody is there to answer"};
  if (const auto* refused = std::get_if<Refuse>(&answer)) {
    refusals_.note(cat(node.hello.host, ": ", refused->reason));
    send(node, Stop{refused->reason});
    return node.connection->finish();
  }
  node.lease = std::get<Lease>(answer);
  node.state = Node::State::kLeased;
  node.told = true;
  node.age = 0;
  send(node, node.lease);
}

// A node whose connection broke may be back before the old socket is known to be dead.
void ControlServer::replace_former(const Hello& hello) {
  for (auto& [id, node] : nodes_) {
    if (!node.told || !same_processes(node.hello, hello)) continue;
    node.told = false;
    node.state = Node::State::kLeaving;
    node.connection->close("replaced");
    if (handler_.gone) handler_.gone(id, "it has connected anew");
  }
}

void ControlServer::on_message(NodeId id, Node& node, const Message& message) {
  if (const auto* beat = std::get_if<NodeBeat>(&message)) {
    if (handler_.beat) handler_.beat(id, *beat);
  } else if (const auto* committed = std::get_if<Committed>(&message)) {
    if (handler_.committed) handler_.committed(id, committed->step);
  } else if (const auto* bye = std::get_if<Bye>(&message)) {
    if (handler_.bye) handler_.bye(id, *bye);
  } else {
    node.connection->refuse("a frame that only a supervisor sends");
  }
}

void ControlServer::on_ended(NodeId id, const Ended& ended) {
  const auto found = nodes_.find(id);
  const Node node = std::move(found->second);
  nodes_.erase(found);
  if (node.state == Node::State::kChallenged) --unauthenticated_;
  const std::string& who = node.hello.host.empty() ? node.connection->peer() : node.hello.host;
  if (ended.refused) refusals_.note(cat(who, ": ", ended.why));
  if (node.told && handler_.gone) handler_.gone(id, ended.why);
}

void ControlServer::wait_for_tick() {
  timer_.expires_after(kTick);
  timer_.async_wait([this, alive = alive_](const error_code&) {
    if (!*alive) return;
    tick();
    wait_for_tick();
  });
}

void ControlServer::tick() {
  const double seconds = clock_.passed();
  refusals_.pass_time(seconds);
  if (!accepting_) accept();
  for (auto& [id, node] : nodes_) {
    node.connection->pass_time(seconds);
    node.age += seconds;
    node.since_lease += seconds;
    if (node.state == Node::State::kChallenged && node.age > limits_.handshake_seconds)
      node.connection->refuse(cat("did not say who it is within ", limits_.handshake_seconds, " s"));
    if (node.state != Node::State::kLeased || node.since_lease < kLeaseSeconds) continue;
    node.since_lease = 0;
    Lease lease = node.lease;
    if (lease.deadline_seconds) *lease.deadline_seconds -= node.age;
    send(node, lease);
  }
}

}  // namespace entrain::control
