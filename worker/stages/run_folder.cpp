#include "worker/stages/run_folder.hpp"

#include <ATen/ATen.h>
#include <ATen/Version.h>
#include <ATen/native/DispatchStub.h>
#include <torch/csrc/api/include/torch/version.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "checkpoint/atomic_file.hpp"
#include "checkpoint/digest.hpp"
#include "configs/cat.hpp"
#include "configs/log.hpp"
#include "configs/process.hpp"
#include "worker/stages/together.hpp"

namespace entrain::worker {

namespace {

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Who wrote the metrics.json of a folder: finetune, evaluate, "" there is none, "?" nobody of ours.
std::string author_of_metrics(const std::string& dir) {
  std::error_code none;
  if (!std::filesystem::exists(dir + "/metrics.json", none)) return "";
  const auto metrics = nlohmann::json::parse(read_text(dir + "/metrics.json"), nullptr, false);
  const auto stage = metrics.is_object() ? metrics.find("stage") : metrics.end();
  return metrics.is_object() && stage != metrics.end() && stage->is_string() ? std::string(*stage) : "?";
}

}  // namespace

void require_folder_of(const std::string& dir, std::string_view command) {
  std::error_code none;
  const auto there = [&](const char* name) { return std::filesystem::exists(dir + "/" + name, none); };
  const std::string metrics = author_of_metrics(dir);
  std::string whose;
  if (there("ledger.jsonl"))
    whose = "pretrain";  // fine-tunings keep no ledger
  else if (!metrics.empty())
    whose = metrics;
  else if (command == "evaluate" && (there("checkpoints") || there("metrics.jsonl")))
    whose = "training";
  if (whose.empty() || whose == command) return;
  throw CheckpointError(cat(dir, ": holds ",
                            whose == "?" ? "a metrics.json that entrain did not write"
                                         : cat(whose == "evaluate" ? "an " : "a ", whose, " run"),
                            ", whose files ", command, " would replace; set run.dir to a folder of its own"));
}

const std::string& require_run_dir(Stage& stage, std::string_view what) {
  together(stage.comm, [&] {
    if (stage.config().run.dir.empty())
      throw ConfigError(cat("run.dir is not set: where shall ", what, " go?"));
  });
  return stage.config().run.dir;
}

void require_shared_run_folder(Stage& stage, std::chrono::milliseconds patience) {
  if (stage.comm.size() == 1) return;
  const std::string path = stage.config().run.dir + "/run.lock";
  const std::string lock = stage.comm.all_gather_text(stage.leads() ? read_text(path) : "")[0];
  together(stage.comm, [&] {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!stage.leads() && read_text(path) != lock) {
      if (std::chrono::steady_clock::now() >= end)
        throw LaunchError(
            cat(stage.config().run.dir, ": ", path, " of rank 0 is not there on ", host_name(),
                ", so the ranks do not share this folder; set run.dir to one that every node sees"));
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
}

void write_resolved_config(Stage& stage) {
  if (stage.leads())
    checkpoint::write_file_atomically(stage.config().run.dir + "/config.resolved.yaml",
                                      stage.resolved.yaml());
  stage.owns_run_folder = true;
}

at::Tensor group_hashes(const sharding::Corpus& corpus) {
  std::vector<std::int64_t> hashes;
  for (std::int64_t i = 0; i < corpus.size(); ++i)
    hashes.push_back(static_cast<std::int64_t>(corpus.group_hash(i)));
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  return at::tensor(hashes, at::kLong);
}

const std::string& program_digest() {
  static const std::string digest = checkpoint::digest_file("/proc/self/exe").sha256;
  return digest;
}

nlohmann::json library_versions() {
  return {{"libtorch", TORCH_VERSION},
          {"cpu", at::get_cpu_capability()},
          {"mkldnn", at::hasMKLDNN()},
          {"mkl", at::hasMKL()}};
}

nlohmann::json versions_of(const Stage& stage) {
  nlohmann::json versions = library_versions();
  if (!stage.device.is_gpu()) return versions;
  const DeviceFacts& facts = stage.device.facts();
  versions["device"] = facts.name;
  versions["cuda"] = facts.runtime_version;
  return versions;
}

}  // namespace entrain::worker
