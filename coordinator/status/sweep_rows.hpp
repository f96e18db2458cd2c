#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace entrain::status {

/// 3 for ".../row-3"; nothing for a folder of any other name.
std::optional<std::int64_t> sweep_row_of(const std::string& run_dir);

/// The folders of the rows of a sweep, those that have not begun too, in their order. Empty: the folder is that of no sweep.
std::vector<std::string> sweep_rows(const std::string& base);

}  // namespace entrain::status
