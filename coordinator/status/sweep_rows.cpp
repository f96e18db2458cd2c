#include "coordinator/status/sweep_rows.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>

#include "configs/cat.hpp"
#include "coordinator/status/run_status.hpp"

namespace entrain::status {

namespace fs = std::filesystem;

std::optional<std::int64_t> sweep_row_of(const std::string& run_dir) {
  constexpr std::string_view kRow = "row-";
  const std::string name = name_of_run(run_dir);
  if (!name.starts_with(kRow)) return std::nullopt;
  std::int64_t row = 0;
  const char* last = name.data() + name.size();
  const auto [end, error] = std::from_chars(name.data() + kRow.size(), last, row);
  if (error != std::errc{} || end != last || row < 0) return std::nullopt;
  return row;
}

std::vector<std::string> sweep_rows(const std::string& base) {
  std::set<std::int64_t> rows;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(base, none))
    if (const auto row = sweep_row_of(entry.path()); row && entry.is_directory(none)) rows.insert(*row);
  std::ifstream file(base + "/sweep.jsonl");
  std::int64_t row = 0;
  for (std::string line; std::getline(file, line); ++row)
    if (!line.empty()) rows.insert(row);
  std::vector<std::string> folders;
  for (const std::int64_t each : rows) folders.push_back(fs::path(base) / cat("row-", each));
  return folders;
}

}  // namespace entrain::status
