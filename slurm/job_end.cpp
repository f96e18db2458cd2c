#include "slurm/job_end.hpp"

#include <cctype>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "slurm/commands.hpp"

namespace entrain::slurm {
namespace {

std::optional<std::int64_t> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  std::int64_t number = 0;
  const std::string_view all(text);
  const auto [end, error] = std::from_chars(all.data(), all.data() + all.size(), number);
  if (error != std::errc{} || end != all.data() + all.size() || number <= 0) return std::nullopt;
  return number;
}

}  // namespace

std::optional<std::time_t> parse_end_time(const std::string& text) {
  std::tm local{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &local);
  if (end == nullptr) return std::nullopt;
  for (; *end != '\0'; ++end)
    if (std::isspace(static_cast<unsigned char>(*end)) == 0) return std::nullopt;
  local.tm_isdst = -1;
  return std::mktime(&local);
}

std::optional<std::time_t> job_end() {
  if (const auto job = number_in("SLURM_JOB_ID"))
    if (const auto end = parse_end_time(
            run_command({"squeue", "--noheader", "--jobs=" + std::to_string(*job), "--format=%e"},
                        kAskSeconds)
                .out))
      return end;
  return number_in("SLURM_JOB_END_TIME");
}

}  // namespace entrain::slurm
