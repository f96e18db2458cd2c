#include "coordinator/control/supervised.hpp"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "configs/process.hpp"

namespace entrain::control {

std::optional<Supervised> supervised() {
  const char *id = std::getenv("ENTRAIN_RUN_ID"), *generation = std::getenv("ENTRAIN_GENERATION");
  if (id == nullptr || generation == nullptr) return std::nullopt;
  Supervised mine{id, 0};
  const std::string_view text(generation);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mine.generation);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return mine;
}

std::string node_name() {
  const char* name = std::getenv("SLURMD_NODENAME");
  return name != nullptr && *name != '\0' ? name : host_name();
}

}  // namespace entrain::control
