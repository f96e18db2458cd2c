#include "coordinator/exit_file.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "checkpoint/atomic_file.hpp"
#include "checkpoint/json_member.hpp"
#include "configs/log.hpp"

namespace entrain::coordinator {

void write_exit(const std::string& run_dir, const ExitFile& end) noexcept {
  try {
    const char* verdict = end.code == 0 ? "done" : end.code == 75 || end.code == 76 ? "requeue" : "stop";
    const nlohmann::json exit = {{"code", end.code}, {"verdict", verdict}, {"reason", end.reason}};
    checkpoint::write_file_atomically(
        run_dir + "/exit.json", exit.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } catch (const std::exception& e) {
    log(Level::kWarning, e.what());
  }
}

std::optional<ExitFile> read_exit(const std::string& run_dir) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(run_dir + "/exit.json", none)) return std::nullopt;
  std::ifstream in(run_dir + "/exit.json", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("code") || !json["code"].is_number_integer()) return std::nullopt;
  return ExitFile{json["code"], checkpoint::text_of(json, "reason")};
}

void remove_exit(const std::string& run_dir) noexcept {
  std::error_code ignored;
  std::filesystem::remove(run_dir + "/exit.json", ignored);
}

}  // namespace entrain::coordinator
