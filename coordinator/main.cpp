// The front door, `entrain`: no LibTorch, no MPI, an answer in milliseconds. Verbs that compute are handed to
// entrain-worker, which lies beside this program, in this process (execv), so that `mpirun -n 4 entrain pretrain
// run.yaml` is the MPI step itself.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "configs/section.hpp"
#include "coordinator/cli.hpp"
#include "coordinator/commands.hpp"

namespace entrain::coordinator {
namespace {

bool has(const std::vector<std::string>& args, std::string_view word) {
  return std::find(args.begin(), args.end(), word) != args.end();
}

[[noreturn]] void hand_to_worker(const std::string& verb, const std::vector<std::string>& args) {
  const auto worker =
      (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "entrain-worker").string();
  std::vector<std::string> words{worker, verb};
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::cout.flush();
  ::execv(worker.c_str(), argv.data());
  throw LaunchError(cat(worker, ": cannot be started (", std::strerror(errno), "); `entrain ", verb,
                        "` needs it beside this program: build the target entrain-worker"));
}

int no_such_command(const std::string& name) {
  std::vector<std::string> known;
  for (const Command& c : kCommands) known.emplace_back(c.name);
  const std::string near = nearest(name, known);
  std::cerr << "entrain: no command \"" << name << '"' << (near.empty() ? "" : "; did you mean " + near + "?")
            << "\n\n"
            << command_table();
  return static_cast<int>(ExitCode::kConfig);
}

int dispatch(const std::string& verb, const std::vector<std::string>& args) {
  if (verb == "--help" || verb == "-h" || verb == "help") {
    if (verb == "help" && !args.empty()) return dispatch(args[0], {"--help"});
    std::cout << command_table();
    return 0;
  }
  if (verb == "--version") {
    std::cout << "entrain " ENTRAIN_VERSION "\n";
    return 0;
  }
  const Command* command = find_command(verb);
  if (!command) return no_such_command(verb);
  if (command->program == Program::kWorker) {
    // What needs no computing is answered here, at once.
    if (command->takes_config() && (has(args, "--help") || has(args, "-h") || has(args, "--print-config"))) {
      std::cout << parse_config_command(verb, args).answer.value();
      return 0;
    }
    hand_to_worker(verb, args);
  }
  if (verb == "inspect" && has(args, "--views"))
    hand_to_worker(verb, args);  // draws views: needs worker/views
  return command->run(args);
}

int run(int argc, char** argv) {
  // A parent that ignores SIGPIPE (Python does) hands that down, and `entrain plan x | head` would fail, not end.
  std::signal(SIGPIPE, SIG_DFL);
  if (argc < 2) {
    std::cerr << command_table();
    return static_cast<int>(ExitCode::kConfig);
  }
  try {
    const int code = dispatch(argv[1], {argv + 2, argv + argc});
    std::cout.flush();
    if (!std::cout) {
      log(Level::kError, "stdout: cannot be written to; the answer is not complete");
      return static_cast<int>(ExitCode::kData);
    }
    return code;
  } catch (const Error& e) {
    log(Level::kError, e.what());
    return static_cast<int>(e.code());
  } catch (const std::exception& e) {
    log(Level::kError, cat("a bug of entrain, please report it with the command line: ", e.what()));
    return static_cast<int>(ExitCode::kBug);
  }
}

}  // namespace
}  // namespace entrain::coordinator

int main(int argc, char** argv) { return entrain::coordinator::run(argc, argv); }
