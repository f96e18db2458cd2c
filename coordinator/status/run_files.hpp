#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/json_member.hpp"
#include "coordinator/status/run_status.hpp"

namespace entrain::status {

// Reading the small files of a run folder, which others write and a crash may have torn: nothing here throws for what a
// file holds.

/// The first 64 MiB of a file; empty where there is none.
std::string text_file(const std::string& path);
/// null where there is no file, or one that is not JSON.
nlohmann::json json_file(const std::string& path);
/// The member of that name, where `json` is an object and the member has that type.
using checkpoint::integer_of;
using checkpoint::number_of;
using checkpoint::text_of;
/// Nothing where it is not the document of run_status.hpp.
std::optional<RunStatus> status_of(const nlohmann::json& json);

/// The objects of a .jsonl file, in its order: at most `most`, spread evenly over the file, of which the last
/// `last` are its last lines, one behind the other. A torn line is left out.
std::vector<nlohmann::json> json_lines(const std::string& path, std::size_t most, std::size_t last);

/// Seconds since 1970 when a file was last written; nothing where it is not there.
std::optional<double> written_at(const std::string& path);

/// Whether a process of this machine lives; `start_ticks`: it must have been started then (clock ticks since boot), -1:
/// whenever.
bool process_lives(std::int64_t pid, std::int64_t start_ticks = -1);

}  // namespace entrain::status
