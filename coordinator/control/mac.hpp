#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace entrain::control {

inline constexpr std::size_t kSecretBytes = 32;  ///< of a token, a nonce, a key and an HMAC

/// HMAC-SHA256, 32 raw bytes.
std::string hmac_sha256(std::string_view key, std::string_view text);
/// Takes as long for a wrong first byte as for a wrong last one.
bool equal_in_constant_time(std::string_view a, std::string_view b);
/// From the system's generator. LaunchError where it has none.
std::string random_secret();

std::string hex_of(std::string_view bytes);
/// Nothing: not 64 lower-case hex digits.
std::optional<std::string> secret_of_hex(std::string_view hex);

}  // namespace entrain::control
