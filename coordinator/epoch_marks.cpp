#include "coordinator/epoch_marks.hpp"

namespace entrain::coordinator {

EpochMarks::Bits* EpochMarks::find(std::int64_t epoch) {
  auto at = open_.find(epoch);
  if (at == open_.end()) {
    if (whole_.contains(epoch)) return nullptr;
    at = open_.emplace(epoch, Bits{}).first;
    at->second.words.resize(static_cast<std::size_t>(num_samples_ + 63) / 64);
  }
  last_epoch_ = epoch;
  return last_ = &at->second;
}

void EpochMarks::close(std::int64_t epoch) {
  open_.erase(epoch);
  whole_.insert(epoch);
  last_epoch_ = -1;
}

void EpochMarks::add(const EpochMarks& other, const std::function<void(std::int64_t, std::int64_t)>& twice) {
  const auto add_sample = [&](std::int64_t epoch, std::int64_t sample) {
    if (!mark(epoch, sample)) twice(epoch, sample);
  };
  for (const std::int64_t epoch : other.whole_) {
    if (open_.contains(epoch) || whole_.contains(epoch))
      for (std::int64_t sample = 0; sample < num_samples_; ++sample) add_sample(epoch, sample);
    else
      whole_.insert(epoch);
  }
  for (const auto& [epoch, bits] : other.open_)
    for (std::size_t w = 0; w < bits.words.size(); ++w)
      for (std::uint64_t word = bits.words[w]; word != 0; word &= word - 1)
        add_sample(epoch, static_cast<std::int64_t>(w * 64) + __builtin_ctzll(word));
}

std::vector<std::int64_t> EpochMarks::open() const {
  std::vector<std::int64_t> epochs;
  for (const auto& [epoch, unused] : open_) epochs.push_back(epoch);
  return epochs;
}

std::int64_t EpochMarks::seen(std::int64_t epoch) const { return open_.at(epoch).seen; }

std::vector<std::int64_t> EpochMarks::missing(std::int64_t epoch) const {
  const Bits& bits = open_.at(epoch);
  std::vector<std::int64_t> samples;
  for (std::int64_t sample = 0; sample < num_samples_; ++sample)
    if ((bits.words[static_cast<std::size_t>(sample) / 64] >> (sample % 64) & 1) == 0)
      samples.push_back(sample);
  return samples;
}

}  // namespace entrain::coordinator
