#include "worker/stages/stage.hpp"

#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "worker/stages/run_folder.hpp"
#include "worker/stages/together.hpp"

namespace entrain::worker {
namespace {

std::map<std::string, std::string> start_of(const Stage& stage, std::string_view command) {
  std::map<std::string, std::string> start = stage.resolved.values;
  for (const char* free : {"run.threads", "data.files", "data.exclude_groups"}) start.erase(free);
  start["the command"] = command;
  start["the program"] = program_digest();
  return start;
}

}  // namespace

Residence residence_of(const Stage& stage) {
  const bool narrow = stage.config().run.precision == "bf16";
  return {stage.device.tensors(), narrow ? at::kBFloat16 : at::ScalarType::Undefined};
}

void require_same_start(Stage& stage, std::string_view command) {
  const auto mine = start_of(stage, command);
  const auto all = stage.comm.all_gather_text(nlohmann::json(mine).dump());
  together(stage.comm, [&] {
    const auto first = nlohmann::json::parse(all[0]).get<std::map<std::string, std::string>>();
    for (const auto& [key, value] : first)
      if (const auto here = mine.find(key); here == mine.end() || here->second != value)
        throw LaunchError(cat(key, " is ", here == mine.end() ? "absent" : here->second, " but ", value,
                              " on rank 0; start every rank with the same program, CONFIG and settings"));
    if (mine.size() != first.size())
      throw LaunchError("knows other settings than rank 0; start every rank with the same program");
  });
}

void require_a_lane_for_every_rank(const Stage& stage) {
  const std::int64_t lanes = stage.config().batch.lanes, world = stage.comm.size();
  if (world <= lanes) return;
  throw LaunchError(
      cat("started on ", world, " ranks, but batch.lanes is ", lanes,
          ": at most one rank per lane. Start at most ", lanes,
          " ranks, or raise batch.lanes (and lower batch.lane_images, to keep the global batch)"));
}

}  // namespace entrain::worker
