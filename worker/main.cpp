// entrain-worker: the program of one rank. `entrain COMMAND ...` hands the computing commands over to it, so
// `mpirun -n 4 entrain pretrain run.yaml` starts four of these.
#include <malloc.h>
#include <sched.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "configs/cat.hpp"
#include "configs/log.hpp"
#include "coordinator/cli.hpp"
#include "worker/collectives/mpi.hpp"
#include "worker/export/export_command.hpp"
#include "worker/stages/evaluate.hpp"
#include "worker/stages/finetune.hpp"
#include "worker/stages/pretrain.hpp"
#include "worker/stages/run_folder.hpp"
#include "worker/stages/stop_signal.hpp"
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

// Cores of this node over ranks of this node, but no more than the launcher bound this rank to: mpirun -n 1 and -n 2
// bind to one core each unless told otherwise.
int lane_threads(const RunConfig& config, const MpiCollectives& comm) {
  if (config.run.threads > 0) return static_cast<int>(config.run.threads);
  const int share = std::max(1, static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)) / comm.local_size());
  cpu_set_t mine;
  if (::sched_getaffinity(0, sizeof mine, &mine) != 0 || CPU_COUNT(&mine) >= share) return share;
  log(Level::kWarning, cat("the launcher bound this rank to ", CPU_COUNT(&mine), " of the ", share,
                           " cores that are its share; mpirun --bind-to none gives it all of them"));
  return CPU_COUNT(&mine);
}

int run_stage(const StageCommand& command, const ResolvedConfig& resolved) {
  const MpiSession session;
  MpiCollectives comm;
  set_log_context({comm.rank(), comm.size(), command.name});
  int code = 0;
  std::string reason = "done";
  try {
    LaneThreads threads(lane_threads(resolved.config, comm));
    Stage stage{resolved, comm, threads};
    code = command.run(stage);
    if (code != 0) reason = "stopped on request, committed";
  } catch (const Error& e) {
    code = static_cast<int>(e.code());
    reason = e.what();
    if (!e.on_all_ranks()) comm.abort(e.what(), e.code());
    if (comm.rank() == 0) log(Level::kError, e.what());
  } catch (const std::exception& e) {
    comm.abort(cat("a bug of Entrain's, please report it: ", e.what()), ExitCode::kBug);
  }
  if (comm.rank() == 0 && !resolved.config.run.dir.empty()) write_exit(resolved.config.run.dir, code, reason);
  comm.barrier();  // nobody ends while another still watches it
  return code;
}

int run(const std::vector<std::string>& args) {
  const std::string name = args.empty() ? "" : args[0];
  const std::vector<std::string> rest(args.begin() + (args.empty() ? 0 : 1), args.end());
  if (name == "export") return export_command(rest);
  if (name == "inspect") return inspect_views_command(rest);
  for (const StageCommand& command : kStages) {
    if (name != command.name) continue;
    const coordinator::CommandLine line = coordinator::parse_config_command(command.name, rest);
    if (line.answer) {  // --help, --print-config
      if (is_first_process()) std::cout << *line.answer << std::flush;
      return 0;
    }
    return run_stage(command, line.config);
  }
  throw ConfigError(cat("entrain-worker: no command \"", name, "\"; it is started by `entrain`"));
}

}  // namespace
}  // namespace entrain::worker

int main(int argc, char** argv) {
  using namespace entrain;  // NOLINT(google-build-using-namespace): main is the one place outside our namespaces
  worker::keep_freed_memory();
  worker::install_stop_signals();
  try {
    return worker::run({argv + 1, argv + argc});
  } catch (const Error& e) {
    if (worker::is_first_process()) log(Level::kError, e.what());
    return static_cast<int>(e.code());
  } catch (const std::exception& e) {
    log(Level::kError, cat("a bug of Entrain's, please report it: ", e.what()));
    return static_cast<int>(ExitCode::kBug);
  }
}
