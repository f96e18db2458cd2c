#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace entrain::coordinator {

/// The words of `entrain submit`, sorted.
struct SubmitWords {
  std::vector<std::string> configs, overrides, sweep;
  std::string stage = "pretrain";  ///< of the first CONFIG
  std::int64_t at_once = 0;
  bool print = false, cancel = false, help = false, print_config = false;
};

/// ConfigError.
SubmitWords sort_submit_words(const std::vector<std::string>& args);

/// "finetune:optim.lr=1" -> {finetune, optim.lr=1}; "optim.lr=1" -> {"", optim.lr=1}: for every stage.
std::pair<std::string, std::string> stage_of_word(const std::string& word);

std::string submit_help();

}  // namespace entrain::coordinator
