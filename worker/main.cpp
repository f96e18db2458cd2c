// entrain-worker: the program of one rank. `entrain COMMAND ...` hands the computing commands over to it, so
// `mpirun -n 4 entrain pretrain run.yaml` starts four of these.
#include <malloc.h>

#include <chrono>
#include <climits>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "configs/cat.hpp"
#include "configs/log.hpp"
#include "configs/process.hpp"
#include "coordinator/cli.hpp"
#include "coordinator/exit_file.hpp"
#include "worker/bench/bench_command.hpp"
#include "worker/collectives/mpi.hpp"
#include "worker/compute.hpp"
#include "worker/export/export_command.hpp"
#include "worker/preflight.hpp"
#include "worker/stages/evaluate.hpp"
#include "worker/stages/finetune.hpp"
#include "worker/stages/pretrain.hpp"
#include "worker/stages/run_folder.hpp"
#include "worker/stages/stop_signal.hpp"
#include "worker/stages/supervised_rank.hpp"
#include "worker/stages/together.hpp"
#include "worker/views/inspect_views_command.hpp"

namespace entrain::worker {
namespace {

// Every step frees and takes the same activations. glibc would hand blocks above 128 KiB back to the kernel each
// time and get them again as zeroed pages: a tenth of a step's time.
void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the largest that glibc accepts
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
}

struct StageCommand {
  const char* name;
  int (*run)(Stage&);
};
constexpr StageCommand kStages[] = {{"pretrain", pretrain}, {"finetune", finetune}, {"evaluate", evaluate}};

// Before MPI is up only the launcher's environment knows who we are; the same mistake on every rank is told once.
bool is_first_process() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID"})
    if (const char* text = std::getenv(name)) return std::atoi(text) == 0;
  return true;
}

// More than one process: then every word that cannot be used is told by one rank, and no other waits for it.
bool is_one_of_several() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"})
    if (const char* text = std::getenv(name)) return std::atoi(text) > 1;
  return false;
}

// What no rank must do otherwise than rank 0, before any of them begins.
void require_sound_start(Stage& stage, const StageCommand& command) {
  require_same_start(stage, command.name);
  together(stage.comm, [&] {
    if (stage.leads()) require_folder_of(stage.config().run.dir, command.name);
  });
}

// --help and --print-config, where the front door has not answered them.
int answer(MpiCollectives& comm, const std::string& text) {
  if (comm.rank() == 0) std::cout << text;
  comm.barrier();
  return end_answer(0);
}

int run_stage(const StageCommand& command, const std::vector<std::string>& args) {
  std::optional<coordinator::CommandLine> line;
  const std::function<void()> parse = [&] { line = coordinator::parse_config_command(command.name, args); };
  if (!is_one_of_several()) parse();  // an error is told before MPI starts
  const MpiSession session;
  MpiCollectives comm;
  set_log_context({comm.rank(), comm.size(), command.name});
  int code = 0;
  std::string reason = "done";
  std::optional<Compute> compute;
  std::optional<Stage> stage;
  std::optional<SupervisedRank> supervised;
  const auto write_end = [&] {
    if (stage && stage->leads() && stage->owns_run_folder)
      coordinator::write_exit(stage->config().run.dir, {code, reason});
  };
  try {
    if (!line) together(comm, parse);
    if (line->answer) return answer(comm, *line->answer);
    if (const auto who = control::supervised()) supervised.emplace(*who, line->config.config.run.dir, comm);
    compute.emplace(line->config.config, comm);
    if (supervised && compute->device().is_gpu()) supervised->watch_gpu(compute->device().facts().uuid);
    stage.emplace(line->config, compute->collectives(), compute->device(), compute->lane_threads(),
                  compute->host_threads());
    require_sound_start(*stage, command);
    code = command.run(*stage);
    if (code != 0) reason = "stopped on request, committed";
  } catch (const std::exception& e) {
    const Error error = error_of(e);
    code = static_cast<int>(error.code());
    reason = error.what();
    if (!error.on_all_ranks() && comm.size() > 1) {
      write_end();
      if (supervised) supervised->bye(code, reason);
      comm.abort(reason, error.code());
    }
    if (comm.rank() == 0) log(Level::kError, reason);
  }
  write_end();
  code = end_answer(code);
  if (supervised) supervised->bye(code, reason);
  comm.barrier();  // nobody ends while another still watches it
  return code;
}

int run(const std::vector<std::string>& args) {
  const std::string name = args.empty() ? "" : args[0];
  const std::vector<std::string> rest(args.begin() + (args.empty() ? 0 : 1), args.end());
  if (name == "export") return end_answer(export_command(rest));
  if (name == "versions") return end_answer(versions_command());
  if (name == "preflight") return end_answer(preflight_command(rest));
  if (name == "bench") return end_answer(bench_command(rest));
  if (name == "inspect") return end_answer(inspect_views_command(rest));
  for (const StageCommand& command : kStages)
    if (name == command.name) return run_stage(command, rest);
  throw ConfigError(cat("entrain-worker: no command \"", name, "\"; it is started by `entrain`"));
}

}  // namespace
}  // namespace entrain::worker

int main(int argc, char** argv) {
  using namespace entrain;  // NOLINT(google-build-using-namespace): main is the one place outside our namespaces
  ignore_write_signals();
  worker::keep_freed_memory();
  worker::install_stop_signals();
  try {
    return worker::run({argv + 1, argv + argc});
  } catch (const std::exception& e) {
    const Error error = error_of(e);
    // Where all fail alike, the first process tells it and the launcher ends this one before its turn comes.
    if (!worker::is_first_process()) std::this_thread::sleep_for(std::chrono::seconds(3));
    log(Level::kError, error.what());
    return static_cast<int>(error.code());
  }
}
