#include "sharding/sample_plan.hpp"

#include <algorithm>
#include <span>
#include <stdexcept>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/sha256.hpp"

// How an epoch is ordered. Its raw order is a keyed permutation, or the windows of slabs: what follows asks only that it
// has every sample once and does not depend on the epochs before. Batches do not end where epochs do: the last
// r = (e+1)N mod G entries of epoch e, its leftovers, open a batch that the first q = G - r entries of epoch
// e+1 complete. Entries among those q that are leftovers too would stand twice in the batch, so each is
// exchanged with the first later entry of epoch e+1 that is not one. If c of the q collide, c exchanges pass
// over at most r - c further leftovers: nothing at or beyond position q + r = G is touched. The order of an
// epoch is therefore a "head" of G entries and the raw permutation behind it. With N >= 2G the leftovers of
// an epoch lie behind its head, so that a head depends on raw permutations only. With G <= N < 2G it depends
// on the head before it; that chain is cut wherever nothing is carried over, i.e. after at most G epochs.
namespace entrain::sharding {
namespace {

constexpr std::uint32_t kSamples = 0x504C414E;

template <typename T>
std::string digest_of(const std::vector<T>& numbers) {
  if (numbers.empty()) return "";
  Sha256 sha;
  sha.add(std::as_bytes(std::span(numbers)));
  return sha.hex();
}

}  // namespace

std::string digest_of_slabs(const std::vector<std::int64_t>& ends) { return digest_of(ends); }

SamplePlan::SamplePlan(PlanSettings s)
    : num_samples_(s.num_samples),
      global_batch_(s.global_batch),
      first_step_(s.first_step),
      first_epoch_(s.first_epoch),
      seed_(s.seed),
      order_(std::max<std::int64_t>(1, s.num_samples), s.seed, kSamples),
      classes_digest_(digest_of(s.classes)) {
  if (global_batch_ < 1) throw ConfigError(cat("batch: want at least 1 image, got ", global_batch_));
  if (num_samples_ < global_batch_)
    throw DataError(cat("the corpus has ", num_samples_, " images but one global batch needs ", global_batch_,
                        " different ones; lower batch.lanes or batch.lane_images, or add data.files"));
  if (!s.classes.empty()) {
    groups_ = std::make_shared<const GroupOrder>(s.classes, global_batch_, seed_);
  } else if (!s.slabs.ends.empty()) {
    if (s.slabs.ends.back() != num_samples_)
      throw std::logic_error(cat("slabs of ", s.slabs.ends.back(), " samples for a plan of ", num_samples_));
    slabs_digest_ = digest_of_slabs(s.slabs.ends);
    slabs_text_ = cat(" slabs ", slabs_digest_, " ", s.slabs.lane_images, " ", s.slabs.open_slabs);
    slab_order_ = std::make_shared<const SlabOrder>(std::move(s.slabs), global_batch_, seed_);
  }
}

template <typename Act>
void SamplePlan::for_each_raw(std::int64_t epoch, std::int64_t first, std::int64_t count, Act act) const {
  if (slab_order_)
    slab_order_->for_each(epoch, first, count, act);
  else
    order_.for_each(epoch, first, count, act);
}

std::int64_t SamplePlan::carried_into(std::int64_t epoch) const {
  return static_cast<std::int64_t>(static_cast<Wide>(epoch) * num_samples_ % global_batch_);
}

// `before`: the head of the epoch before, if its leftovers may lie in it.
SamplePlan::Head SamplePlan::make_head(std::int64_t epoch, const Head* before) const {
  const std::int64_t G = global_batch_, N = num_samples_;
  Head head(static_cast<std::size_t>(G));
  for_each_raw(epoch, 0, G, [&](std::int64_t i, std::int64_t sample) { head[i] = sample; });
  const std::int64_t r = carried_into(epoch), q = G - r;
  if (r == 0) return head;
  Head carried(static_cast<std::size_t>(r));
  for_each_raw(epoch - 1, N - r, r, [&](std::int64_t i, std::int64_t sample) { carried[i] = sample; });
  for (std::int64_t position = N - r; before && position < G; ++position)
    carried[position - (N - r)] = (*before)[position];
  std::sort(carried.begin(), carried.end());
  const auto is_carried = [&](std::int64_t s) {
    return std::binary_search(carried.begin(), carried.end(), s);
  };
  std::int64_t later = q;
  for (std::int64_t i = 0; i < q; ++i) {
    if (!is_carried(head[i])) continue;
    while (is_carried(head[later])) ++later;
    std::swap(head[i], head[later++]);
  }
  return head;
}

std::shared_ptr<const SamplePlan::Head> SamplePlan::head(std::int64_t epoch) const {
  const std::lock_guard lock(memo_->mutex);
  auto& heads = memo_->heads;
  const bool chained = num_samples_ < 2 * global_batch_;
  std::int64_t start = epoch;  // the nearest epoch at or before this one that needs no other
  if (chained)
    while (carried_into(start) != 0 && !heads.contains(start)) --start;
  for (std::int64_t e = start; e <= epoch; ++e) {
    if (heads.contains(e)) continue;
    const auto before = heads.find(e - 1);
    const Head* chain = chained && before != heads.end() ? before->second.get() : nullptr;
    heads[e] = std::make_shared<const Head>(make_head(e, chain));
    while (heads.size() > 4)
      heads.erase(heads.begin()->first < e - 1 ? heads.begin() : std::prev(heads.end()));
  }
  return heads.at(epoch);
}

std::vector<Slot> SamplePlan::batch(std::int64_t step) const { return batch(step, 0, global_batch_); }

// Slots [at, at + count) of the stream, which lie in one epoch.
void SamplePlan::add_permuted(std::int64_t at, std::int64_t count, Slot* out) const {
  const std::int64_t epoch = at / num_samples_, position = at % num_samples_;
  const std::int64_t in_head =
      carried_into(epoch) == 0 ? 0 : std::clamp<std::int64_t>(global_batch_ - position, 0, count);
  if (in_head > 0) {
    const auto heads = head(epoch);
    for (std::int64_t i = 0; i < in_head; ++i) out[i] = {(*heads)[position + i], first_epoch_ + epoch};
  }
  for_each_raw(epoch, position + in_head, count - in_head, [&](std::int64_t i, std::int64_t sample) {
    out[in_head + i] = {sample, first_epoch_ + epoch};
  });
}

std::vector<Slot> SamplePlan::batch(std::int64_t step, std::int64_t first, std::int64_t count) const {
  if (step < first_step_)
    throw std::logic_error(cat("this plan begins at step ", first_step_, ", not ", step));
  std::vector<Slot> slots;
  if (groups_) {
    const std::int64_t epoch = epoch_of(step) - first_epoch_;
    const auto begins = static_cast<std::int64_t>(static_cast<Wide>(epoch) * num_samples_ / global_batch_);
    for (const auto& entry : groups_->batch(epoch, step - first_step_ - begins, first, count))
      slots.push_back({entry.sample, first_epoch_ + epoch - (entry.carried ? 1 : 0)});
    return slots;
  }
  slots.resize(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count;) {
    const std::int64_t at = (step - first_step_) * global_batch_ + first + i;
    const std::int64_t run = std::min(count - i, num_samples_ - at % num_samples_);
    add_permuted(at, run, slots.data() + i);
    i += run;
  }
  return slots;
}

std::int64_t SamplePlan::epoch_of(std::int64_t step) const {
  const auto last = static_cast<Wide>(step - first_step_ + 1) * global_batch_ - 1;
  return first_epoch_ + static_cast<std::int64_t>(last / num_samples_);
}

std::string SamplePlan::digest() const {
  Sha256 sha;
  sha.add(cat("entrain sample plan 2: ", num_samples_, " ", global_batch_, " ", seed_, " ", first_step_, " ",
              first_epoch_, " ", classes_digest_, slabs_text_, ":"));
  const std::int64_t step = first_step_ + num_samples_ / global_batch_;
  for (const Slot& slot : batch(step, 0, std::min<std::int64_t>(global_batch_, 64)))
    sha.add(cat(" ", slot.sample));
  return sha.hex();
}

}  // namespace entrain::sharding
