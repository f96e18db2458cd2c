#include "coordinator/submit_equipment.hpp"

#include <filesystem>
#include <optional>

#include "checkpoint/json_member.hpp"
#include "configs/cat.hpp"
#include "configs/section.hpp"
#include "slurm/commands.hpp"

namespace entrain::coordinator {
namespace {

using slurm::Finding;

constexpr double kWorkerSeconds = 30;  // it loads LibTorch
constexpr double kModuleSeconds = 20;

// As the job's script will: in order, since a module may bring others into sight.
constexpr const char* kTryModules = R"sh(
type module > /dev/null 2>&1 || for file in /etc/profile.d/{modules,lmod,z00_lmod}.sh; do
  [ -r "$file" ] && . "$file" > /dev/null 2>&1 && break
done
type module > /dev/null 2>&1 || { echo absent; exit 0; }
module purge > /dev/null 2>&1
for name; do module load "$name" > /dev/null 2>&1 || echo "$name"; done
exit 0)sh";

// The CUDA of this build, empty of one for CPUs; nothing where its worker does not tell.
std::optional<std::string> cuda_of(const std::string& worker) {
  const auto versions = checkpoint::last_object(slurm::run_command({worker, "versions"}, kWorkerSeconds).out);
  if (!versions.is_object() || !versions.contains("cuda")) return std::nullopt;
  return checkpoint::text_of(versions, "cuda");
}

std::optional<Finding> gpu_finding(const SubmitStage& stage, const std::string& worker) {
  const RunConfig& c = stage.resolved.config;
  const auto gpus = c.slurm.gpus_per_node;
  if (c.run.device == "cpu" && gpus > 0)
    return slurm::warning(cat("slurm.gpus_per_node is ", gpus, ", but run.device is cpu (",
                              stage.resolved.origins.at("run.device"),
                              "): the GPUs would be held and stand idle; leave one of them out"));
  if (c.run.device != "cuda" && gpus == 0) return std::nullopt;
  const auto cuda = cuda_of(worker);
  if (!cuda || !cuda->empty()) return std::nullopt;
  if (c.run.device == "cuda")
    return slurm::failure(
        ExitCode::kLaunch,
        cat("run.device is cuda (", stage.resolved.origins.at("run.device"),
            "), but this build, which the job starts (", worker,
            "), is for CPUs only; build it with `make cuda`, or set run.device=cpu (auto, if the nodes have "
            "another build in this place)"));
  return slurm::warning(
      cat("slurm.gpus_per_node is ", gpus, " (", stage.resolved.origins.at("slurm.gpus_per_node"),
          "), but this build computes on CPUs only: the GPUs would be held and stand idle; leave it out, or "
          "build with `make cuda`"));
}

// Pyxis takes what begins with . or / for a file, all else for the name of an image in a registry.
std::optional<Finding> container_finding(const std::string& image) {
  if (image.empty()) return std::nullopt;
  const bool is_path = image[0] == '/' || image[0] == '.';
  std::error_code none;
  if (is_path && !std::filesystem::exists(image, none))
    return slurm::failure(ExitCode::kPreflight, cat("slurm.container: there is no file ", image));
  for (const char* end : {".sif", ".sqsh", ".sqfs", ".squashfs", ".img"})
    if (!is_path && image.ends_with(end))
      return slurm::failure(ExitCode::kPreflight,
                            cat("slurm.container: srun takes ", image,
                                " for the name of an image in a registry; a file is written with its folder, "
                                "as in ./",
                                image));
  const auto help = slurm::run_command({"srun", "--help"}, slurm::kAskSeconds);
  if (!help.ok() || help.out.find("--container-image") != std::string::npos) return std::nullopt;
  return slurm::warning(
      cat("slurm.container: srun knows no --container-image here (its plug-in Pyxis); if that of the nodes "
          "does not either, the run ends with 69 before its first step"));
}

std::optional<Finding> module_finding(const std::vector<std::string>& modules) {
  if (modules.empty()) return std::nullopt;
  std::vector<std::string> words{"bash", "-c", kTryModules, "modules"};
  words.insert(words.end(), modules.begin(), modules.end());
  const auto tried = slurm::run_command(words, kModuleSeconds);
  if (!tried.ok()) return slurm::warning(cat("slurm.modules: could not be tried here: ", tried.complaint));
  if (tried.out.empty()) return std::nullopt;
  std::string unknown = tried.out.substr(0, tried.out.size() - 1);
  if (unknown == "absent")
    return slurm::warning(cat("slurm.modules: this machine has no `module` that could be asked for ",
                              join(modules), "; on a node without, the job ends with 78"));
  for (std::size_t at; (at = unknown.find('\n')) != std::string::npos;) unknown.replace(at, 1, ", ");
  return slurm::warning(cat("slurm.modules: could not be loaded here: ", unknown,
                            "; if the nodes have no other modules, the job ends with 78 (module avail)"));
}

}  // namespace

std::vector<Finding> equipment_findings(const SubmitStage& stage, const std::string& worker) {
  const SlurmSection& s = stage.resolved.config.slurm;
  std::vector<Finding> out;
  for (auto& finding :
       {gpu_finding(stage, worker), container_finding(s.container), module_finding(s.modules)})
    if (finding) out.push_back(*finding);
  return out;
}

}  // namespace entrain::coordinator
