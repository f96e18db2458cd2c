#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace entrain::control {

/// Which generation of which supervised run this process belongs to. Ranks inherit it as ENTRAIN_RUN_ID and
/// ENTRAIN_GENERATION.
struct Supervised {
  std::string run_id;
  std::int64_t generation = 0;
};

/// Nothing: nobody supervises (a bare mpirun).
std::optional<Supervised> supervised();

/// What a node is called: by Slurm where it started us (several of its nodes may be one host), else its host name.
std::string node_name();

}  // namespace entrain::control
