#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "coordinator/audit.hpp"
#include "tests/coordinator/ledger_run.hpp"

namespace entrain::tests {

inline coordinator::AuditReport audit(const std::string& run, const std::vector<std::string>& groups = {}) {
  return coordinator::audit_run({.run = run, .groups = groups, .threads = 2});
}

/// The same ledger with one record changed, its chain made good again: what a liar would write.
inline void forge(const std::string& run, std::size_t line,
                  const std::function<void(nlohmann::json&)>& change) {
  auto records = checkpoint::read_ledger(run).records;
  change(records[line - 1]);
  std::filesystem::remove(run + "/ledger.jsonl");
  checkpoint::Ledger ledger(run);
  for (const auto& record : records) ledger.append(record);
}

}  // namespace entrain::tests
