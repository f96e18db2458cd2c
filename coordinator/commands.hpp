#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace entrain::coordinator {

/// Each takes what follows the verb, prints its answer on stdout, returns the exit code, and throws Error.
int audit_command(const std::vector<std::string>& args);
int doctor_command(const std::vector<std::string>& args);
int ingest_command(const std::vector<std::string>& args);
int inspect_command(const std::vector<std::string>& args);
int plan_command(const std::vector<std::string>& args);
int run_command(const std::vector<std::string>& args);
int report_command(const std::vector<std::string>& args);
int status_command(const std::vector<std::string>& args);
int submit_command(const std::vector<std::string>& args);
int verify_command(const std::vector<std::string>& args);

/// Who does the work: the front door itself, or entrain-worker (LibTorch and MPI), to which it is handed by execv.
enum class Program { kFrontDoor, kWorker };

struct Command {
  std::string_view name, arguments, help;
  Program program = Program::kWorker;
  int (*run)(const std::vector<std::string>& args) = nullptr;  ///< of the front door
  bool takes_config() const { return arguments.starts_with("CONFIG"); }
};

/// The only list of commands: help, dispatch and the hand-over to entrain-worker all read it.
inline constexpr std::array kCommands{
    Command{"ingest", "images|phantom", "image files, or a synthetic corpus, to HDF5", Program::kFrontDoor,
            ingest_command},
    Command{"inspect", "FILE...", "what is in HDF5 files, how it is stored, what is odd about it",
            Program::kFrontDoor, inspect_command},
    Command{"doctor", "[FOLDER]", "is this machine, its launcher and its disk fit for runs; what to mend",
            Program::kFrontDoor, doctor_command},
    Command{"plan", "CONFIG", "everything that will happen, before a processor is asked for",
            Program::kFrontDoor, plan_command},
    Command{"pretrain", "CONFIG", "SimCLR over all ranks, from the newest checkpoint"},
    Command{"finetune", "CONFIG", "few labels on a pretrained encoder, a file or none"},
    Command{"evaluate", "CONFIG", "AUC and friends of a fine-tuned model on any labelled corpus"},
    Command{"export", "--from D --out F", "weights with timm's names, and the line that loads them"},
    Command{"run", "CONFIG", "the same under a supervisor that starts again what fails; also in a batch job",
            Program::kFrontDoor, run_command},
    Command{"submit", "CONFIG...",
            "the same as a Slurm job: checked, submitted, and begun again until it is done",
            Program::kFrontDoor, submit_command},
    Command{"status", "RUN...", "where runs stand: from their supervisors, or from their files and the queue",
            Program::kFrontDoor, status_command},
    Command{"bench", "loader|collectives",
            "how fast files are read and made into views; what the network under these ranks costs"},
    Command{"verify", "RUN", "reads back every byte of the checkpoints; what a resume would take",
            Program::kFrontDoor, verify_command},
    Command{"audit", "RUN",
            "proof from the ledger: each image once per epoch; which checkpoints saw a patient",
            Program::kFrontDoor, audit_command},
    Command{"report", "DIR...", "evaluations side by side: a table, and a page with label-efficiency curves",
            Program::kFrontDoor, report_command},
};

/// nullptr: there is none of that name.
const Command* find_command(std::string_view name);
/// How entrain is called, and the table of commands.
std::string command_table();

}  // namespace entrain::coordinator
