#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/cli.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/doctor/finding.hpp"
#include "coordinator/flags.hpp"

namespace entrain::coordinator {
namespace {

using doctor::Finding;
using doctor::Findings;

std::string_view word(Finding::Grade grade) {
  return grade == Finding::Grade::kFine ? "ok" : grade == Finding::Grade::kMind ? "mind" : "BAD";
}

void print(const Findings& findings) {
  const char* no_color = std::getenv("NO_COLOR");
  const bool colour = ::isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0');
  for (const Finding& f : findings) {
    const char* begin = !colour                            ? ""
                        : f.grade == Finding::Grade::kFine ? "\x1b[32m"
                        : f.grade == Finding::Grade::kMind ? "\x1b[33m"
                                                           : "\x1b[31m";
    std::string grade(word(f.grade));
    grade.resize(5, ' ');
    std::string topic = f.topic;
    topic.resize(11, ' ');
    std::cout << begin << grade << (colour ? "\x1b[0m" : "") << topic << f.what << '\n';
    if (!f.fix.empty()) std::cout << std::string(16, ' ') << "-> " << f.fix << '\n';
  }
}

}  // namespace

int doctor_command(const std::vector<std::string>& args) {
  CLI::App app{
      "Looks whether this machine, its launcher and a folder are fit for runs, and says how to mend what is "
      "not.",
      "entrain doctor"};
  std::string folder = ".";
  bool json = false;
  app.add_option("FOLDER", folder, "where runs shall live; the present folder unless given");
  app.add_flag("--json", json, "for machines");
  if (!parse_flags(app, args, "\nExit code 0: fit; 69: something cannot work.\n")) return 0;
  const std::string worker = worker_program();
  Findings all = doctor::look_at_libraries(worker);
  for (const auto& more : {doctor::look_at_gpu(worker), doctor::look_at_launcher(worker),
                           doctor::look_at_slurm(), doctor::look_at_machine(), doctor::look_at_disk(folder)})
    all.insert(all.end(), more.begin(), more.end());
  if (json) {
    auto out = nlohmann::ordered_json::array();
    for (const Finding& f : all)
      out.push_back({{"grade", word(f.grade)}, {"topic", f.topic}, {"what", f.what}, {"fix", f.fix}});
    std::cout << out.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  } else {
    print(all);
  }
  const bool bad =
      std::any_of(all.begin(), all.end(), [](const Finding& f) { return f.grade == Finding::Grade::kBad; });
  return static_cast<int>(bad ? ExitCode::kPreflight : ExitCode::kDone);
}

}  // namespace entrain::coordinator
