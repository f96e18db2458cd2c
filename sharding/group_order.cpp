#include "sharding/group_order.hpp"

#include <algorithm>
#include <stdexcept>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/philox.hpp"

// Legend: N samples in C classes, G places of a batch, e epoch, c_e = eN mod G samples carried into e.
//
// The samples of an epoch are put in a line, class by class in a permuted order, and position p of the line goes to
// batch p mod B, where B is the number of batches. Members of a class stand next to each other, so they land in different
// batches as long as there are no more of them than batches.
//
// What does not fill a batch is left over for the next epoch: one member of each of the last c_{e+1} < G classes in the
// order of e. That depends on e alone, not on what e itself was left with, so that any epoch can be made without those
// before it. The epoch trains its own samples but these, and those left over from e-1, each put beside its class: in all
// N - c_{e+1} + c_e = B G of them, B = floor((e+1)N/G) - floor(eN/G).
namespace entrain::sharding {
namespace {

constexpr std::uint32_t kClasses = 0x434C4153, kBatches = 0x42415443;

std::uint32_t num_classes(const std::vector<std::uint32_t>& classes) {
  return classes.empty() ? 0 : *std::max_element(classes.begin(), classes.end()) + 1;
}

}  // namespace

GroupOrder::GroupOrder(const std::vector<std::uint32_t>& classes, std::int64_t global_batch,
                       std::uint64_t seed)
    : num_samples_(static_cast<std::int64_t>(classes.size())),
      global_batch_(global_batch),
      first_(num_classes(classes) + 1),
      members_(classes.size()),
      class_order_(std::max<std::int64_t>(1, num_classes(classes)), seed, kClasses),
      seed_(seed) {
  if (num_samples_ >= (std::int64_t{1} << 31))
    throw DataError(
        cat("batch.same_group: forbid works on up to 2^31 images, the corpus has ", num_samples_));
  for (const std::uint32_t c : classes) ++first_[c + 1];
  if (std::find(first_.begin() + 1, first_.end(), 0U) != first_.end())
    throw std::logic_error("classes without a member");
  const auto largest = std::max_element(first_.begin(), first_.end());
  const std::int64_t size = *largest, batches = num_samples_ / global_batch_;
  for (std::size_t c = 1; c < first_.size(); ++c) first_[c] += first_[c - 1];
  auto next = first_;
  for (std::size_t i = 0; i < classes.size(); ++i)
    members_[next[classes[i]]++] = static_cast<std::uint32_t>(i);

  if (class_order_.size() < global_batch_)
    throw DataError(cat("batch.same_group: forbid needs a different group for each of the ", global_batch_,
                        " places of a batch, but the corpus has ", class_order_.size(),
                        " groups; lower batch.lanes or batch.lane_images, or use mask"));
  const bool carries = num_samples_ % global_batch_ != 0;  // then one more may come from the epoch before
  if (size + carries > batches)
    throw DataError(
        cat("batch.same_group: forbid is impossible: the largest group has ", size, " images",
            carries ? " (and one may be left over from the epoch before)" : "", ", but an epoch of ",
            num_samples_, " images has only ", batches, " batches of ", global_batch_,
            "; lower batch.lanes or batch.lane_images, use mask, or leave images of that group out"));
}

std::int64_t GroupOrder::left_over(std::int64_t epoch) const {
  return static_cast<std::int64_t>(static_cast<Wide>(epoch + 1) * num_samples_ % global_batch_);
}

// Where the members of a class begin in this epoch: not always with the same one.
std::int64_t GroupOrder::turn(std::int64_t epoch, std::uint32_t the_class) const {
  const std::uint32_t size = first_[the_class + 1] - first_[the_class];
  if (size == 1) return 0;
  const auto e = static_cast<std::uint64_t>(epoch);
  const auto draw = philox4x32({the_class, static_cast<std::uint32_t>(e), static_cast<std::uint32_t>(e >> 32),
                                static_cast<std::uint32_t>(Purpose::kPermutation)},
                               {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
  return draw[0] % size;
}

std::vector<GroupOrder::LeftOver> GroupOrder::members_left_over(std::int64_t epoch) const {
  std::vector<LeftOver> members;
  if (epoch < 0) return members;
  const std::int64_t count = left_over(epoch);
  class_order_.for_each(epoch, class_order_.size() - count, count, [&](std::int64_t, std::int64_t c) {
    const auto the_class = static_cast<std::uint32_t>(c);
    members.push_back({the_class, members_[first_[the_class] + turn(epoch, the_class)]});
  });
  return members;
}

GroupOrder::Epoch GroupOrder::make(std::int64_t epoch) const {
  auto carried = members_left_over(epoch - 1);
  std::sort(carried.begin(), carried.end(), [](auto& a, auto& b) { return a.of_class < b.of_class; });
  std::vector<bool> has_carried(first_.size() - 1);
  for (const LeftOver& member : carried) has_carried[member.of_class] = true;
  std::vector<std::uint32_t> order(first_.size() - 1);
  class_order_.for_each(epoch, 0, class_order_.size(),
                        [&](std::int64_t i, std::int64_t c) { order[i] = static_cast<std::uint32_t>(c); });
  Epoch made;
  made.line.reserve(members_.size() + carried.size());
  const std::size_t keeps_all = order.size() - static_cast<std::size_t>(left_over(epoch));
  for (std::size_t i = 0; i < order.size(); ++i) {
    // Classes come in an order that no cache foresees: a third of the time.
    if (i + 32 < order.size()) __builtin_prefetch(&first_[order[i + 32]]);
    if (i + 16 < order.size()) __builtin_prefetch(&members_[first_[order[i + 16]]]);
    const std::uint32_t the_class = order[i], first = first_[the_class], size = first_[the_class + 1] - first;
    const auto begin = static_cast<std::uint32_t>(turn(epoch, the_class));
    for (std::uint32_t m = i < keeps_all ? 0 : 1; m < size; ++m)
      made.line.push_back(members_[first + (begin + m) % size] << 1);
    if (!has_carried[the_class]) continue;
    const auto member = std::partition_point(carried.begin(), carried.end(),
                                             [&](auto& other) { return other.of_class < the_class; });
    made.line.push_back(member->sample << 1 | 1);
  }
  made.batches = static_cast<std::int64_t>(made.line.size()) / global_batch_;
  return made;
}

std::shared_ptr<const GroupOrder::Epoch> GroupOrder::at(std::int64_t epoch) const {
  const std::lock_guard lock(memo_->mutex);
  auto& epochs = memo_->epochs;
  if (const auto known = epochs.find(epoch); known != epochs.end()) return known->second;
  while (epochs.size() >= 2)
    epochs.erase(epochs.begin()->first < epoch ? epochs.begin() : std::prev(epochs.end()));
  return epochs[epoch] = std::make_shared<const Epoch>(make(epoch));
}

std::vector<GroupOrder::Entry> GroupOrder::batch(std::int64_t epoch, std::int64_t batch_index,
                                                 std::int64_t first, std::int64_t count) const {
  const auto made = at(epoch);
  const std::int64_t b = Permutation(made->batches, seed_, kBatches).at(epoch, batch_index);
  std::vector<Entry> entries;
  entries.reserve(static_cast<std::size_t>(count));
  for (std::int64_t place = first; place < first + count; ++place) {
    const std::uint32_t entry = made->line[static_cast<std::size_t>(place * made->batches + b)];
    entries.push_back({entry >> 1, (entry & 1) != 0});
  }
  return entries;
}

}  // namespace entrain::sharding
