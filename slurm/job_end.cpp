#include "slurm/job_end.hpp"

#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

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

std::string output_of(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "re"), ::pclose);
  std::array<char, 256> text{};
  if (!pipe || std::fgets(text.data(), text.size(), pipe.get()) == nullptr) return "";
  return text.data();
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
            output_of("squeue --noheader --jobs=" + std::to_string(*job) + " --format=%e 2>/dev/null")))
      return end;
  return number_in("SLURM_JOB_END_TIME");
}

}  // namespace entrain::slurm
