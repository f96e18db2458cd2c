#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/audit.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/flags.hpp"

namespace entrain::coordinator {
namespace {

// One id per line, as data.exclude_groups has them.
void read_ids(const std::string& path, std::vector<std::string>& ids) {
  std::ifstream in(path);
  if (!in || std::filesystem::is_directory(path))
    throw DataError(cat(path, ": cannot be read; --groups wants a file with one group id per line"));
  for (std::string line; std::getline(in, line);) {
    const auto first = line.find_first_not_of(" \t\r"), last = line.find_last_not_of(" \t\r");
    if (first != line.npos) ids.push_back(line.substr(first, last - first + 1));
  }
  if (ids.empty())
    throw DataError(cat(path, ": names no group; --groups wants a file with one group id per line"));
}

}  // namespace

int audit_command(const std::vector<std::string>& args) {
  CLI::App app{
      "Proves from a run's ledger and its plan that every epoch saw each image exactly once, over all "
      "restarts "
      "and numbers of ranks; says which checkpoints saw a patient.",
      "entrain audit"};
  AuditQuestion question;
  std::string file;
  bool json = false;
  app.add_option("RUN", question.run, "run directory of entrain pretrain")->required();
  app.add_option("--group", question.groups, "trace these patients (group ids of the corpus)")
      ->type_name("ID");
  app.add_option("--groups", file, "trace those of this file, one id per line")->type_name("FILE");
  app.add_flag("--json", json, "for machines");
  if (!parse_flags(app, args,
                   "\nExit code 0: proven; 73: the ledger or a checkpoint disagrees; 65: the data that the "
                   "proof needs "
                   "cannot be opened, or do not have such a group.\n"))
    return 0;
  if (!file.empty()) read_ids(file, question.groups);
  std::set<std::string> once;
  std::erase_if(question.groups, [&](const std::string& id) { return !once.insert(id).second; });
  const AuditReport report = audit_run(question);
  std::cout << (json ? audit_json(report).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n'
                     : audit_text(report));
  return report.exit_code();
}

}  // namespace entrain::coordinator
