#include "coordinator/status/status_file.hpp"

#include <nlohmann/json.hpp>

#include "checkpoint/atomic_file.hpp"
#include "coordinator/status/metrics.hpp"

namespace entrain::status {

std::string status_json(const RunStatus& status, int indent) {
  return nlohmann::json(status).dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

void write_status_files(const std::string& run_dir, const RunStatus& told) {
  const RunStatus status = settled(told);
  checkpoint::write_file_atomically(run_dir + "/status.json", status_json(status, 1) + '\n');
  checkpoint::write_file_atomically(run_dir + "/metrics.prom", metrics_text(status));
}

}  // namespace entrain::status
