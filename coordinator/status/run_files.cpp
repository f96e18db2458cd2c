#include "coordinator/status/run_files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>

#include "checkpoint/run_lock.hpp"

namespace entrain::status {
namespace {

constexpr std::streamoff kMostBytes = 64 << 20, kTailBytes = 256 << 10, kLineBytes = 16 << 10;

// Bytes [from, to) of a file, or as many of them as there are.
std::string slice(std::ifstream& in, std::streamoff from, std::streamoff to) {
  std::string text(static_cast<std::size_t>(std::max<std::streamoff>(0, to - from)), '\0');
  in.clear();
  in.seekg(from);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, in.gcount())));
  return text;
}

std::vector<std::string_view> whole_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t end; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1))
    lines.push_back(text.substr(0, end));
  return lines;
}

// A pipe would be waited for, for ever.
bool is_plain_file(const std::string& path) {
  std::error_code none;
  return std::filesystem::is_regular_file(path, none);
}

void add_object(std::vector<nlohmann::json>& objects, std::string_view line) {
  auto object = nlohmann::json::parse(line, nullptr, false);
  if (object.is_object()) objects.push_back(std::move(object));
}

}  // namespace

std::string text_file(const std::string& path) {
  if (!is_plain_file(path)) return "";
  std::ifstream in(path, std::ios::binary);
  return in ? slice(in, 0, std::min<std::streamoff>(kMostBytes, in.seekg(0, std::ios::end).tellg())) : "";
}

nlohmann::json json_file(const std::string& path) {
  auto json = nlohmann::json::parse(text_file(path), nullptr, false);
  return json.is_discarded() ? nlohmann::json() : json;
}

std::optional<RunStatus> status_of(const nlohmann::json& json) {
  try {
    if (json.is_object()) return json.get<RunStatus>();
  } catch (const std::exception&) {  // of another program, or of another version of this one
  }
  return std::nullopt;
}

std::vector<nlohmann::json> json_lines(const std::string& path, std::size_t most, std::size_t last) {
  std::vector<nlohmann::json> objects;
  if (!is_plain_file(path)) return objects;
  std::ifstream in(path, std::ios::binary);
  if (!in) return objects;
  const std::streamoff size = in.seekg(0, std::ios::end).tellg();
  const std::streamoff tail_begins = std::max<std::streamoff>(0, size - kTailBytes);
  const std::string tail = slice(in, tail_begins, size);
  auto lines = whole_lines(tail);
  if (tail_begins > 0 && !lines.empty()) lines.erase(lines.begin());  // its beginning was not read
  const std::size_t close = std::min({last, most, lines.size()}), spread = most - close;
  lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(close));
  const std::streamoff close_begins =
      lines.empty() ? size : tail_begins + static_cast<std::streamoff>(lines.front().data() - tail.data());

  std::streamoff taken_to = -1;
  for (std::size_t i = 0; i < spread; ++i) {
    const auto at = static_cast<std::streamoff>(static_cast<double>(close_begins) * static_cast<double>(i) /
                                                static_cast<double>(spread));
    const std::streamoff from =
        std::max<std::streamoff>(0, at - 1);  // at - 1: a newline there is no lost line
    const std::string text = slice(in, from, std::min(at + kLineBytes, close_begins));
    const std::size_t begin = at == 0 ? 0 : text.find('\n') + 1, end = text.find('\n', begin);
    if ((at > 0 && begin == 0) || end == text.npos) continue;
    const std::streamoff line_at = from + static_cast<std::streamoff>(begin);
    if (line_at > taken_to) add_object(objects, std::string_view(text).substr(begin, end - begin));
    taken_to = std::max(taken_to, line_at);
  }
  for (const auto line : lines) add_object(objects, line);
  return objects;
}

std::optional<double> written_at(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return std::nullopt;
  return static_cast<double>(found.st_mtim.tv_sec) + 1e-9 * static_cast<double>(found.st_mtim.tv_nsec);
}

bool process_lives(std::int64_t pid, std::int64_t start_ticks) {
  if (pid <= 0) return false;
  const std::int64_t now = checkpoint::process_start_ticks(pid);
  return now >= 0 && (start_ticks < 0 || now == start_ticks);
}

}  // namespace entrain::status
