#pragma once
#include <string>

#include "coordinator/status/run_status.hpp"

namespace entrain::status {

/// The document as JSON that is always valid: text that is not UTF-8 is mended, a number that is none becomes null.
/// `indent` -1: on one line, without a newline in it.
std::string status_json(const RunStatus& status, int indent = -1);

/// RUN/status.json and RUN/metrics.prom (for the node exporter's textfile collector), each by temporary file and
/// rename: nobody sees half of one. CheckpointError where the disk refuses; the old files are still there then. Takes as
/// long as the file system does: not for a thread that must stay awake.
void write_status_files(const std::string& run_dir, const RunStatus& told);

}  // namespace entrain::status
