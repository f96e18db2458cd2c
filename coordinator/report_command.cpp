#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "checkpoint/atomic_file.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/flags.hpp"
#include "evaluation/report.hpp"

namespace entrain::coordinator {

int report_command(const std::vector<std::string>& args) {
  CLI::App app{"Puts evaluations beside each other: a table, and a page with label-efficiency curves.",
               "entrain report"};
  std::vector<std::string> dirs;
  std::string out;
  bool json = false;
  app.add_option("DIR", dirs, "run directories of entrain evaluate, or folders that hold some")->required();
  app.add_option("--out", out, "write the page to this file");
  app.add_flag("--json", json, "print everything that the page shows as JSON");
  if (!parse_flags(app, args)) return 0;
  const auto study = evaluation::make_study(evaluation::read_results(dirs));
  if (!out.empty()) checkpoint::write_file_atomically(out, evaluation::report_html(study));
  if (json) {
    std::cout << evaluation::to_json(study).dump(1) << '\n';
    return 0;
  }
  std::cout << evaluation::terminal_table(study);
  if (!out.empty())
    std::cout << "\nthe page: " << std::filesystem::absolute(out).lexically_normal().string() << '\n';
  return 0;
}

}  // namespace entrain::coordinator
