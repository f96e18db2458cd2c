#include "coordinator/submit_words.hpp"

#include <array>
#include <charconv>
#include <optional>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"

namespace entrain::coordinator {
namespace {

constexpr std::array kStages{"pretrain", "finetune", "evaluate"};
const std::vector<std::string> kOptions{"--stage",        "--sweep", "--at-once",     "--print",
                                        "--cancel-chain", "--help",  "--print-config"};

[[noreturn]] void refuse(const std::string& text) { throw ConfigError("entrain submit: " + text); }

std::int64_t count_of(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 1)
    refuse(cat("--at-once: want a number of rows above 0, got \"", text, '"'));
  return value;
}

bool is_stage(const std::string& name) {
  for (const char* stage : kStages)
    if (name == stage) return true;
  return false;
}

void take_value(SubmitWords& out, const std::string& name, const std::string& value) {
  if (name == "--sweep") {
    out.sweep.push_back(value);
  } else if (name == "--at-once") {
    out.at_once = count_of(value);
  } else if (is_stage(value)) {
    out.stage = value;
  } else {
    refuse(cat("--stage: want pretrain, finetune or evaluate, got \"", value, '"'));
  }
}

bool take_flag(SubmitWords& out, const std::string& arg) {
  for (const auto& [name, flag] : {std::pair("--print", &out.print),
                                   {"--cancel-chain", &out.cancel},
                                   {"--help", &out.help},
                                   {"-h", &out.help},
                                   {"--print-config", &out.print_config}})
    if (arg == name) {
      *flag = true;
      return true;
    }
  return false;
}

}  // namespace

SubmitWords sort_submit_words(const std::vector<std::string>& args) {
  SubmitWords out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    const std::size_t equals = arg.find('=');
    const std::string name = arg.substr(0, equals);
    if (arg[0] != '-') {
      (equals == std::string::npos ? out.configs : out.overrides).push_back(arg);
    } else if (take_flag(out, arg)) {
      continue;
    } else if (name != "--stage" && name != "--sweep" && name != "--at-once") {
      const std::string near = nearest(name, kOptions);
      refuse(cat("no option \"", name, '"', near.empty() ? "" : cat("; did you mean ", near, '?'),
                 " it knows: ", join(kOptions)));
    } else if (equals != std::string::npos) {
      take_value(out, name, arg.substr(equals + 1));
    } else if (++i < args.size()) {
      take_value(out, name, args[i]);
    } else {
      refuse(name + ": want a value after it");
    }
  }
  if (out.at_once > 0 && out.sweep.empty()) refuse("--at-once: is for the rows of a --sweep");
  return out;
}

std::pair<std::string, std::string> stage_of_word(const std::string& word) {
  const std::size_t colon = word.find(':'), equals = word.find('=');
  if (colon == std::string::npos || colon > equals || !is_stage(word.substr(0, colon))) return {"", word};
  return {word.substr(0, colon), word.substr(colon + 1)};
}

std::string submit_help() {
  return R"(usage: entrain submit CONFIG [CONFIG [CONFIG]] [section.key=value ...]
  checks a run against this Slurm cluster, writes RUN/job.sh, and submits it; the job goes on in the next one until done

  CONFIG                      pretrain.yaml, then finetune.yaml, then evaluate.yaml: each starts once the one before
                              has ended well, from its run.dir
  section.key=value           puts one setting over those of all files; finetune:section.key=value, over that
                              of one stage, whatever is said for all
  --stage STAGE               the stage of the first CONFIG: pretrain (default), finetune, evaluate
  --sweep FILE                one run per line of FILE, {"optim.lr": 0.1, ...}, in run.dir/row-0, row-1, ...
  --sweep key=a,b,c           one run per value; several --sweep: all combinations
  --at-once N                 at most N rows of a sweep at the same time
  --print                     prints script and commands, submits nothing, asks Slurm nothing
  --cancel-chain              takes the jobs of this run that still wait out of the queue
  --print-config              prints every setting and where its value comes from, and stops
  --help                      this text

The job itself is set by slurm.time, slurm.nodes, slurm.partition, ...: --print-config shows all.
)";
}

}  // namespace entrain::coordinator
