#include "coordinator/supervise/session.hpp"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <random>

#include "checkpoint/atomic_file.hpp"
#include "checkpoint/find.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/http_bind.hpp"
#include "configs/log.hpp"
#include "configs/process.hpp"
#include "coordinator/control/mac.hpp"
#include "coordinator/control/supervisor_address.hpp"
#include "coordinator/control/token.hpp"
#include "coordinator/exit_file.hpp"
#include "coordinator/status/from_ledger.hpp"
#include "coordinator/status/status_file.hpp"
#include "coordinator/status/utc_time.hpp"
#include "coordinator/supervise/job_fleet.hpp"
#include "coordinator/supervise/launch_words.hpp"

namespace entrain::supervise {
namespace {

constexpr auto kTick = std::chrono::milliseconds(250), kFarewell = std::chrono::milliseconds(300);
constexpr int kTicksPerStatus = 4, kTicksPerFile = 20;

std::string new_run_id() {
  std::random_device random;
  char text[17];
  std::snprintf(text, sizeof text, "%08x%08x", random(), random());
  return text;
}

SupervisorSettings settings_of(const SessionSettings& s) {
  const FaultSection& fault = s.config.fault;
  SupervisorSettings out;
  out.patience = patience_of(fault);
  out.fleet = s.fleet;
  out.max_cycles = static_cast<int>(fault.max_cycles);
  out.has_steps = s.stage == "pretrain";
  return out;
}

// Within one machine nobody else needs to reach us. Ranks of other nodes come over the network that this host's name
// stands for.
std::string address_for(const Fleet& fleet) {
  if (fleet.nodes.front().empty()) return "127.0.0.1";
  boost::asio::io_context io;
  boost::asio::ip::tcp::resolver resolver(io);
  boost::system::error_code error;
  for (const auto& found : resolver.resolve(boost::asio::ip::tcp::v4(), host_name(), "", error))
    return found.endpoint().address().to_string();
  throw LaunchError(cat("the name of this host, ", host_name(), ", has no address (", error.message(),
                        "), so the ranks of other nodes could not find the supervisor"));
}

// On a compute node nobody sits before a browser.
std::string way_there(const std::string& address, int port) {
  if (std::getenv("SLURM_JOB_ID") == nullptr || address.rfind("127.", 0) != 0) return "";
  return cat(" on ", host_name(), "; from elsewhere: ssh -L ", port, ":127.0.0.1:", port, ' ', host_name());
}

}  // namespace

Session::Session(SessionSettings settings)
    : settings_(std::move(settings)),
      dir_(settings_.config.run.dir),
      lock_(dir_, std::nullopt, "supervisor.lock"),
      events_(dir_),
      metrics_(dir_),
      signals_(io_, SIGINT, SIGTERM, SIGUSR1),
      timer_(io_),
      step_(io_, [this](int status) { launcher_ended(status); }) {
  struct sigaction hangup {};
  ::sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) signals_.add(SIGHUP);  // nohup: it shall outlive its terminal
  commits_ = status::view_ledger(dir_).status.commits;
  const auto before = ControlFile::read(dir_);
  if (before) control_ = *before;
  if (control_.run_id.empty()) control_.run_id = new_run_id();
  control_.host = host_name();
  control_.pid = ::getpid();
  control_.stage = settings_.stage;
  control_.started = utc_now();
  if (const auto left = deadline_.seconds_left()) end_at_first_ = now() + *left;
}

double Session::now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Session::~Session() {
  stop_looking_.request_stop();
  if (writing_.valid()) writing_.wait();
}

int Session::run() {
  listen();
  begin();
  wait_for_signal();
  wait_for_tick();
  io_.run();
  return *code_;
}

void Session::listen() {
  token_ = control::make_or_read_token(dir_);
  handler_.hello = [this](control::NodeId node, const control::Hello& h) { return hello(node, h); };
  handler_.beat = [this](control::NodeId, const control::NodeBeat& beat) {
    supervisor_->beat(beat, now());
    supervisor_->committed(beat.committed);
  };
  handler_.committed = [this](control::NodeId, std::int64_t step) { supervisor_->committed(step); };
  handler_.bye = [this](control::NodeId node, const control::Bye& bye) {
    byes_[bye.rank] = bye;
    if (const auto host = hosts_.find(node); host != hosts_.end()) supervisor_->leaving(host->second);
  };
  handler_.gone = [this](control::NodeId node, const std::string&) {
    if (const auto host = hosts_.find(node); host != hosts_.end()) supervisor_->lost(host->second, now());
    hosts_.erase(node);
  };
  const std::string address = address_for(settings_.fleet);
  server_ = std::make_unique<control::ControlServer>(
      io_, address, 0, token_, control::parse_run_id(control_.run_id),
      static_cast<std::uint32_t>(control_.generation), handler_);
  control_.address = address;
  control_.port = server_->port();
  control_.http.clear();
  const auto bind = parse_http_bind(settings_.config.http.bind);
  if (!bind) return;
  status::HttpSettings http;
  http.token = control::hex_of(token_);  // as the file has it
  http.where = cat("in ", dir_, "/.token");
  http.address = bind->address;
  http.port = bind->port;
  try {
    http_ = std::make_unique<status::HttpServer>(io_, http);
  } catch (const LaunchError& e) {  // no reason not to train
    log(Level::kWarning,
        cat(e.what(),
            " (http.bind); this run goes on without a status page, `entrain status` reads its folder"));
    return;
  }
  control_.http = cat(http.address, ':', http_->port());
  log(Level::kInfo, cat("status page: http://", control_.http, "/?token=$(cat ", dir_, "/.token)",
                        way_there(http.address, http_->port())));
}

// Somebody may have replaced the file: then the ranks that are started now have another one than we.
void Session::take_new_token() {
  const std::string token = control::make_or_read_token(dir_);
  if (token == token_) return;
  token_ = token;
  server_->use_token(token);
  if (http_) http_->use_token(control::hex_of(token));
  tell("token",
       cat(dir_, "/.token was replaced while the run was on: ranks and the status page have the new one now"),
       true);
}

void Session::begin() {
  Past past = events_.past();
  past.generation = control_.generation;
  past.committed = committed_on_disk();
  World& world = *this;
  supervisor_.emplace(settings_of(settings_), world, past);
  if (control_.host == host_name() && control_.world > 0 &&
      step_.adopt(static_cast<pid_t>(control_.launcher_pid), control_.launcher_ticks)) {
    const Placement placement{control_.nodes, control_.world, control_.ranks_per_node};
    write_control_file();  // where the ranks find us now
    supervisor_->adopt(placement, now());
    const int asked = place(settings_.fleet, {}).ranks;
    if (settings_.fleet.nodes.front().empty() && asked != placement.ranks)
      tell("adopt",
           cat("it goes on with the ", placement.ranks, " that it has; from its next generation on it has ",
               asked, ", as asked for now (-n ", asked, ')'),
           true);
    return;
  }
  if (settings_.fleet.nodes.front().empty())
    supervisor_->start(now());
  else
    look_first();
}

void Session::launch(std::int64_t generation, const Placement& placement) {
  take_new_token();
  server_->begin_generation(static_cast<std::uint32_t>(generation));
  hosts_.clear(), local_pids_.clear(), byes_.clear(), watches_.clear(), first_gone_.clear();
  coordinator::remove_exit(dir_);
  const Launch words = launch_words(placement, settings_.launcher, settings_.config.slurm, settings_.worker,
                                    control_.run_id, generation);
  control_.generation = generation;
  control_.world = placement.ranks;
  control_.ranks_per_node = placement.ranks_per_node;
  control_.nodes = placement.nodes;
  control_.launcher_pid = 0;
  write_control_file();  // before any rank looks for it
  step_.start(words.words, words.environment);
  control_.launcher_pid = step_.pid();
  control_.launcher_ticks = step_.start_ticks();
  write_control_file();
}

void Session::write_control_file() { control_.write(dir_); }

void Session::wait_for_signal() {
  signals_.async_wait([this](const auto& error, int signal) {
    if (error) return;
    on_signal(signal);
    wait_for_signal();
  });
}

void Session::on_signal(int signal) {
  const std::string cause = stop_cause(signal, job_situation());
  if (looking_.valid()) {
    if (stop_reason_.empty()) tell("stop", cat("asked to stop: ", cause), false);
    stop_reason_ = cause;
    stop_looking_.request_stop();
  } else if (signal == SIGINT && ++interrupts_ > 1) {
    log(Level::kWarning, "a second SIGINT: ending the ranks at once, without a commit");
    supervisor_->stop_at_once();
  } else {
    supervisor_->stop(cause, now());
  }
}

void Session::wait_for_tick() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](const auto& error) {
    if (error) return;
    tick();
    if (code_) return leave();
    wait_for_tick();
  });
}

// Once those who watch have been told how it ended.
void Session::leave() {
  if (http_) http_->publish(status());
  timer_.expires_after(kFarewell);
  timer_.async_wait([this](const auto&) { io_.stop(); });
}

void Session::tick() {
  try {
    if (looking_.valid()) {
      if (is_ready(looking_)) looked(looking_.get());
    } else if (!code_) {
      look_for_stopped_ranks();
      ask_about_late_nodes();
      supervisor_->tick(now());
    }
  } catch (const Error& e) {  // a launcher that cannot be started
    finish(static_cast<int>(e.code()), e.what());
  }
  ++ticks_;
  if (ticks_ % kTicksPerStatus != 0) return;
  metrics_.read();
  if (http_) http_->publish(status());
  const bool free = !writing_.valid() || is_ready(writing_);
  if (ticks_ % kTicksPerFile != 0 || !free) return;
  writing_ = std::async(std::launch::async, [this, now = status()] { write_status(now); });
}

// For those who look from elsewhere: where it cannot be written they see nothing, and the run is none the worse.
void Session::write_status(const status::RunStatus& now) noexcept {
  try {
    status::write_status_files(dir_, now);
    told_unwritten_ = false;
  } catch (const std::exception& e) {
    if (!told_unwritten_.exchange(true))
      log(Level::kWarning, cat(e.what(), "; entrain status still finds this run by its port"));
  }
}

void Session::note_commit() {
  commits_.push_back({supervisor_->committed(), utc_now()});
  if (commits_.size() > status::kMostCommits) commits_.erase(commits_.begin());
}

void Session::ask_stop(const std::string& reason) { server_->stop(reason); }
void Session::ask_stacks() { server_->stacks(); }

void Session::tell(const std::string& kind, const std::string& text, bool warning) {
  if (kind == "commit") note_commit();
  events_.add(kind, text);
  if (kind == "commit") return;  // rank 0 has said it
  log(warning ? Level::kWarning : Level::kInfo, kind == "behind" ? cat("who is behind:\n", text) : text);
}

// The first generation starts right behind the preflight, which has just tried every node.
std::set<std::string> Session::down_nodes() {
  if (const auto lost = std::exchange(lost_at_start_, std::nullopt)) return *lost;
  return lost_nodes(settings_.fleet);
}

double Session::seconds_since_first_launch() const {
  return status::seconds_between(events_.first_launch(), utc_now()).value_or(0);
}

std::int64_t Session::committed_on_disk() const {
  const auto steps = checkpoint::committed_steps(dir_);
  return steps.empty() ? 0 : steps.front();
}

void Session::finish(int code, const std::string& reason) {
  if (code_) return;
  code_ = code;
  reason_ = reason;
  events_.add("end", cat("exit ", code, reason.empty() ? "" : ": ", reason));
  const bool bad = code != 0 && code != static_cast<int>(ExitCode::kRequeue);
  log(bad ? Level::kError : Level::kInfo, code == 0 ? "done"
                                          : reason.find("(exit ") != std::string::npos
                                              ? reason
                                              : cat(reason, " (exit ", code, ')'));
  if (!coordinator::read_exit(dir_)) coordinator::write_exit(dir_, {code, reason});
  if (code == 0) checkpoint::write_file_atomically(dir_ + "/DONE", utc_now() + "\n");
  metrics_.read();
  if (writing_.valid()) writing_.wait();
  write_status(status());
}

}  // namespace entrain::supervise
