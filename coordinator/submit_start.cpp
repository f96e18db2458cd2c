#include "coordinator/submit_start.hpp"

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include "checkpoint/find.hpp"
#include "checkpoint/json_member.hpp"
#include "checkpoint/manifest.hpp"
#include "configs/cat.hpp"
#include "configs/section.hpp"

namespace entrain::coordinator {
namespace {

namespace fs = std::filesystem;
using slurm::Finding;

// The manifest of a step's folder, or of a run's newest commit; null where there is neither.
nlohmann::json manifest_of(const std::string& from) {
  std::string folder = from;
  if (!fs::exists(folder + "/manifest.json")) {
    const auto steps = checkpoint::committed_steps(from);
    if (steps.empty()) return nullptr;
    folder = cat(from, "/checkpoints/", checkpoint::step_name(steps.front()));
  }
  std::ifstream in(folder + "/manifest.json");
  return nlohmann::json::parse(in, nullptr, false);
}

// "which does not exist"; empty: this stage can begin from it.
std::string flaw_of_start(const std::string& stage, const std::string& from) {
  std::error_code none;
  if (from == "scratch") return "";
  if (!fs::exists(from, none)) return "which does not exist";
  const bool needs_classifier = stage == "evaluate";
  if (!fs::is_directory(from, none)) return needs_classifier ? "which is a file, not a run" : "";
  const auto manifest = manifest_of(from);
  if (manifest.is_null()) return cat("which holds no checkpoint (", from, "/checkpoints/step-*)");
  const std::string made_by = checkpoint::text_of(manifest, "stage");
  if (needs_classifier && made_by == "pretrain")
    return "which is a pretrain run and has no classifier: fine-tune it first";
  return "";
}

std::optional<Finding> start_finding(const SubmitStage& stage, const std::string& run_dir,
                                     const std::string& from, const std::string& origin,
                                     const SubmitStage* before) {
  const std::string text = cat("init.from is ", from, " (", origin, ')');
  std::error_code none;
  if (before != nullptr) {
    const bool there = from == "scratch" || fs::exists(from, none);
    const std::string other =
        cat(text, there ? ", not" : ", which does not exist, and not", " the run of ", before->name, " (",
            before->run_dir,
            ") behind which it waits; leave init.from out (the chain fills it in), or set it to ",
            before->resolved.config.run.dir);
    return there ? slurm::warning(other) : slurm::failure(ExitCode::kData, other);
  }
  // A pretraining that goes on has its own weights.
  if (stage.name == "pretrain" && !checkpoint::committed_steps(run_dir).empty()) return std::nullopt;
  const std::string flaw = flaw_of_start(stage.name, from);
  if (flaw.empty()) return std::nullopt;
  return slurm::failure(ExitCode::kData,
                        cat(text, ", ", flaw, "; set it to the run.dir of a ",
                            stage.name == "evaluate" ? "fine-tuning" : "run", " that has ended"));
}

std::string flaw_of_split(const sharding::Corpus& corpus, const std::string& split, const std::string& key) {
  std::set<std::int64_t> classes;
  for (const std::int64_t i : corpus.samples_of_split(split))
    if (corpus.label(i) >= 0) classes.insert(corpus.label(i));
  if (classes.size() > 1) return "";
  if (classes.size() == 1)
    return cat("the labelled images of split \"", split, "\" (", key, ") are all \"",
               printable(corpus.class_names()[static_cast<std::size_t>(*classes.begin())]),
               "\"; two classes are needed");
  std::map<std::string, std::int64_t> there;
  for (std::int64_t i = 0; i < corpus.size(); ++i)
    if (corpus.label(i) >= 0) ++there[std::string(corpus.split(i))];
  std::string names;
  for (const auto& [name, count] : there)
    names += cat(names.empty() ? "" : ", ", name.empty() ? "\"\"" : name, " (", count, ')');
  return cat("no labelled image in split \"", split, "\" (", key,
             "); splits here: ", names.empty() ? "none with labelled images" : names, ". Set ", key,
             " to one of them; data.use_splits hides the splits it does not name");
}

std::string flaw_of_labels(const SubmitStage& stage, const sharding::Corpus& corpus) {
  const FinetuneSection& finetune = stage.resolved.config.finetune;
  if (!corpus.has_labels())
    return cat("there is no label column; ", stage.name,
               " needs a class per image: name one in data.label (entrain inspect lists them), or ingest "
               "with --label-column");
  if (corpus.class_names().size() < 2)
    return cat("labels of one class only (", join(corpus.class_names()), "); two are needed");
  if (stage.name == "evaluate") return "";
  if (!corpus.has_splits())
    return "there is no split column, so nothing says which patients train and which choose; ingest with "
           "--make-split 70/10/20, or name one in data.split";
  const std::string flaw = flaw_of_split(corpus, finetune.train_split, "finetune.train_split");
  return flaw.empty() ? flaw_of_split(corpus, finetune.val_split, "finetune.val_split") : flaw;
}

}  // namespace

std::vector<Finding> start_findings(const SubmitStage& stage, const SubmitStage* before) {
  std::vector<Finding> out;
  if (stage.follows) return out;
  const auto& base = stage.resolved;
  const auto look = [&](const std::string& run_dir, const std::string& from, const std::string& origin) {
    if (auto finding = start_finding(stage, run_dir, from, origin, before))
      out.push_back(*std::move(finding));
  };
  if (stage.rows.empty()) look(stage.run_dir, base.config.init.from, base.origins.at("init.from"));
  for (std::size_t i = 0; i < stage.rows.size(); ++i) {
    std::string from = base.config.init.from, origin = base.origins.at("init.from");
    for (const auto& word : stage.rows[i])
      if (word.starts_with("init.from=")) from = word.substr(10), origin = cat("row ", i);
    look(cat(stage.run_dir, "/row-", i), from, origin);
  }
  return out;
}

std::vector<Finding> label_findings(const SubmitStage& stage, const sharding::Corpus& corpus) {
  if (stage.name == "pretrain") return {};
  const FinetuneSection& finetune = stage.resolved.config.finetune;
  if (stage.name == "finetune" && finetune.train_split == finetune.val_split)
    return {slurm::failure(ExitCode::kConfig,
                           cat("finetune.val_split: want another split than finetune.train_split, got \"",
                               finetune.val_split, "\" for both; what was trained on cannot choose"))};
  const std::string flaw = flaw_of_labels(stage, corpus);
  if (!flaw.empty())
    return {slurm::failure(ExitCode::kData, cat("labels: ", corpus.place(0).file, ": ", flaw))};
  return {slurm::good(cat("labels: ", join(corpus.class_names())))};
}

}  // namespace entrain::coordinator
