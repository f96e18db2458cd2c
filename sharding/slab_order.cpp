#include "sharding/slab_order.hpp"

#include <numeric>
#include <stdexcept>

#include "configs/cat.hpp"
#include "configs/philox.hpp"

// Legend: N samples, G places of a batch, V lanes of m places, c = eN mod G places of the first batch that the epoch
// before has taken.
//
// A keyed permutation of the slabs, laid end to end, is one sequence of N samples. It is cut into V stretches: lane v gets
// as many as it has places in this epoch. Position p of the epoch stands in slot (c + p) mod G of its batch; how many of
// the positions below p belong to lanes below v, or to v, are closed forms, so that the place of p in the sequence is one.
//
// A stretch is cut into windows of whole slabs, of as equal a number as can be. In a window of M samples of n slabs, sample
// s of the S of a slab gets place (s + (rank + 1/2) / n) M / S, where the ranks of the slabs are drawn: if all have equally
// many, any n places in a row have one sample of each. Places are taken in groups and drawn inside a group: a group is what
// a batch takes, m places, or where that is less than n, as many batches as take no more than n. Which sample of its
// slab is the s-th is drawn too.
namespace entrain::sharding {
namespace {

constexpr std::uint32_t kSlabs = 0x534C4142;

// SplitMix64 (Steele et al. 2014), begun from a Philox draw.
class Stream {
 public:
  explicit Stream(std::uint64_t key) : state_(key) {}
  std::int64_t below(std::int64_t bound) {
    std::uint64_t x = state_ += 0x9E3779B97F4A7C15U;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9U;
    x = (x ^ x >> 27) * 0x94D049BB133111EBU;
    x ^= x >> 31;
    return static_cast<std::int64_t>(static_cast<Uint128>(x) * static_cast<std::uint64_t>(bound) >> 64);
  }
  void shuffle(std::int64_t* first, std::int64_t count) {
    for (std::int64_t left = count; left > 1; --left) std::swap(first[left - 1], first[below(left)]);
  }

 private:
  std::uint64_t state_;
};

// Which group sample 0, 1, ... of a slab falls into, without a division for each.
class Groups {
 public:
  struct Window {
    std::int64_t samples, slabs, group, shift;  // shift: places of the first group that are not this window's
  };
  Groups(const Window& w, std::int64_t samples, std::int64_t rank)
      : unit_(2 * w.slabs * samples * w.group),
        group_((2 * rank + 1) * w.samples + 2 * w.shift * w.slabs * samples),
        step_(2 * w.slabs * w.samples / unit_),
        step_rest_(2 * w.slabs * w.samples % unit_) {
    rest_ = group_ % unit_;
    group_ /= unit_;
  }
  std::size_t next() {
    const std::int64_t now = group_;
    group_ += step_;
    rest_ += step_rest_;
    if (rest_ >= unit_) ++group_, rest_ -= unit_;
    return static_cast<std::size_t>(now);
  }

 private:
  std::int64_t unit_, group_, step_, step_rest_, rest_ = 0;
};

}  // namespace

SlabOrder::SlabOrder(SlabSettings slabs, std::int64_t global_batch, std::uint64_t seed)
    : slabs_(std::move(slabs)),
      global_batch_(global_batch),
      num_lanes_(slabs_.lane_images < 1 ? 0 : global_batch / slabs_.lane_images),
      lane_slabs_(0),
      seed_(seed),
      order_(std::max<std::int64_t>(1, static_cast<std::int64_t>(slabs_.ends.size())), seed, kSlabs) {
  if (num_lanes_ < 1 || num_lanes_ * slabs_.lane_images != global_batch)
    throw std::logic_error(
        cat("slabs: a batch of ", global_batch, " is no whole number of lanes of ", slabs_.lane_images));
  std::int64_t before = 0;
  for (const std::int64_t end : slabs_.ends) {
    if (end <= before) throw std::logic_error(cat("slabs: the end ", end, " comes after ", before));
    before = end;
  }
  if (slabs_.ends.empty() || slabs_.open_slabs < 1) throw std::logic_error("slabs: there are none");
  lane_slabs_ = (slabs_.open_slabs + num_lanes_ - 1) / num_lanes_;
  memo_->lane_windows.resize(static_cast<std::size_t>(num_lanes_));
}

std::int64_t SlabOrder::carried_into(std::int64_t epoch) const {
  return static_cast<std::int64_t>(static_cast<Wide>(epoch) * size() % global_batch_);
}

// How many of the positions [0, position) stand in lanes [0, lane).
std::int64_t SlabOrder::below_lane(std::int64_t carried, std::int64_t position, std::int64_t lane) const {
  const std::int64_t slots = lane * slabs_.lane_images;
  const auto up_to = [&](std::int64_t place) {
    return place / global_batch_ * slots + std::min(place % global_batch_, slots);
  };
  return up_to(carried + position) - up_to(carried);
}

SlabOrder::Run SlabOrder::run_at(std::int64_t epoch, std::int64_t carried, std::int64_t position) const {
  const std::int64_t slot = (carried + position) % global_batch_, lane = slot / slabs_.lane_images;
  const std::int64_t of_lane = below_lane(carried, position, lane + 1) - below_lane(carried, position, lane);
  const std::int64_t place = below_lane(carried, size(), lane) + of_lane;
  const std::lock_guard lock(memo_->mutex);
  auto& windows = memo_->lane_windows[static_cast<std::size_t>(lane)];
  const auto holds = [&](const std::shared_ptr<const Window>& w) {
    return w && w->epoch == epoch && w->first <= place &&
           place < w->first + static_cast<std::int64_t>(w->samples.size());
  };
  if (!holds(windows[0])) {
    std::swap(windows[0], windows[1]);
    if (!holds(windows[0]))
      windows[0] = std::make_shared<const Window>(make_window(epoch, carried, lane, place));
  }
  const auto& window = windows[0];
  const std::int64_t inside = place - window->first;
  return {window, window->samples.data() + inside,
          std::min(static_cast<std::int64_t>(window->samples.size()) - inside,
                   slabs_.lane_images - slot % slabs_.lane_images)};
}

std::int64_t SlabOrder::at(std::int64_t epoch, std::int64_t position) const {
  return *run_at(epoch, carried_into(epoch), position).samples;
}

std::shared_ptr<const SlabOrder::Epoch> SlabOrder::epoch_at(std::int64_t epoch) const {
  auto& epochs = memo_->epochs;
  if (const auto known = epochs.find(epoch); known != epochs.end()) return known->second;
  auto made = std::make_shared<Epoch>();
  made->slabs.resize(slabs_.ends.size());
  made->ends.resize(slabs_.ends.size());
  order_.for_each(epoch, 0, order_.size(), [&](std::int64_t i, std::int64_t slab) {
    made->slabs[static_cast<std::size_t>(i)] = slab;
  });
  std::int64_t end = 0;
  for (std::size_t i = 0; i < made->slabs.size(); ++i) {
    const auto slab = static_cast<std::size_t>(made->slabs[i]);
    made->ends[i] = end += slabs_.ends[slab] - (slab == 0 ? 0 : slabs_.ends[slab - 1]);
  }
  while (epochs.size() >= 2)
    epochs.erase(epochs.begin()->first < epoch ? epochs.begin() : std::prev(epochs.end()));
  return epochs[epoch] = std::move(made);
}

// The window of this lane that has this place of the sequence. A slab is named by where it stands in the epoch.
SlabOrder::Window SlabOrder::make_window(std::int64_t epoch, std::int64_t carried, std::int64_t lane,
                                         std::int64_t place) const {
  const auto made = epoch_at(epoch);
  const auto slab_at = [&](std::int64_t at) {
    return std::upper_bound(made->ends.begin(), made->ends.end(), at) - made->ends.begin();
  };
  const std::int64_t begin = below_lane(carried, size(), lane), end = below_lane(carried, size(), lane + 1);
  const std::int64_t first_slab = slab_at(begin), num_slabs = slab_at(end - 1) + 1 - first_slab;
  const std::int64_t num_windows = std::max<std::int64_t>(1, num_slabs / lane_slabs_);
  const std::int64_t index = ((slab_at(place) - first_slab + 1) * num_windows - 1) / num_slabs;

  std::vector<Part> parts;
  Window window{epoch, end, {}};
  for (std::int64_t i = first_slab + index * num_slabs / num_windows;
       i < first_slab + (index + 1) * num_slabs / num_windows; ++i) {
    const auto slab = static_cast<std::size_t>(made->slabs[static_cast<std::size_t>(i)]);
    const std::int64_t slab_begin = i == 0 ? 0 : made->ends[static_cast<std::size_t>(i - 1)];
    const std::int64_t slab_end = made->ends[static_cast<std::size_t>(i)];
    const std::int64_t samples = slab == 0 ? 0 : slabs_.ends[slab - 1];
    parts.push_back({samples + std::max(begin - slab_begin, std::int64_t{0}),
                     samples + std::min(end, slab_end) - slab_begin});
    window.first = std::min(window.first, std::max(begin, slab_begin));
  }
  const std::int64_t m = slabs_.lane_images;
  const std::int64_t taken = std::clamp<std::int64_t>(carried - lane * m, 0, m) + window.first - begin;
  Draws draws(seed_, Purpose::kPermutation, static_cast<std::uint64_t>(window.first),
              static_cast<std::uint32_t>(epoch), static_cast<std::uint32_t>(epoch >> 32));
  const std::uint64_t key = std::uint64_t{draws.next()} << 32 | draws.next();
  window.samples = dealt(parts, m - taken % m, key);
  return window;
}

// `first_batch`: places of the batch in which the window begins.
std::vector<std::int64_t> SlabOrder::dealt(const std::vector<Part>& parts, std::int64_t first_batch,
                                           std::uint64_t key) const {
  Stream stream(key);
  const auto slabs = static_cast<std::int64_t>(parts.size()), m = slabs_.lane_images;
  std::vector<std::int64_t> ranks(parts.size());
  std::iota(ranks.begin(), ranks.end(), std::int64_t{0});
  stream.shuffle(ranks.data(), slabs);
  Groups::Window window{0, slabs, m * std::max<std::int64_t>(1, slabs / m), 0};
  for (const Part& part : parts) window.samples += part.end - part.first;
  window.shift = window.group - first_batch;

  // next[g + 1]: where group g goes on.
  std::vector<std::int64_t> next(static_cast<std::size_t>(window.samples / window.group) + 4);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::int64_t count = parts[i].end - parts[i].first;
    Groups groups(window, count, ranks[i]);
    for (std::int64_t s = 0; s < count; ++s) ++next[groups.next() + 2];
  }
  std::partial_sum(next.begin(), next.end(), next.begin());
  std::vector<std::int64_t> samples(static_cast<std::size_t>(window.samples)), slab;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    slab.resize(static_cast<std::size_t>(parts[i].end - parts[i].first));
    std::iota(slab.begin(), slab.end(), parts[i].first);
    stream.shuffle(slab.data(), static_cast<std::int64_t>(slab.size()));
    Groups groups(window, static_cast<std::int64_t>(slab.size()), ranks[i]);
    for (const std::int64_t sample : slab)
      samples[static_cast<std::size_t>(next[groups.next() + 1]++)] = sample;
  }
  for (std::size_t group = 0; group + 2 < next.size(); ++group)  // now next[g + 1] is where group g ends
    stream.shuffle(samples.data() + next[group], next[group + 1] - next[group]);
  return samples;
}

}  // namespace entrain::sharding
