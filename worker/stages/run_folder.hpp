#pragma once
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "configs/error.hpp"
#include "sharding/corpus.hpp"
#include "worker/stages/stage.hpp"

namespace entrain::worker {

/// CheckpointError where the folder `dir` holds what another command than `command` (pretrain, finetune, evaluate) wrote:
/// its files would be replaced by ours of the same names. Only reads; call it on rank 0.
void require_folder_of(const std::string& dir, std::string_view command);

/// run.dir; ConfigError on all ranks where it is not set. `what` goes there: "checkpoints and metrics". Collective.
const std::string& require_run_dir(Stage& stage, std::string_view what);

/// Collective, while rank 0 holds run.lock: LaunchError (on all ranks) where a rank does not see that very lock in its
/// run.dir. A folder that each node has for itself would be found out at the first commit only. Waits that long for a
/// network file system to show it.
void require_shared_run_folder(Stage& stage, std::chrono::milliseconds patience = std::chrono::seconds(35));

/// Takes run.dir: the stage holds its lock and found nothing of others in it. Rank 0 writes
/// run.dir/config.resolved.yaml, with the origin of each value. Not collective.
void write_resolved_config(Stage& stage);

/// Hashes of the patients (or images, without patients) of a corpus: sorted, unique, as an int64 tensor that
/// goes into checkpoints as lineage.
at::Tensor group_hashes(const sharding::Corpus& corpus);

/// SHA-256 of the program that runs: ranks of one run must be equal in it.
const std::string& program_digest();

/// What every manifest says of the machine: LibTorch, its oneDNN and MKL, vector instructions in use.
nlohmann::json library_versions();
/// The same, and of a GPU its name and CUDA: what strict bits hold for.
nlohmann::json versions_of(const Stage& stage);

}  // namespace entrain::worker
