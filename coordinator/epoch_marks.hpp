#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

namespace entrain::coordinator {

/// Which samples each epoch saw, one bit per sample. Of an epoch that saw them all, only its number is kept.
class EpochMarks {
 public:
  explicit EpochMarks(std::int64_t num_samples) : num_samples_(num_samples) {}
  EpochMarks(EpochMarks&&) = default;
  EpochMarks& operator=(EpochMarks&&) = default;

  /// False: this epoch saw this sample before.
  bool mark(std::int64_t epoch, std::int64_t sample) {
    Bits* bits = epoch == last_epoch_ ? last_ : find(epoch);
    if (bits == nullptr) return false;
    std::uint64_t& word = bits->words[static_cast<std::size_t>(sample) / 64];
    const std::uint64_t bit = std::uint64_t{1} << (sample % 64);
    if ((word & bit) != 0) return false;
    word |= bit;
    if (++bits->seen == num_samples_) close(epoch);
    return true;
  }
  /// Adds what another saw; calls `twice` for each (epoch, sample) that both did.
  void add(const EpochMarks& other, const std::function<void(std::int64_t, std::int64_t)>& twice);

  std::int64_t num_samples() const { return num_samples_; }
  const std::set<std::int64_t>& whole() const { return whole_; }
  std::vector<std::int64_t> open() const;                       ///< epochs that saw some, not all
  std::int64_t seen(std::int64_t epoch) const;                  ///< of an open epoch
  std::vector<std::int64_t> missing(std::int64_t epoch) const;  ///< the samples an open epoch did not see

 private:
  struct Bits {
    std::int64_t seen = 0;
    std::vector<std::uint64_t> words;
  };
  Bits* find(std::int64_t epoch);  // null: it is whole
  void close(std::int64_t epoch);

  std::int64_t num_samples_;
  std::map<std::int64_t, Bits> open_;
  std::set<std::int64_t> whole_;
  std::int64_t last_epoch_ = -1;
  Bits* last_ = nullptr;
};

}  // namespace entrain::coordinator
