#include "tests/system/small_run.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "configs/cat.hpp"

namespace entrain::tests {

SmallRun::SmallRun() {
  const Ran made = run(cat("entrain ingest phantom --out ", corpus(), " --images 100 --px 32 --seed 3"));
  if (made.code != 0) throw std::runtime_error("no corpus: " + made.output);
}

std::string SmallRun::pretrain(int ranks, const std::string& name, const std::string& overrides) const {
  return with_settings(cat("exec mpirun -n ", ranks, " entrain pretrain "), name, overrides);
}

std::string SmallRun::supervised(int ranks, const std::string& name, const std::string& overrides) const {
  return with_settings(cat("exec entrain run -n ", ranks, ' '), name, overrides);
}

std::string SmallRun::with_settings(const std::string& command, const std::string& name,
                                    const std::string& overrides) const {
  std::string line = cat(command, ENTRAIN_SOURCE_DIR, "/configs/demo.yaml");
  for (const std::string& setting :
       {"run.dir=" + dir(name), "data.files=" + corpus(), std::string("train.steps=20"),
        std::string("batch.lanes=4"), std::string("batch.lane_images=4"), std::string("views.crop_pixels=32"),
        std::string("checkpoint.every=5steps")})
    if ((" " + overrides).find(" " + setting.substr(0, setting.find('=') + 1)) == std::string::npos)
      line += " " + setting;  // a key given twice is refused
  return line + " " + overrides;
}

pid_t SmallRun::worker_pid(const std::string& name, int rank) const {
  const Ran found = run(
      cat("for p in $(pgrep -f 'entrain-worker pretrain.*run.dir=", dir(name),
          "( |$)'); do tr '\\0' '\\n' < /proc/$p/environ 2>/dev/null | grep -qx OMPI_COMM_WORLD_RANK=", rank,
          " && echo $p; done"));
  return static_cast<pid_t>(std::atol(found.output.c_str()));
}

long SmallRun::wait_for_step(const std::string& name, long step) const {
  for (int i = 0; i < 3000 && newest_step(dir(name)) < step; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  return newest_step(dir(name));
}

std::string SmallRun::digest(const std::string& name) const {
  const Ran verified = run(cat("entrain verify --digest ", dir(name)));
  if (verified.code != 0) throw std::runtime_error("no digest: " + verified.output);
  return verified.output;
}

long newest_step(const std::string& run_dir) {
  long newest = -1;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(run_dir + "/checkpoints", none)) {
    const std::string name = entry.path().filename();
    if (name.rfind("step-", 0) == 0) newest = std::max(newest, std::stol(name.substr(5)));
  }
  return newest;
}

}  // namespace entrain::tests
