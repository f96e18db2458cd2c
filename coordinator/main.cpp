// The front door, `entrain`: no LibTorch, no MPI, an answer in milliseconds. Verbs that compute are handed to
// entrain-worker, which lies beside this program, in this process (execv), so that `mpirun -n 4 entrain pretrain
// run.yaml` is the MPI step itself.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "configs/process.hpp"
#include "configs/section.hpp"
#include "coordinator/cli.hpp"
#include "coordinator/commands.hpp"

namespace entrain::coordinator {
namespace {

bool has(const std::vector<std::string>& args, std::string_view word) {
  return std::find(args.begin(), args.end(), word) != args.end();
}

[[noreturn]] void hand_to_worker(const std::string& verb, const std::vector<std::string>& args) {
  const std::string worker = worker_program();
  std::vector<std::string> words{worker, verb};
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::cout.flush();
  // A stop that comes while the worker's libraries are loaded waits for its handlers.
  sigset_t stops;
  ::sigemptyset(&stops);
  for (const int signal : {SIGTERM, SIGUSR1, SIGINT}) ::sigaddset(&stops, signal);
  ::sigprocmask(SIG_BLOCK, &stops, nullptr);
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

// An empty word is a shell variable that nobody set; a folder that was deleted under us makes every relative name, and
// some libraries, fail in ways of their own.
void require_sound_start(const std::vector<std::string>& args) {
  for (std::size_t i = 0; i < args.size(); ++i)
    if (args[i].empty())
      throw ConfigError(cat("argument ", i + 2, " is empty; is a variable of the shell not set?"));
  char* folder = ::getcwd(nullptr, 0);
  if (!folder)
    throw LaunchError(cat("the current folder cannot be used (", std::strerror(errno),
                          "; was it deleted?); cd to one that is there, and start again"));
  std::free(folder);
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
  require_sound_start(args);
  if (command->program == Program::kWorker) {
    // What needs no computing is answered here, at once.
    if (command->takes_config() && (has(args, "--help") || has(args, "-h") || has(args, "--print-config"))) {
      std::cout << parse_config_command(verb, args).answer.value();
      return 0;
    }
    hand_to_worker(verb, args);
  }
  const auto draws = [](const std::string& arg) { return arg == "--views" || arg.starts_with("--views="); };
  if (verb == "inspect" && std::any_of(args.begin(), args.end(), draws))
    hand_to_worker(verb, args);  // draws views: needs worker/views
  return command->run(args);
}

int run(int argc, char** argv) {
  ignore_write_signals();
  try {
    if (argc >= 2) return end_answer(dispatch(argv[1], {argv + 2, argv + argc}));
    std::cerr << command_table();
    return static_cast<int>(ExitCode::kConfig);
  } catch (const std::exception& e) {
    const Error error = error_of(e);
    log(Level::kError, error.what());
    return static_cast<int>(error.code());
  }
}

}  // namespace
}  // namespace entrain::coordinator

int main(int argc, char** argv) { return entrain::coordinator::run(argc, argv); }
