#include "sharding/sample_plan.hpp"

#include <algorithm>
#include <cmath>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/philox.hpp"
#include "configs/sha256.hpp"

// How an epoch is ordered. Its raw order is a keyed permutation. Batches do not end where epochs do: the last
// r = (e+1)N mod G entries of epoch e, its leftovers, open a batch that the first q = G - r entries of epoch
// e+1 complete. Entries among those q that are leftovers too would stand twice in the batch, so each is
// exchanged with the first later entry of epoch e+1 that is not one. If c of the q collide, c exchanges pass
// over at most r - c further leftovers: nothing at or beyond position q + r = G is touched. The order of an
// epoch is therefore a "head" of G entries and the raw permutation behind it. With N >= 2G the leftovers of
// an epoch lie behind its head, so that a head depends on raw permutations only. With G <= N < 2G it depends
// on the head before it; that chain is cut wherever nothing is carried over, i.e. after at most G epochs.
namespace entrain::sharding {
namespace {
constexpr int kRounds = 8;

std::int64_t ceil_root(std::int64_t n) {
  auto root = static_cast<std::int64_t>(std::sqrt(static_cast<double>(n)));
  while (root * root < n) ++root;
  while (root > 1 && (root - 1) * (root - 1) >= n) --root;
  return root;
}
}  // namespace

SamplePlan::SamplePlan(std::int64_t num_samples, std::int64_t global_batch, std::uint64_t seed)
    : num_samples_(num_samples), global_batch_(global_batch), seed_(seed), half_(ceil_root(num_samples)) {
  if (global_batch < 1) throw ConfigError(cat("batch: want at least 1 image, got ", global_batch));
  if (num_samples < global_batch)
    throw DataError(cat("the corpus has ", num_samples, " images but one global batch needs ", global_batch,
                        " different ones; lower batch.lanes or batch.lane_images, or add data.files"));
}

// A Feistel network over pairs (l, r) in [0, half)^2 with modular addition: a bijection for any half. The
// square is hardly larger than N; the few values beyond N walk on along their cycle until they fall inside.
std::int64_t SamplePlan::raw(std::int64_t epoch, std::int64_t position) const {
  const auto e = static_cast<std::uint64_t>(epoch);
  const auto key =
      philox4x32({static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32),
                  static_cast<std::uint32_t>(Purpose::kPermutation), static_cast<std::uint32_t>(e)},
                 {static_cast<std::uint32_t>(e >> 32), 0x504C414EU});
  const auto half = static_cast<std::uint64_t>(half_);
  auto value = static_cast<std::uint64_t>(position);
  do {
    std::uint64_t left = value / half, right = value % half;
    for (std::uint32_t round = 0; round < kRounds; ++round) {
      const auto f =
          philox4x32({static_cast<std::uint32_t>(right), static_cast<std::uint32_t>(right >> 32), round, 0},
                     {key[0], key[1]});
      const std::uint64_t mixed = (std::uint64_t{f[0]} << 32 | f[1]) % half;
      const std::uint64_t sum = left + mixed;
      left = right;
      right = sum < half ? sum : sum - half;
    }
    value = left * half + right;
  } while (value >= static_cast<std::uint64_t>(num_samples_));
  return static_cast<std::int64_t>(value);
}

// `before`: the head of the epoch before, if its leftovers may lie in it.
SamplePlan::Head SamplePlan::make_head(std::int64_t epoch, const Head* before) const {
  const std::int64_t G = global_batch_, N = num_samples_;
  Head head(static_cast<std::size_t>(G));
  for (std::int64_t i = 0; i < G; ++i) head[i] = raw(epoch, i);
  const std::int64_t r = carried_into(epoch), q = G - r;
  if (r == 0) return head;
  Head carried(static_cast<std::size_t>(r));
  for (std::int64_t i = 0; i < r; ++i) {
    const std::int64_t position = N - r + i;
    carried[i] = before && position < G ? (*before)[position] : raw(epoch - 1, position);
  }
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

std::vector<Slot> SamplePlan::batch(std::int64_t step, std::int64_t first, std::int64_t count) const {
  std::vector<Slot> slots(static_cast<std::size_t>(count));
  std::shared_ptr<const Head> head_of_epoch;
  std::int64_t head_epoch = -1;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t at = step * global_batch_ + first + i;
    const std::int64_t epoch = at / num_samples_, position = at % num_samples_;
    const bool in_head = position < global_batch_ && carried_into(epoch) != 0;
    if (in_head && head_epoch != epoch) {
      head_of_epoch = head(epoch);
      head_epoch = epoch;
    }
    slots[i] = {in_head ? (*head_of_epoch)[position] : raw(epoch, position), epoch};
  }
  return slots;
}

std::string SamplePlan::digest() const {
  Sha256 sha;
  sha.add(cat("entrain sample plan 1: ", num_samples_, " ", global_batch_, " ", seed_, ":"));
  for (const Slot& slot : batch(num_samples_ / global_batch_, 0, std::min<std::int64_t>(global_batch_, 64)))
    sha.add(cat(" ", slot.sample));
  return sha.hex();
}

}  // namespace entrain::sharding
