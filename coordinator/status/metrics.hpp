#pragma once
#include <string>

#include "coordinator/status/run_status.hpp"

namespace entrain::status {

/// The document as Prometheus text, format 0.0.4: names entrain_*, base units, one HELP and TYPE per name, every sample
/// with the labels run_id and stage. What is not known (no loss yet, no deadline) is absent.
std::string metrics_text(const RunStatus& status);

/// The Content-Type of that text.
inline constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace entrain::status
