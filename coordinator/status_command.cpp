#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/flags.hpp"
#include "coordinator/status/fetch.hpp"
#include "coordinator/status/from_files.hpp"
#include "coordinator/status/status_file.hpp"
#include "coordinator/status/status_text.hpp"
#include "coordinator/status/terminal.hpp"

namespace entrain::coordinator {
namespace {

constexpr double kRefreshSeconds = 2;

struct Seen {
  status::RunStatus status;
  std::string source;  ///< where it is from, in words
};

// From the server of the run, where one answers, else from the files. DataError: no run there.
Seen look(const std::string& run_dir) {
  status::Fetched fetched = status::fetch_status(run_dir);
  if (fetched.status) return {std::move(*fetched.status), fetched.from};
  auto found = status::status_from_files(run_dir, utc_now());
  if (!found)
    throw DataError(cat(run_dir, ": ",
                        std::filesystem::is_directory(run_dir) ? "holds no run" : "no such folder",
                        "; want the run.dir of a configuration"));
  return {std::move(*found), fetched.from.empty()
                                 ? "the files of the run"
                                 : cat("the files of the run (", fetched.from, ": ", fetched.why_not, ")")};
}

std::string text_of(const Seen& seen) {
  return status::status_text(seen.status, {status::stdout_columns(), status::stdout_wants_colour()}) +
         cat("as of ", seen.status.now, ", from ", seen.source, '\n');
}

int code_of(const status::RunStatus& s) {
  if (s.state == "ended") return s.exit_code;
  return s.state == "unknown" ? static_cast<int>(ExitCode::kComm) : 0;
}

int watch(const std::string& run_dir) {
  status::Redrawn screen;
  while (true) {
    const Seen seen = look(run_dir);
    screen.show(text_of(seen));
    if (seen.status.state == "ended" || seen.status.state == "unknown") return code_of(seen.status);
    if (!screen.wait(kRefreshSeconds)) return 128 + screen.signal();
  }
}

}  // namespace

int status_command(const std::vector<std::string>& args) {
  CLI::App app{"Where a run stands: from its supervisor, or from its files where none answers.",
               "entrain status"};
  std::string run_dir;
  bool json = false, keep_watching = false, once = false;
  app.add_option("RUN", run_dir, "run.dir of the run")->required();
  auto* as_json = app.add_flag("--json", json, "the whole document, once");
  auto* repeat =
      app.add_flag("--watch", keep_watching,
                   "again every 2 s until the run ends or Ctrl-C; on a terminal that is the default");
  app.add_flag("--once", once, "print it once, also on a terminal")->excludes(repeat);
  repeat->excludes(as_json);
  if (!parse_flags(
          app, args,
          "\nExit code 0: it runs, or is done; the run's own code once it ended otherwise; 76: it has "
          "not ended and nobody is at work on it; 65: no run there.\n"))
    return 0;
  if (json) {
    const Seen seen = look(run_dir);
    std::cout << status::status_json(seen.status, 1) << '\n';
    return code_of(seen.status);
  }
  if (keep_watching || (!once && status::stdout_is_terminal())) return watch(run_dir);
  const Seen seen = look(run_dir);
  std::cout << text_of(seen);
  return code_of(seen.status);
}

}  // namespace entrain::coordinator
