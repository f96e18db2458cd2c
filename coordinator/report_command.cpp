#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "checkpoint/atomic_file.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/flags.hpp"
#include "coordinator/output_file.hpp"
#include "evaluation/report.hpp"

namespace entrain::coordinator {

int report_command(const std::vector<std::string>& args) {
  CLI::App app{"Puts evaluations beside each other: a table, and a page with label-efficiency curves.",
               "entrain report"};
  std::vector<std::string> dirs;
  std::string out;
  bool overwrite = false, json = false;
  app.add_option("DIR", dirs, "run directories of entrain evaluate, or folders that hold some")->required();
  const auto* page =
      app.add_option("--out", out, "write the page to this file; an earlier page of a report is replaced");
  app.add_flag("--overwrite", overwrite, "also replace a file that is no page of a report");
  app.add_flag("--json", json, "print everything that the page shows as JSON");
  if (!parse_flags(app, args)) return 0;
  const auto results = evaluation::read_results(dirs);
  const auto study = evaluation::make_study(results);
  if (page->count() > 0) {
    std::vector<std::string> inputs;
    for (const auto& result : results) inputs.push_back(result.dir + "/metrics.json");
    require_writable({"entrain report: --out", out, inputs, overwrite, evaluation::kReportBegins});
    checkpoint::write_file_atomically(out, evaluation::report_html(study));
  }
  if (json) {
    std::cout << evaluation::to_json(study).dump(1, ' ', false, nlohmann::json::error_handler_t::replace)
              << '\n';
    return 0;
  }
  std::cout << evaluation::terminal_table(study);
  if (!out.empty())
    std::cout << "\nthe page: " << std::filesystem::absolute(out).lexically_normal().string() << '\n';
  return 0;
}

}  // namespace entrain::coordinator
