#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace entrain::sharding {

enum class ElementType { kU8, kU16, kF32 };

constexpr std::size_t bytes_of(ElementType type) {
  return type == ElementType::kU8 ? 1 : type == ElementType::kU16 ? 2 : 4;
}
constexpr std::string_view name_of(ElementType type) {
  return type == ElementType::kU8 ? "u8" : type == ElementType::kU16 ? "u16" : "f32";
}

/// One image as it is handed out: height x width x channels (HWC), host byte order, whatever the file has.
struct ImageShape {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 1;  ///< 1 or 3
  ElementType type = ElementType::kU8;

  std::int64_t values() const { return height * width * channels; }
  std::size_t bytes() const { return static_cast<std::size_t>(values()) * bytes_of(type); }
  bool operator==(const ImageShape&) const = default;
};

}  // namespace entrain::sharding
