#pragma once
#include <string>
#include <string_view>

#include "checkpoint/file_system.hpp"

namespace entrain::checkpoint {

/// Writes PATH.tmp, syncs it, and renames it to PATH: a reader sees the old text or the new, never half of
/// one. For small files (metrics.json, exit.json, LATEST). CheckpointError; the old file then is still there.
void write_file_atomically(const std::string& path, std::string_view text,
                           FileSystem& files = real_file_system());

}  // namespace entrain::checkpoint
