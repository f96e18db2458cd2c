#include "coordinator/flags.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::coordinator {

bool parse_flags(CLI::App& app, const std::vector<std::string>& args, const char* more) {
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help() << more;
    return false;
  } catch (const CLI::ParseError& error) {
    throw ConfigError(cat(app.get_name(), ": ", error.what(), "; ", app.get_name(), " --help says more"));
  }
  return true;
}

}  // namespace entrain::coordinator
