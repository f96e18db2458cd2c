#pragma once
#include <optional>
#include <string>

namespace entrain::coordinator {

/// How a run ended, as RUN/exit.json says: the verdict that outlives launchers which lose exit codes.
struct ExitFile {
  int code = 0;
  std::string reason{};
};

/// Never throws: a disk that cannot take it is a warning.
void write_exit(const std::string& run_dir, const ExitFile& end) noexcept;
/// Nothing: there is none, or it is not whole.
std::optional<ExitFile> read_exit(const std::string& run_dir);
/// Before a start: what an earlier one left must not be taken for this one's.
void remove_exit(const std::string& run_dir) noexcept;

}  // namespace entrain::coordinator
