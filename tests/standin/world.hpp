#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace entrain::standin {

constexpr int kMostRanks = 64;

/// What a rank says of a collective, for the others to compare.
struct Call {
  char name[16] = "";
  std::uint64_t count = 0;
  int type = 0, root = 0;
};

/// What a rank waits for: so that two who wait for each other in different calls are seen.
struct Waiting {
  enum Kind : std::uint64_t { kNothing, kCollective, kSend, kReceive };
  static std::uint64_t pack(Kind kind, int peer, std::uint64_t number) {
    return kind | static_cast<std::uint64_t>(peer) << 4 | number << 16;
  }
};

struct RankSlot {
  std::atomic<int> process = 0;                ///< 0: has not joined
  std::atomic<std::uint64_t> collectives = 0;  ///< that it has published
  std::atomic<std::uint64_t> waiting = 0;
  std::atomic<bool> left = false, aborted = false;
  Call calls[2];  ///< of its last two collectives
};

/// From one rank to another.
struct Channel {
  std::atomic<std::uint64_t> sent = 0, taken = 0;
  std::uint64_t bytes = 0;
};

struct Shared {
  RankSlot ranks[kMostRanks];
  Channel channels[kMostRanks][kMostRanks];
};

/// Memory that the ranks of one communicator share. It has no name: it goes with the last process that has it.
class World {
 public:
  /// Rank 0 makes it; the text goes into the unique id.
  static std::string make();
  World(const std::string& text, int ranks);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  RankSlot& rank(int r) { return shared_->ranks[r]; }
  Channel& channel(int from, int to) { return shared_->channels[from][to]; }
  /// What rank r has put down for its collective of this number; two are kept.
  char* collective_data(int r, std::uint64_t number, std::size_t bytes);
  char* channel_data(int from, int to, std::size_t bytes);

 private:
  char* area(std::size_t index, std::size_t bytes);
  int ranks_;
  std::size_t bytes_;
  char* memory_ = nullptr;
  Shared* shared_ = nullptr;
};

/// False where the process has ended, also if nobody has taken note of it.
bool is_running(int process);

}  // namespace entrain::standin
