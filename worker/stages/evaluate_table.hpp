#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace entrain::worker {

/// What `entrain evaluate` prints of its metrics.json, for people.
std::string evaluate_table(const nlohmann::json& metrics);

}  // namespace entrain::worker
