#include "coordinator/submit_stages.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/cli.hpp"
#include "coordinator/submit_settings.hpp"
#include "coordinator/submit_words.hpp"
#include "slurm/quote.hpp"

namespace entrain::coordinator {
namespace {

constexpr std::array kOrder{"pretrain", "finetune", "evaluate"};

std::string absolute(const std::string& path) {
  auto whole = std::filesystem::absolute(path).lexically_normal();
  return whole.has_filename() ? whole.string() : whole.parent_path().string();
}

std::string key_of(const std::string& word) { return word.substr(0, word.find('=')); }

// What is said of one stage goes before what is said of all.
std::vector<std::string> words_for(const std::string& stage, const std::vector<std::string>& words) {
  std::set<std::string> own;
  for (const auto& word : words)
    if (const auto [whose, setting] = stage_of_word(word); whose == stage) own.insert(key_of(setting));
  std::vector<std::string> out;
  for (const auto& word : words) {
    const auto [whose, setting] = stage_of_word(word);
    if (whose == stage || (whose.empty() && own.count(key_of(setting)) == 0)) out.push_back(setting);
  }
  return out;
}

void require_known_stages(const std::vector<SubmitStage>& stages, const std::vector<std::string>& words) {
  for (const auto& word : words) {
    const auto whose = stage_of_word(word).first;
    const bool known =
        std::any_of(stages.begin(), stages.end(), [&](const auto& s) { return s.name == whose; });
    if (!whose.empty() && !known)
      throw ConfigError(cat("entrain submit: ", word, ": there is no stage ", whose, " here"));
  }
}

ResolvedConfig read_stage(const std::string& stage, const std::string& path, std::vector<std::string> words) {
  words.insert(words.begin(), path);
  return parse_config_command(stage, words).config;
}

// The stage before is where a stage begins, unless its file says otherwise.
void link(SubmitStage& stage, const SubmitStage& before, std::vector<std::string> words) {
  if (stage.run_dir == before.run_dir)
    refuse_setting(
        stage, "run.dir",
        cat("is that of ", before.name, ", too, want one of its own; a setting of one stage is written ",
            stage.name, ":run.dir=..."));
  const std::string& from = stage.resolved.config.init.from;
  const bool unset = stage.resolved.origins.at("init.from") == "default";
  stage.follows = unset || absolute(from) == before.run_dir;
  if (!unset) return;
  words.push_back("init.from=" + before.resolved.config.run.dir);
  stage.resolved = read_stage(stage.name, stage.path, words);
}

void require_row_settings(const SubmitStage& stage, const std::string& word, std::size_t row) {
  const auto begins = [&](const char* text) { return word.starts_with(text); };
  const auto say = [&](const char* text) {
    throw ConfigError(cat("--sweep: row ", row, ": ", word, ": ", text));
  };
  if (begins("run.dir=")) say("each row has a folder of its own in run.dir already; leave it out");
  if (begins("slurm.")) say("all rows are elements of one job and share its slurm settings; leave it out");
  if (begins("data.files=") && !stage.resolved.config.slurm.staging.empty())
    say("slurm.staging copies the files of the configuration; leave one of the two out");
}

void add_rows(SubmitStage& stage, const SubmitStage* before, const SubmitLine& line,
              const std::vector<std::string>& words) {
  if (!line.rows.empty() && stage.resolved.config.slurm.chain != "requeue")
    refuse_setting(
        stage, "slurm.chain",
        cat("a sweep is an array of jobs itself, so want requeue, got ", stage.resolved.config.slurm.chain));
  for (std::size_t i = 0; i < line.rows.size(); ++i) {
    slurm::SweepRow row = words_for(stage.name, line.rows[i]);
    for (const auto& word : row) require_row_settings(stage, word, i);
    if (stage.follows && before) row.push_back(cat("init.from=", before->run_dir, "/row-", i));
    std::vector<std::string> all = words;
    all.insert(all.end(), row.begin(), row.end());
    SubmitStage one{.name = stage.name, .path = stage.path};
    try {
      one.resolved = read_stage(stage.name, stage.path, all);
      require_start(one);
    } catch (const ConfigError& e) {
      throw ConfigError(cat("--sweep: row ", i, ": ", e.what()));
    }
    stage.rows.push_back(std::move(row));
  }
}

std::string typed(const std::vector<std::string>& args) {
  std::string out = "entrain submit";
  for (const auto& arg : args) out += cat(' ', slurm::bash_quote(arg));
  return out;
}

}  // namespace

SubmitLine parse_submit(const std::vector<std::string>& args) {
  const SubmitWords given = sort_submit_words(args);
  SubmitLine line{
      .typed = typed(args), .at_once = given.at_once, .print = given.print, .cancel = given.cancel};
  if (given.help) line.answer = submit_help();
  if (given.help) return line;
  std::size_t first = 0;
  while (kOrder[first] != given.stage) ++first;
  if (given.configs.empty())
    throw ConfigError("entrain submit: want a CONFIG, as in: entrain submit configs/demo.yaml");
  if (first + given.configs.size() > kOrder.size())
    throw ConfigError(cat("entrain submit: ", given.configs.size(), " CONFIGs are more than the stages from ",
                          given.stage,
                          " on (pretrain, finetune, evaluate); a setting is written section.key=value"));
  if (!given.sweep.empty()) line.rows = slurm::read_sweep(given.sweep);

  for (std::size_t i = 0; i < given.configs.size(); ++i)
    line.stages.push_back({.name = kOrder[first + i], .path = given.configs[i]});
  require_known_stages(line.stages, given.overrides);
  for (const auto& row : line.rows) require_known_stages(line.stages, row);
  for (std::size_t i = 0; i < line.stages.size(); ++i) {
    SubmitStage& stage = line.stages[i];
    const auto words = words_for(stage.name, given.overrides);
    // To be cancelled, a run need not be workable.
    stage.resolved = given.cancel || given.print_config ? read_run_config(stage.path, words)
                                                        : read_stage(stage.name, stage.path, words);
    if (given.print_config) line.answer = line.answer.value_or("") + stage.resolved.yaml();
    if (given.print_config) continue;
    if (!stage.resolved.config.run.dir.empty()) stage.run_dir = absolute(stage.resolved.config.run.dir);
    if (given.cancel) continue;
    require_job(stage);
    const SubmitStage* before = i > 0 ? &line.stages[i - 1] : nullptr;
    if (before) link(stage, *before, words);
    if (line.rows.empty()) require_start(stage);
    add_rows(stage, before, line, words);
  }
  return line;
}

std::string settings_text(const ResolvedConfig& resolved) {
  std::string out, section;
  for (const auto& key : resolved.keys) {
    const std::string& origin = resolved.origins.at(key);
    if (origin == "default" || origin.starts_with("preset ")) continue;
    const std::string name = key.substr(0, key.find('.'));
    if (name != section) out += cat(name, ":\n");
    section = name;
    out += cat("  ", key.substr(name.size() + 1), ": ", resolved.values.at(key), '\n');
  }
  return out;
}

}  // namespace entrain::coordinator
