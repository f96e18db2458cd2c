#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/flags.hpp"
#include "coordinator/status/fetch.hpp"
#include "coordinator/status/from_files.hpp"
#include "coordinator/status/job_queue.hpp"
#include "coordinator/status/status_file.hpp"
#include "coordinator/status/status_list.hpp"
#include "coordinator/status/status_text.hpp"
#include "coordinator/status/sweep_rows.hpp"
#include "coordinator/status/terminal.hpp"

namespace entrain::coordinator {
namespace {

constexpr double kRefreshSeconds = 2;
constexpr int kWaits = 77;

constexpr const char* kMore =
    R"(
On a terminal it goes on until the run has ended, as with --watch; --once prints it once. A sweep's folder stands for all its
rows. Several runs get one line each, and --json a list.

Exit code 0: it runs, or is done; 77: it waits in the queue, to begin or to go on; 76: it has not ended and nobody is at work
on it; the run's own code once it ended otherwise; 65: no run there. Of several runs, that of the one that is worst off:
ended, then no run, then 76, then 77.

A supervisor answers on the address of RUN/control.json, with the token of RUN/.token: / (page), /status, /ranks, /metrics,
/healthz, and /events (server-sent events, each the whole of /status, at most one a second).
)";

struct Seen {
  std::optional<status::RunStatus> status;
  std::string source;  ///< where it is from, in words; without a status why there is none
};

// From the server of the run, where one answers, else from its files and the queue.
Seen look(const std::string& run_dir, status::JobQueue& queue) {
  status::Fetched fetched = status::fetch_status(run_dir);
  if (fetched.status && status::is_at_work(*fetched.status)) return {std::move(fetched.status), fetched.from};
  const std::string now = utc_now();
  auto found = fetched.status ? std::move(fetched.status) : status::status_from_files(run_dir, now);
  found = queue.add_to(std::move(found), run_dir, now);
  if (!found)
    return {std::nullopt, std::filesystem::is_directory(run_dir) ? "holds no run" : "no such folder"};
  std::string source = fetched.from.empty() ? "the files of the run"
                       : fetched.why_not.empty()
                           ? fetched.from
                           : cat("the files of the run (", fetched.from, ": ", fetched.why_not, ")");
  if (found->state == "waiting") source += " and squeue";
  return {std::move(found), std::move(source)};
}

// DataError: no run there.
Seen look_at_one(const std::string& run_dir, status::JobQueue& queue) {
  Seen seen = look(run_dir, queue);
  if (!seen.status) throw DataError(cat(run_dir, ": ", seen.source, "; want the run.dir of a configuration"));
  return seen;
}

std::vector<status::RunStatus> look_at_all(const std::vector<std::string>& runs, status::JobQueue& queue) {
  std::vector<status::RunStatus> all;
  for (const auto& run : runs) {
    Seen seen = look(run, queue);
    if (!seen.status) {
      seen.status.emplace();
      seen.status->state = "none";
      seen.status->reason = seen.source;
      seen.status->now = utc_now();
    }
    seen.status->run_dir = run;  // as it was asked for
    all.push_back(std::move(*seen.status));
  }
  return all;
}

int code_of(const status::RunStatus& s) {
  if (s.state == "ended") return s.exit_code;
  if (s.state == "none") return static_cast<int>(ExitCode::kData);
  if (s.state == "waiting") return kWaits;
  return s.state == "unknown" ? static_cast<int>(ExitCode::kComm) : 0;
}

int code_of(const std::vector<status::RunStatus>& runs) {
  const auto badness = [](const status::RunStatus& s) {
    if (code_of(s) == 0) return 0;
    return s.state == "waiting" ? 1 : s.state == "unknown" ? 2 : s.state == "none" ? 3 : 4;
  };
  return code_of(*std::max_element(runs.begin(), runs.end(),
                                   [&](const auto& a, const auto& b) { return badness(a) < badness(b); }));
}

bool goes_on(const status::RunStatus& s) { return status::is_at_work(s) || s.state == "waiting"; }

status::TextStyle style() {
  status::TextStyle style{status::stdout_columns(), status::stdout_wants_colour()};
  if (!status::stdout_is_terminal()) style.rows = std::string::npos;
  return style;
}

// What is shown of all that were asked for, and what is to come of it.
struct View {
  std::string text;
  int code = 0;
  bool goes_on = false;
};

View view_of(const std::vector<std::string>& runs, bool list, status::JobQueue& queue) {
  if (!list) {
    const Seen seen = look_at_one(runs.front(), queue);
    return {status::status_text(*seen.status, style()) +
                cat("as of ", seen.status->now, ", from ", seen.source, '\n'),
            code_of(*seen.status), goes_on(*seen.status)};
  }
  const auto all = look_at_all(runs, queue);
  return {status::status_list(all, style()) + cat("as of ", utc_now(), '\n'), code_of(all),
          std::any_of(all.begin(), all.end(), goes_on)};
}

View json_of(const std::vector<std::string>& runs, bool list, status::JobQueue& queue) {
  if (!list) {
    const Seen seen = look_at_one(runs.front(), queue);
    return {status::status_json(*seen.status, 1) + '\n', code_of(*seen.status)};
  }
  const auto all = look_at_all(runs, queue);
  std::string text;
  for (const auto& run : all) text += cat(text.empty() ? "[" : ",\n", status::status_json(run, 1));
  return {text + "]\n", code_of(all)};
}

int watch(const std::vector<std::string>& runs, bool list, status::JobQueue& queue) {
  status::Redrawn screen;
  while (true) {
    const View view = view_of(runs, list, queue);
    screen.show(view.text);
    if (!view.goes_on) return view.code;
    if (!screen.wait(kRefreshSeconds)) return 128 + screen.signal();
  }
}

}  // namespace

int status_command(const std::vector<std::string>& args) {
  CLI::App app{
      "Where runs stand: from their supervisors, or from their files and the queue where none answers.",
      "entrain status"};
  std::vector<std::string> asked;
  bool json = false, keep_watching = false, once = false;
  app.add_option("RUN", asked, "run.dir of the run, or of several; or the folder of a sweep")->required();
  auto* as_json = app.add_flag("--json", json, "the whole document, once");
  auto* repeat =
      app.add_flag("--watch", keep_watching,
                   "again every 2 s until the run ends or Ctrl-C; on a terminal that is the default");
  app.add_flag("--once", once, "print it once, also on a terminal")->excludes(repeat);
  repeat->excludes(as_json);
  if (!parse_flags(app, args, kMore)) return 0;
  std::vector<std::string> runs;
  for (const auto& each : asked) {
    const auto rows = status::sweep_rows(each);
    runs.insert(runs.end(), rows.begin(), rows.end());
    if (rows.empty()) runs.push_back(each);
  }
  const bool list = asked.size() > 1 || runs.front() != asked.front();
  status::JobQueue queue;
  if (!json && (keep_watching || (!once && status::stdout_is_terminal()))) return watch(runs, list, queue);
  const View view = json ? json_of(runs, list, queue) : view_of(runs, list, queue);
  std::cout << view.text;
  return view.code;
}

}  // namespace entrain::coordinator
