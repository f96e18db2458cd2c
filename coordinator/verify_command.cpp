#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "checkpoint/find.hpp"
#include "checkpoint/reader.hpp"
#include "checkpoint/resume.hpp"
#include "checkpoint/verify.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/flags.hpp"

namespace entrain::coordinator {
namespace {

std::string size_text(std::uint64_t bytes) {
  char text[32];
  const auto size = static_cast<double>(bytes);
  std::snprintf(text, sizeof text, size < 1e6 ? "%.1f kB" : "%.1f MB", size < 1e6 ? size / 1e3 : size / 1e6);
  return text;
}

void print_lines(const std::string& run, const checkpoint::Verification& v) {
  for (const auto& c : v.checkpoints) {
    if (c.problems.empty()) {
      std::cout << c.name << "  whole   " << c.tensors << " tensors in " << c.files
                << (c.files == 1 ? " file, " : " files, ") << size_text(c.bytes)
                << (c.recorded ? "" : "; not in the ledger: recorded at the next start") << '\n';
    } else {
      for (const auto& problem : c.problems) std::cout << c.name << "  BROKEN  " << problem << '\n';
    }
  }
  for (const auto& name : v.uncommitted)
    std::cout << name << (name.rfind(".tmp-", 0) == 0 ? "  never committed" : "  being deleted")
              << "; the next start removes it\n";
  for (const auto& name : v.quarantined)
    std::cout << name << "  out of use, never read; delete it when you have looked at it\n";
  if (!v.ledger.empty()) std::cout << "ledger  BROKEN  " << v.ledger << '\n';
  if (v.ledger_refuses) {
    std::cout << "a resume refuses (73). " << checkpoint::ledger_advice(run) << '\n';
    return;
  }
  if (v.pick < 0) {
    std::cout << "a resume finds no whole checkpoint in " << run << '\n';
    return;
  }
  std::cout << "a resume takes step " << v.pick
            << (v.newest_is_whole ? ", the newest" : ", because every newer one is broken") << '\n';
}

nlohmann::json to_json(const checkpoint::Verification& v) {
  nlohmann::json json{{"resume_takes", v.pick < 0 ? nlohmann::json() : nlohmann::json(v.pick)},
                      {"newest_is_whole", v.newest_is_whole},
                      {"uncommitted", v.uncommitted},
                      {"quarantined", v.quarantined},
                      {"ledger_problem", v.ledger},
                      {"checkpoints", nlohmann::json::array()}};
  for (const auto& c : v.checkpoints)
    json["checkpoints"].push_back({{"step", c.step},
                                   {"name", c.name},
                                   {"whole", c.problems.empty()},
                                   {"problems", c.problems},
                                   {"in_ledger", c.recorded},
                                   {"files", c.files},
                                   {"tensors", c.tensors},
                                   {"bytes", c.bytes}});
  return json;
}

int print_digest(const std::string& run, bool json) {
  const auto found = checkpoint::open_checkpoint(run);
  const checkpoint::CheckpointReader reader(found.dir);
  const std::string digest = checkpoint::weights_digest(reader.tensors()),
                    name = std::filesystem::path(found.dir).filename();
  if (json) {
    std::cout << nlohmann::json{{"weights_sha256", digest},
                                {"checkpoint", name},
                                {"step", found.step},
                                {"passed_over", found.passed_over}}
                     .dump(1)
              << '\n';
  } else {
    std::cout << digest << "  " << name << '\n';
    for (const auto& why : found.passed_over) std::cerr << "passed over " << why << '\n';
  }
  return static_cast<int>(ExitCode::kDone);
}

}  // namespace

int verify_command(const std::vector<std::string>& args) {
  CLI::App app{"Reads back every byte of a run's checkpoints; says what a resume would take, and why.",
               "entrain verify"};
  std::string run;
  bool digest = false, json = false;
  app.add_option("RUN", run, "run directory, or with --digest also one checkpoint")->required();
  app.add_flag("--digest", digest, "only print the SHA-256 of all weights of the newest whole checkpoint");
  app.add_flag("--json", json, "for machines");
  if (!parse_flags(app, args,
                   "\nExit code 0: the newest checkpoint is whole; 73: it is not, or there is none.\n"))
    return 0;
  if (digest) return print_digest(run, json);

  const auto verification = checkpoint::verify_run(run);
  if (json) {
    std::cout << to_json(verification).dump(1) << '\n';
  } else {
    print_lines(run, verification);
  }
  return static_cast<int>(
      verification.newest_is_whole && verification.ledger.empty() ? ExitCode::kDone : ExitCode::kCheckpoint);
}

}  // namespace entrain::coordinator
