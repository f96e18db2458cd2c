#pragma once
#include <string>

#include "coordinator/submit_stages.hpp"

namespace entrain::coordinator {

/// ConfigError "CONFIG: WHERE: section.key: text" about a setting of this stage.
[[noreturn]] void refuse_setting(const SubmitStage& stage, const std::string& key, const std::string& text);

/// A setting of this stage as a person would type it: without the quotes of YAML.
std::string typed_value(const SubmitStage& stage, const std::string& key);

/// ConfigError for settings with which there can be no job: no run.dir, a time that is none, an option of sbatch that a key
/// of ours sets, too.
void require_job(const SubmitStage& stage);

/// ConfigError for settings with which no job of this stage can begin: more ranks than lanes, fewer than fault.min_ranks, an
/// evaluation of nothing.
void require_start(const SubmitStage& stage);

}  // namespace entrain::coordinator
