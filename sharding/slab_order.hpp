#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "sharding/permutation.hpp"

namespace entrain::sharding {

/// Which samples are decoded together, and how they are dealt out.
struct SlabSettings {
  /// A slab: samples [ends[i - 1], ends[i]), from 0 and ascending to N. Empty: each sample can be read by itself.
  std::vector<std::int64_t> ends{};
  std::int64_t lane_images = 0;  ///< m, images of one lane in a batch
  std::int64_t open_slabs = 64;  ///< that are mixed at a time, over all lanes together
};

/// A bijection of [0, N) for every epoch, as Permutation is, in which a lane works on few slabs at a time: each is decoded
/// by one lane, in one window, whatever the number of ranks; only at the V - 1 ends of the lanes' stretches a slab is cut.
/// A pure function of its settings, G, the seed, the epoch and the position.
///
/// What the windows promise: a lane's window has at least w = ceil(open_slabs / V) slabs, if its stretch has as many, and
/// fewer than 2w. If equally many samples of each of them lie in it, a batch takes at most ceil(m / w) of one slab: with 64
/// open slabs at most ceil(G / 64). If not (rows were left out, a slab is cut, a file ends), it takes of each slab the
/// share that the slab has of the window, give or take three.
class SlabOrder {
 public:
  /// std::logic_error where ends do not ascend or G is no multiple of m.
  SlabOrder(SlabSettings slabs, std::int64_t global_batch, std::uint64_t seed);
  std::int64_t size() const { return slabs_.ends.back(); }
  /// What stands at this position in this epoch. Any thread may call.
  std::int64_t at(std::int64_t epoch, std::int64_t position) const;
  /// act(i, what stands at first + i) for i in [0, count). Any thread may call.
  template <typename Act>
  void for_each(std::int64_t epoch, std::int64_t first, std::int64_t count, Act act) const {
    const std::int64_t carried = carried_into(epoch);
    for (std::int64_t i = 0; i < count;) {
      const Run run = run_at(epoch, carried, first + i);
      const std::int64_t end = i + std::min(count - i, run.count);
      for (const std::int64_t* sample = run.samples; i < end; ++i) act(i, *sample++);
    }
  }

 private:
  struct Epoch {
    std::vector<std::int64_t> slabs;  // in the order of this epoch
    std::vector<std::int64_t> ends;   // of each, end to end
  };
  struct Window {
    std::int64_t epoch = 0, first = 0;  // place of samples[0] in the sequence of the epoch
    std::vector<std::int64_t> samples;
  };
  // Of a lane's window, what a batch takes.
  struct Run {
    std::shared_ptr<const Window> window;  // keeps samples alive
    const std::int64_t* samples = nullptr;
    std::int64_t count = 0;
  };
  // Samples [first, end) of a slab: the part of it that lies in a lane's stretch.
  struct Part {
    std::int64_t first, end;
  };
  std::int64_t carried_into(std::int64_t epoch) const;
  std::int64_t below_lane(std::int64_t carried, std::int64_t position, std::int64_t lane) const;
  Run run_at(std::int64_t epoch, std::int64_t carried, std::int64_t position) const;
  std::shared_ptr<const Epoch> epoch_at(std::int64_t epoch) const;
  Window make_window(std::int64_t epoch, std::int64_t carried, std::int64_t lane, std::int64_t place) const;
  std::vector<std::int64_t> dealt(const std::vector<Part>& parts, std::int64_t first_batch,
                                  std::uint64_t key) const;

  SlabSettings slabs_;
  std::int64_t global_batch_, num_lanes_, lane_slabs_;
  std::uint64_t seed_;
  Permutation order_;  // of the slabs
  struct Memo {
    std::mutex mutex;
    std::map<std::int64_t, std::shared_ptr<const Epoch>> epochs;             // the last two
    std::vector<std::array<std::shared_ptr<const Window>, 2>> lane_windows;  // the last two of each lane
  };
  std::shared_ptr<Memo> memo_ = std::make_shared<Memo>();
};

}  // namespace entrain::sharding
