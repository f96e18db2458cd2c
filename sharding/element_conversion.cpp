#include "sharding/element_conversion.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace entrain::sharding {
namespace {

static_assert(std::endian::native == std::endian::little);

template <typename Bits>
Bits swapped(Bits x) {
  if constexpr (sizeof x == 2) return __builtin_bswap16(x);
  if constexpr (sizeof x == 4) return __builtin_bswap32(x);
  if constexpr (sizeof x == 8) return __builtin_bswap64(x);
  return x;
}

// IEEE 754 half precision. A subnormal is its digits times 2^-24; infinity and NaN keep their digits.
float from_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16, exponent = half >> 10 & 31,
                      digits = half & 1023;
  if (exponent == 0) {
    const float value = static_cast<float>(digits) * 0x1p-24F;
    return sign ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | digits << 13);
}

template <typename Bits, typename Out, typename Convert>
void each(std::span<const std::byte> stored, bool big_endian, std::byte* out, const Convert& convert) {
  const std::size_t count = stored.size() / sizeof(Bits);
  for (std::size_t i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, stored.data() + i * sizeof bits, sizeof bits);
    const Out value = convert(big_endian ? swapped(bits) : bits);
    std::memcpy(out + i * sizeof value, &value, sizeof value);
  }
}

template <typename Bits, typename Number>
void to_float(std::span<const std::byte> stored, bool big_endian, std::byte* out) {
  each<Bits, float>(stored, big_endian, out,
                    [](Bits bits) { return static_cast<float>(std::bit_cast<Number>(bits)); });
}

template <typename Bits>
void as_it_is(std::span<const std::byte> stored, bool big_endian, std::byte* out) {
  each<Bits, Bits>(stored, big_endian, out, [](Bits bits) { return bits; });
}

}  // namespace

std::optional<ElementType> handed_out_as(const StoredElement& e) {
  if (e.kind == StoredKind::kUnsigned && e.bytes == 1) return ElementType::kU8;
  if (e.kind == StoredKind::kUnsigned && e.bytes == 2) return ElementType::kU16;
  const bool integer = e.kind == StoredKind::kUnsigned || e.kind == StoredKind::kSigned;
  if (integer && (e.bytes == 1 || e.bytes == 2 || e.bytes == 4)) return ElementType::kF32;
  if (e.kind == StoredKind::kFloat && (e.bytes == 2 || e.bytes == 4 || e.bytes == 8))
    return ElementType::kF32;
  return std::nullopt;
}

bool needs_no_conversion(const StoredElement& e) {
  const bool same =
      (e.kind == StoredKind::kUnsigned && e.bytes <= 2) || (e.kind == StoredKind::kFloat && e.bytes == 4);
  return same && (e.bytes == 1 || !e.big_endian);
}

void convert_elements(const StoredElement& e, std::span<const std::byte> stored, std::byte* out) {
  const bool big = e.big_endian;
  if (e.kind == StoredKind::kFloat) {
    if (e.bytes == 2) return each<std::uint16_t, float>(stored, big, out, from_half);
    return e.bytes == 4 ? to_float<std::uint32_t, float>(stored, big, out)
                        : to_float<std::uint64_t, double>(stored, big, out);
  }
  const bool is_signed = e.kind == StoredKind::kSigned;
  switch (e.bytes) {
    case 1:
      return is_signed ? to_float<std::uint8_t, std::int8_t>(stored, big, out)
                       : as_it_is<std::uint8_t>(stored, big, out);
    case 2:
      return is_signed ? to_float<std::uint16_t, std::int16_t>(stored, big, out)
                       : as_it_is<std::uint16_t>(stored, big, out);
    case 4:
      return is_signed ? to_float<std::uint32_t, std::int32_t>(stored, big, out)
                       : to_float<std::uint32_t, std::uint32_t>(stored, big, out);
    default:
      throw std::logic_error("convert_elements: no such type");
  }
}

}  // namespace entrain::sharding
