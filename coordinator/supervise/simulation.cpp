#include "coordinator/supervise/simulation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::supervise {
namespace {

constexpr double kTick = 0.25, kBeat = 1, kNever = std::numeric_limits<double>::infinity();

struct SimRank {
  int number = 0;
  std::string node;
  bool dead = false, hung = false;
  std::uint64_t beats = 0;
};

struct Packet {
  double at;
  control::NodeBeat beat;
  bool operator<(const Packet& other) const { return at > other.at; }  // the earliest on top
};

class Cluster : public World {
 public:
  explicit Cluster(const SimulatedRun& run) : run_(run), random_(run.seed) {}
  SimulatedEnd play();

  void launch(std::int64_t generation, const Placement& placement) override;
  void kill() override {
    if (ends_at_ == kNever) ends_at_ = now_ + run_.faults.kill_seconds;
    detected();
  }
  void ask_stop(const std::string&) override {}
  void ask_stacks() override {}
  void tell(const std::string& kind, const std::string& text, bool) override {
    end_.events.push_back(cat(static_cast<std::int64_t>(now_), " s ", kind, ": ", text));
    if (end_.events.size() > 1000) end_.events.erase(end_.events.begin());
    if (kind == "hang" || kind == "dead") detected();
  }
  std::set<std::string> down_nodes() override { return down_; }
  void finish(int code, const std::string& reason) override { end_.code = code, end_.reason = reason; }

 private:
  double after(double hours, double many) {
    if (hours <= 0 || many <= 0) return kNever;
    return now_ + std::exponential_distribution<double>(many / (hours * 3600))(random_);
  }
  double share() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  void draw_faults();
  void fault();
  void supervisor_dies();
  void train();
  void send_beats();
  void deliver();
  void end_generation(int code);
  void detected() {
    if (unnoticed_at_ >= 0) end_.longest_detection = std::max(end_.longest_detection, now_ - unnoticed_at_);
    unnoticed_at_ = -1;
  }
  void require(bool holds, const std::string& what) {
    if (!holds && end_.violated.size() < 10) end_.violated.push_back(cat("at ", now_, " s: ", what));
  }
  bool quiet() const;
  double next_event() const;

  const SimulatedRun& run_;
  std::mt19937_64 random_;
  std::unique_ptr<Supervisor> supervisor_;
  SimulatedEnd end_;
  double now_ = 0;
  bool running_ = false;
  std::vector<SimRank> ranks_;
  std::set<std::string> down_;
  std::priority_queue<Packet> packets_;
  std::int64_t generation_ = 0, step_ = 0, best_commit_ = 0, committing_step_ = -1;
  std::uint64_t collectives_ = 0;
  double trains_at_ = 0, step_done_at_ = 0, commit_at_ = 0, committed_at_ = kNever, ends_at_ = kNever,
         beat_at_ = 0;
  double node_fault_ = kNever, rank_fault_ = kNever, hang_fault_ = kNever, supervisor_fault_ = kNever;
  double back_at_ = -1;       // of the supervisor
  double fault_at_ = -1;      // the one being dealt with
  double unnoticed_at_ = -1;  // the one that nobody knows of yet
  int code_ = 137;
};

void Cluster::launch(std::int64_t generation, const Placement& placement) {
  require(!running_, "a generation was launched while another one runs");
  require(generation > generation_, "generations must count up");
  require(placement.ranks <= run_.settings.fleet.max_ranks, "more ranks than lanes");
  for (const auto& node : placement.nodes)
    require(down_.count(node) == 0 || down_.empty(), "launched on a node that is down");
  generation_ = generation;
  ++end_.launches;
  running_ = true;
  unnoticed_at_ = -1;
  ranks_.clear();
  for (int rank = 0; rank < placement.ranks; ++rank)
    ranks_.push_back({rank, placement.nodes.at(static_cast<std::size_t>(rank / placement.ranks_per_node))});
  step_ = best_commit_;
  collectives_ = 0;
  committing_step_ = -1;
  trains_at_ = now_ + run_.faults.setup_seconds;
  step_done_at_ = trains_at_ + run_.step_seconds;
  commit_at_ = trains_at_ + run_.commit_every;
  committed_at_ = ends_at_ = kNever;
  beat_at_ = now_ + kBeat;
  draw_faults();
}

void Cluster::draw_faults() {
  std::set<std::string> nodes;
  for (const auto& rank : ranks_) nodes.insert(rank.node);
  const auto ranks = static_cast<double>(ranks_.size());
  node_fault_ = after(run_.faults.node_hours, static_cast<double>(nodes.size()));
  rank_fault_ = after(run_.faults.rank_hours, ranks);
  hang_fault_ = after(run_.faults.hang_hours, ranks);
  if (supervisor_fault_ == kNever) supervisor_fault_ = after(run_.faults.supervisor_hours, 1);
}

void Cluster::fault() {
  if (!running_ || std::min({node_fault_, rank_fault_, hang_fault_}) > now_) return;
  SimRank& rank = ranks_[static_cast<std::size_t>(random_() % ranks_.size())];
  if (fault_at_ < 0) fault_at_ = now_;
  if (unnoticed_at_ < 0) unnoticed_at_ = now_;
  if (node_fault_ <= now_) {
    for (auto& other : ranks_) other.dead |= other.node == rank.node;
    if (run_.settings.fleet.nodes.size() > 1) down_.insert(rank.node);
    node_fault_ = kNever;
    // Half of the nodes close their connections in dying, the others only fall silent.
    if (supervisor_ && share() < 0.5) supervisor_->lost(rank.node, now_);
  } else if (rank_fault_ <= now_) {
    rank.dead = true;
    rank_fault_ = kNever;
    ends_at_ = std::min(ends_at_, now_ + 1);  // the launcher sees a child die
  } else {
    rank.hung = true;
    hang_fault_ = kNever;
  }
}

void Cluster::supervisor_dies() {
  if (supervisor_ && now_ >= supervisor_fault_) {
    supervisor_.reset();
    supervisor_fault_ = kNever;
    back_at_ = now_ + run_.faults.restart_seconds;
    ++end_.supervisor_restarts;
  }
  if (supervisor_ || now_ < back_at_) return;
  Past past{.generation = generation_,
            .committed = best_commit_,
            .cycles = 0,
            .failures = end_.failures,
            .out = {}};
  supervisor_ = std::make_unique<Supervisor>(run_.settings, *this, past);
  if (running_) {
    Placement placement;
    placement.ranks = static_cast<int>(ranks_.size());
    supervisor_->adopt(placement, now_);
  } else {
    supervisor_->start(now_);
  }
  supervisor_fault_ = after(run_.faults.supervisor_hours, 1);
}

// All ranks move together: one that is dead or hangs stops them all.
void Cluster::train() {
  if (!running_) return;
  const bool stuck =
      std::any_of(ranks_.begin(), ranks_.end(), [](const auto& r) { return r.dead || r.hung; });
  if (stuck) {
    step_done_at_ = now_ + run_.step_seconds;
    committed_at_ = kNever;
    return;
  }
  while (step_done_at_ <= now_ && step_ < run_.total_steps) {
    ++step_, ++end_.steps_computed;
    collectives_ += 3;
    step_done_at_ += run_.step_seconds;
    if (fault_at_ >= 0) {
      end_.longest_recovery = std::max(end_.longest_recovery, now_ - fault_at_);
      fault_at_ = -1;
    }
  }
  if (committing_step_ < 0 && (now_ >= commit_at_ || step_ == run_.total_steps)) {
    committing_step_ = step_;
    committed_at_ = now_ + run_.commit_seconds;
  }
  if (now_ < committed_at_) return;
  if (share() >= run_.faults.commit_fails) {
    best_commit_ = std::max(best_commit_, committing_step_);
    if (supervisor_) supervisor_->committed(best_commit_);
  }
  committing_step_ = -1;
  committed_at_ = kNever;
  commit_at_ = now_ + run_.commit_every;
  if (best_commit_ == run_.total_steps) ends_at_ = now_, code_ = 0;
}

void Cluster::send_beats() {
  if (!running_ || now_ < beat_at_) return;
  beat_at_ = now_ + kBeat;
  std::map<std::string, control::NodeBeat> nodes;
  for (auto& rank : ranks_) {
    if (rank.dead ||
        now_ < trains_at_ - run_.faults.setup_seconds + std::min(5.0, run_.faults.setup_seconds / 2))
      continue;
    if (!rank.hung) ++rank.beats;
    control::RankBeat beat{
        .rank = rank.number, .beats = rank.beats, .step = step_, .collectives = collectives_};
    beat.phase = now_ < trains_at_ ? control::Phase::kSetup
                 : rank.hung       ? control::Phase::kCompute
                                   : control::Phase::kCollective;
    beat.step_seconds = step_ > best_commit_ ? run_.step_seconds : 0;
    nodes[rank.node].ranks.push_back(beat);
  }
  for (auto& [name, beat] : nodes) {
    beat.host = name;
    if (share() < run_.faults.beat_loss) continue;
    packets_.push({now_ + share() * run_.faults.beat_delay, beat});
    if (share() < run_.faults.beat_twice) packets_.push({now_ + share() * run_.faults.beat_delay, beat});
  }
}

void Cluster::deliver() {
  for (; !packets_.empty() && packets_.top().at <= now_; packets_.pop())
    if (supervisor_) supervisor_->beat(packets_.top().beat, now_);
}

void Cluster::end_generation(int code) {
  if (!running_ || now_ < ends_at_) return;
  running_ = false;
  ends_at_ = kNever;
  packets_ = {};
  if (code != 0) ++end_.failures;
  if (supervisor_) supervisor_->exited({code, "", best_commit_}, now_);
}

// Nothing is going on but training: the next thing that happens is drawn already.
bool Cluster::quiet() const {
  return supervisor_ && running_ && supervisor_->state() == Supervisor::State::kTraining && fault_at_ < 0 &&
         run_.faults.beat_loss == 0 && run_.faults.beat_delay == 0 && run_.faults.beat_twice == 0;
}

double Cluster::next_event() const {
  const double last_step =
      step_done_at_ + static_cast<double>(run_.total_steps - step_ - 1) * run_.step_seconds;
  return std::min({node_fault_, rank_fault_, hang_fault_, supervisor_fault_, ends_at_,
                   committing_step_ < 0 ? std::min(commit_at_, last_step) : committed_at_});
}

SimulatedEnd Cluster::play() {
  back_at_ = 0;
  supervisor_fault_ = after(run_.faults.supervisor_hours, 1);
  std::int64_t seen = 0;
  while (end_.code < 0 && now_ < run_.horizon) {
    supervisor_dies();
    fault();
    train();
    send_beats();
    deliver();
    end_generation(code_);
    if (supervisor_ && end_.code < 0) supervisor_->tick(now_);
    require(best_commit_ >= seen, "a committed step was lost");
    require(!supervisor_ || supervisor_->committed() <= best_commit_,
            "the supervisor counts on what is not committed");
    seen = best_commit_;
    now_ += kTick;
    if (quiet()) now_ = std::max(now_, next_event());
  }
  end_.seconds = now_;
  end_.committed = best_commit_;
  end_.goodput = static_cast<double>(best_commit_) * run_.step_seconds / std::max(now_, 1e-9);
  require(end_.code != 0 || best_commit_ == run_.total_steps, "done without all steps committed");
  return end_;
}

}  // namespace

SimulatedEnd simulate(const SimulatedRun& run) { return Cluster(run).play(); }

}  // namespace entrain::supervise
