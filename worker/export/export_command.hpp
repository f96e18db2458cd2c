#pragma once
#include <string>
#include <vector>

namespace entrain::worker {

/// `entrain export --from D --out encoder.safetensors --names timm [--classifier] [--overwrite] [--json]`: the
/// newest whole checkpoint of a run as one file with timm's names, and on stdout the Python that loads it. Runs in
/// one process, without MPI. Returns 0; throws ConfigError, or CheckpointError where the run cannot be read, holds
/// no classifier, or the file cannot be written or is there already.
int export_command(const std::vector<std::string>& args);

}  // namespace entrain::worker
