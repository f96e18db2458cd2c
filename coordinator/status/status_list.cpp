#include "coordinator/status/status_list.hpp"

#include <algorithm>
#include <array>

#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "coordinator/status/lag_table.hpp"
#include "coordinator/status/text_lines.hpp"

namespace entrain::status {
namespace {

constexpr std::size_t kColumns = 6;
using Row = std::array<std::string, kColumns>;

std::string word_of(const RunStatus& s) {
  if (!has_ended(s)) return s.state;
  return s.exit_code == 0 ? "done" : cat("exit ", s.exit_code);
}

std::string step_of(const RunStatus& s) {
  if (s.step == 0 && s.total_steps == 0) return "-";
  return s.total_steps > 0 ? cat(s.step, " of ", s.total_steps) : cat(s.step);
}

std::string ending_of(const RunStatus& s) {
  if (is_at_work(s) && s.eta_seconds) return duration_text(*s.eta_seconds) + " to go";
  if (has_ended(s) && s.exit_code == 0) return "";
  return s.reason == s.state ? "" : s.reason;
}

Row row_of(const RunStatus& s) {
  const auto number = [](const std::optional<double>& value, int digits) {
    return value ? fixed(*value, digits) : std::string("-");
  };
  // A speed is today's: of a run that is not at work there is none.
  return {s.run_dir,
          word_of(s),
          step_of(s),
          number(s.loss, 4),
          is_at_work(s) ? number(s.views_per_second, 1) : "-",
          ending_of(s)};
}

}  // namespace

std::string status_list(const std::vector<RunStatus>& runs, const TextStyle& style) {
  std::vector<Row> rows{{"run", "state", "step", "loss", "views/s", ""}};
  for (const RunStatus& run : runs) rows.push_back(row_of(run));
  std::array<std::size_t, kColumns> widths{};
  for (Row& row : rows)
    for (std::size_t c = 0; c < kColumns; ++c) {
      row[c] = terminal_text(row[c], std::string::npos);
      widths[c] = std::max(widths[c], row[c].size());
    }
  Lines lines(style);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::string line;
    for (std::size_t c = 0; c < kColumns; ++c) {
      const std::string pad(widths[c] - rows[i][c].size(), ' ');
      const bool right = c == 3 || c == 4;  // numbers
      line += cat(c == 0 ? "" : "  ", right ? pad : "", rows[i][c], right ? "" : pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    lines.add(line, i == 0 ? Colour::kFaint : colour_of(runs[i - 1]));
  }
  return lines.take();
}

}  // namespace entrain::status
