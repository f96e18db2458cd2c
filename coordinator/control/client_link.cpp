#include "coordinator/control/client_link.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "coordinator/control/keys.hpp"
#include "coordinator/control/mac.hpp"
#include "coordinator/control/supervisor_address.hpp"
#include "coordinator/control/token.hpp"

namespace entrain::control {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr auto kTick = std::chrono::milliseconds(100);
constexpr double kFirstPause = 0.2, kLongestPause = 2, kAttemptSeconds = 5, kBeatSeconds = 1;
constexpr double kSilenceSeconds = 15;  // three leases that did not come: a frozen supervisor, or a lost host
constexpr auto kFencePatience = std::chrono::milliseconds(1500);

}  // namespace

ControlClient::Link::Link(ClientOptions options, const ProgressBoard& board)
    : options_(std::move(options)),
      board_(board),
      beats_(board, options_.host),
      pause_(kFirstPause),
      jitter_(static_cast<std::minstd_rand::result_type>(::getpid())) {}

void ControlClient::Link::run() {
  try {
    wait_for_tick();
    io_.run();
  } catch (const std::exception& e) {
    log(Level::kError, cat("control: the client failed: ", e.what(), "; asking for a stop"));
    if (!ending_) stop_all("the control client failed");
  }
  ended_promise_.set_value();
}

void ControlClient::Link::end() {
  ending_ = true;
  io_.stop();
}

void ControlClient::Link::wait_for_tick() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](const error_code&) {
    tick();
    wait_for_tick();
  });
}

void ControlClient::Link::tick() {
  const double seconds = clock_.passed();
  if (connection_) connection_->pass_time(seconds);
  switch (state_) {
    case State::kApart:
      retry_in_ -= seconds;
      if (retry_in_ <= 0 && !bye_sent_) attempt();
      break;
    case State::kConnecting:
    case State::kConnected:
    case State::kGreeted:
      attempt_age_ += seconds;
      if (attempt_age_ > kAttemptSeconds) part(cat("no answer within ", kAttemptSeconds, " s"));
      break;
    case State::kLeased:
      send_news(seconds);
      break;
    case State::kFenced:
      if (std::chrono::steady_clock::now() - fenced_at_ > kFencePatience)
        ::_exit(static_cast<int>(ExitCode::kComm));
      break;
  }
  without_supervisor_ = state_ == State::kLeased ? 0 : without_supervisor_ + seconds;
  if (without_supervisor_ <= options_.orphan_seconds || std::exchange(orphan_told_, true)) return;
  stop_all(cat("no supervisor for ", options_.orphan_seconds, " s"));
}

void ControlClient::Link::attempt() {
  state_ = State::kConnecting;
  attempt_age_ = 0;
  try {
    const auto where = read_supervisor_address(options_.run_dir);
    const auto token = read_token(options_.run_dir);
    if (ending_) return;  // the file system let go only now: the board may be gone
    const auto address = boost::asio::ip::make_address(where.address);
    connecting_.emplace(io_);
    connecting_->async_connect({address, where.port},
                               [this, token, id = where.run_id](const error_code& error) {
                                 if (state_ == State::kConnecting && connecting_)
                                   on_connected(error, token, id);
                               });
  } catch (const std::exception& e) {
    part(e.what());
  }
}

void ControlClient::Link::on_connected(const error_code& error, const std::string& token,
                                       std::uint64_t run_id) {
  if (error) return part(error.message());
  state_ = State::kConnected;
  ConnectionLimits limits;
  limits.silence_seconds = kSilenceSeconds;
  connection_ = std::make_shared<Connection>(std::move(*connecting_), run_id, challenge_key(token),
                                             std::string(), limits);
  connecting_.reset();
  connection_->start({[this, token](const Frame& frame) { on_frame(frame, token); },
                      [this](const Ended& ended) { on_ended(ended); }});
}

void ControlClient::Link::on_frame(const Frame& frame, const std::string& token) {
  const auto understood = understand(frame.type, frame.payload);
  if (!understood.message) return connection_->refuse(understood.refusal);
  const Message& message = *understood.message;
  if ((state_ == State::kConnected) != std::holds_alternative<Challenge>(message))
    return connection_->refuse("a frame out of turn");
  if (const auto* challenge = std::get_if<Challenge>(&message)) return on_challenge(*challenge, token);
  if (const auto* fence = std::get_if<Fence>(&message)) return on_fence(*fence);
  if (frame.generation != options_.generation)
    return connection_->refuse(
        cat("a frame of generation ", frame.generation, ", this is ", options_.generation));
  if (const auto* lease = std::get_if<Lease>(&message))
    on_lease(*lease);
  else if (const auto* stop = std::get_if<Stop>(&message))
    stop_all(stop->reason);
  else if (std::holds_alternative<Stacks>(message))
    board_.want_stacks();
  else
    connection_->refuse("a frame that only a node sends");
}

void ControlClient::Link::on_challenge(const Challenge& challenge, const std::string& token) {
  Hello hello;
  hello.nonce = random_secret();
  hello.host = options_.host;
  hello.world = options_.world;
  hello.generation = options_.generation;
  hello.build_digest = options_.build_digest;
  hello.config_digest = options_.config_digest;
  hello.corpus_digest = options_.corpus_digest;
  for (int i = 0; i < board_.size(); ++i)
    if (const auto& rank = board_.rank(i); rank.pid() != 0) hello.ranks.push_back({rank.rank(), rank.pid()});
  connection_->set_key_out(client_key(token, challenge.nonce));
  connection_->set_key_in(server_key(token, challenge.nonce, hello.nonce));
  state_ = State::kGreeted;
  send(hello);
}

void ControlClient::Link::on_lease(const Lease& lease) {
  if (state_ == State::kGreeted) {
    if (std::exchange(loss_told_, false)) log(Level::kInfo, "control: the supervisor is there again");
    pause_ = kFirstPause;
    beat_in_ = 0;
    committed_told_ = -1;  // a supervisor that was started again may not know
    state_ = State::kLeased;
  }
  if (lease.generation == options_.generation && lease.world == options_.world) return;
  const auto why = cat("the supervisor's lease is for generation ", lease.generation, " of ", lease.world,
                       " ranks, this is generation ", options_.generation, " of ", options_.world);
  log(Level::kError, cat("control: ", why, "; asking for a stop"));
  stop_all(why);
}

void ControlClient::Link::on_fence(const Fence& fence) {
  if (fence.generation < options_.generation || state_ == State::kFenced) return;
  board_.fence();
  log(Level::kError, cat("control: generation ", options_.generation, " is over: ", fence.reason,
                         "; this process writes nothing more and leaves"));
  fenced_at_ = std::chrono::steady_clock::now();
  state_ = State::kFenced;
}

void ControlClient::Link::on_ended(const Ended& ended) {
  if (state_ == State::kFenced) return connection_.reset();
  part(ended.refused ? cat("refused it: ", ended.why) : ended.why);
}

// Whatever went wrong: once more, after a pause that grows.
void ControlClient::Link::part(const std::string& why) {
  if (connection_) connection_->detach();
  connection_.reset();
  connecting_.reset();
  state_ = State::kApart;
  if (bye_sent_) return bye_done_.set_value();
  if (ending_) return;
  if (!std::exchange(loss_told_, true))
    log(Level::kWarning, cat("control: no supervisor (", why, "); trying again, training goes on meanwhile"));
  retry_in_ = pause_ * std::uniform_real_distribution<double>(0.75, 1.25)(jitter_);
  pause_ = std::min(2 * pause_, kLongestPause);
}

void ControlClient::Link::send(const Message& message) {
  connection_->send(type_of(message), options_.generation, payload_of(message));
}

void ControlClient::Link::send_news(double seconds) {
  if (const auto committed = beats_.committed(); committed > committed_told_) {
    committed_told_ = committed;
    send(Committed{committed});
  }
  beat_in_ -= seconds;
  if (beat_in_ <= 0 || bye_) {
    beat_in_ = kBeatSeconds;
    send(beats_.next());
  }
  if (!bye_) return;
  send(*bye_);
  connection_->finish();
  bye_sent_ = true;
  bye_.reset();
}

void ControlClient::Link::stop_all(const std::string& reason) {
  if (!ending_) board_.ask_stop(reason);
}

std::future<void> ControlClient::Link::bye(int code, const std::string& reason) {
  boost::asio::post(io_, [this, bye = Bye{board_.rank(0).rank(), code, reason}] {
    bye_ = bye;
    if (state_ == State::kLeased) send_news(0);
  });
  return bye_done_.get_future();
}

}  // namespace entrain::control
