// HDF5's variant of Fletcher's checksum: 16-bit words, big-endian whatever the data are; an odd last byte is the high
// byte of a word; both sums begin at 0 and are folded (x & 0xffff) + (x >> 16), so 65535 stays 65535 and is not 0.
// The result follows the data, little-endian.
#include <algorithm>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/filters/undo.hpp"

namespace entrain::sharding {
namespace {

constexpr std::size_t kChecksumBytes = 4;
constexpr std::size_t kWordsPerFold = 360;  // with that many neither sum overflows 32 bits

std::uint32_t fold(std::uint32_t sum) { return (sum & 0xffff) + (sum >> 16); }

std::uint32_t fletcher32(Bytes data) {
  std::uint32_t sum1 = 0, sum2 = 0;
  const std::byte* at = data.data();
  for (std::size_t words = data.size() / 2; words > 0;) {
    const std::size_t now = std::min(words, kWordsPerFold);
    for (std::size_t i = 0; i < now; ++i, at += 2) {
      sum1 += std::to_integer<std::uint32_t>(at[0]) << 8 | std::to_integer<std::uint32_t>(at[1]);
      sum2 += sum1;
    }
    sum1 = fold(sum1);
    sum2 = fold(sum2);
    words -= now;
  }
  if (data.size() % 2 != 0) {
    sum1 = fold(sum1 + (std::to_integer<std::uint32_t>(data.back()) << 8));
    sum2 = fold(sum2 + sum1);
  }
  return fold(sum2) << 16 | fold(sum1);
}

// Before 1.6.3 little-endian machines took the words little-endian: both halves then come out with their bytes swapped.
std::uint32_t as_written_before_1_6_3(std::uint32_t sum) {
  return (sum & 0x00ff00ff) << 8 | (sum >> 8 & 0x00ff00ff);
}

}  // namespace

Bytes without_fletcher32(Bytes in) {
  if (in.size() < kChecksumBytes)
    throw DataError(
        cat("fletcher32: ", in.size(), " bytes are too few to end in a checksum of ", kChecksumBytes));
  const Bytes data = in.first(in.size() - kChecksumBytes);
  const std::uint32_t stored = little_endian_u32(data.data() + data.size()), computed = fletcher32(data);
  if (stored != computed && stored != as_written_before_1_6_3(computed))
    throw DataError(cat("fletcher32: the checksum of ", data.size(), " bytes is ", computed,
                        ", stored with them is ", stored, ": they were damaged"));
  return data;
}

}  // namespace entrain::sharding
