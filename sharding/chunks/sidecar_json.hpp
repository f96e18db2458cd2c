#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "sharding/chunks/sidecar.hpp"

namespace entrain::sharding {

/// What stands in front of the table of a sidecar.
struct SidecarHeader {
  IndexKey key;
  StorageDescription storage;
  std::string verified;
  std::uint64_t table_hash = 0;  ///< XXH3-64
};

std::string sidecar_text(const SidecarHeader& header);
/// Any exception where the text is not what sidecar_text() writes.
SidecarHeader sidecar_header(std::string_view text);

}  // namespace entrain::sharding
