#include "worker/stages/run_folder.hpp"

#include <ATen/ATen.h>
#include <ATen/Version.h>
#include <ATen/native/DispatchStub.h>
#include <torch/csrc/api/include/torch/version.h>

#include <algorithm>
#include <filesystem>

#include "checkpoint/atomic_file.hpp"
#include "configs/log.hpp"

namespace entrain::worker {

void write_resolved_config(const Stage& stage) {
  if (stage.leads())
    checkpoint::write_file_atomically(stage.config().run.dir + "/config.resolved.yaml",
                                      stage.resolved.yaml());
}

void write_exit(const std::string& run_dir, int code, const std::string& reason) noexcept {
  try {
    if (!std::filesystem::is_directory(run_dir)) return;  // refused before anything was written there
    const char* verdict = code == 0 ? "done" : code == 75 || code == 76 ? "requeue" : "stop";
    const nlohmann::json exit = {{"code", code}, {"verdict", verdict}, {"reason", reason}};
    checkpoint::write_file_atomically(run_dir + "/exit.json", exit.dump(2) + "\n");
  } catch (const std::exception& e) {
    log(Level::kWarning, e.what());
  }
}

at::Tensor group_hashes(const sharding::Corpus& corpus) {
  std::vector<std::int64_t> hashes;
  for (std::int64_t i = 0; i < corpus.size(); ++i)
    hashes.push_back(static_cast<std::int64_t>(corpus.group_hash(i)));
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  return at::tensor(hashes, at::kLong);
}

nlohmann::json library_versions() {
  return {{"libtorch", TORCH_VERSION},
          {"cpu", at::get_cpu_capability()},
          {"mkldnn", at::hasMKLDNN()},
          {"mkl", at::hasMKL()}};
}

}  // namespace entrain::worker
