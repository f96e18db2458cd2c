#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "configs/error.hpp"
#include "sharding/corpus.hpp"
#include "worker/stages/stage.hpp"

namespace entrain::worker {

/// Rank 0: run.dir/config.resolved.yaml, with the origin of each value. Not collective.
void write_resolved_config(const Stage& stage);

/// Rank 0: run.dir/exit.json, the verdict that outlives launchers which lose exit codes. Never throws.
void write_exit(const std::string& run_dir, int code, const std::string& reason) noexcept;

/// Hashes of the patients (or images, without patients) of a corpus: sorted, unique, as an int64 tensor that
/// goes into checkpoints as lineage.
at::Tensor group_hashes(const sharding::Corpus& corpus);

/// What every manifest says of the machine: LibTorch, its oneDNN and MKL, vector instructions in use.
nlohmann::json library_versions();

}  // namespace entrain::worker
