#include "coordinator/control/supervisor_address.hpp"

#include <charconv>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/control/json_object.hpp"

namespace entrain::control {

std::uint64_t parse_run_id(const std::string& hex) {
  std::uint64_t id = 0;
  const char* end = hex.data() + hex.size();
  const auto [stop, error] = std::from_chars(hex.data(), end, id, 16);
  if (error != std::errc{} || stop != end)
    throw LaunchError(cat("run id \"", hex, "\": want 1 to 16 hex digits"));
  return id;
}

SupervisorAddress read_supervisor_address(const std::string& run_dir) {
  const std::string path = run_dir + "/control.json";
  std::ifstream in(path, std::ios::binary);
  if (!in) throw LaunchError(cat(path, ": cannot be read; the supervisor (`entrain run`) writes it"));
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded())
    throw LaunchError(cat(path, ": is not JSON; the supervisor (`entrain run`) writes it anew"));
  try {
    const JsonObject file(json, "control.json");
    return {file.text("address", 64), file.integer<std::uint16_t>("port", 1),
            parse_run_id(file.text("run_id", 16))};
  } catch (const Error& e) {
    throw LaunchError(cat(path, ": ", e.what()));
  }
}

}  // namespace entrain::control
