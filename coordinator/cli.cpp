#include "coordinator/cli.hpp"

#include <algorithm>
#include <filesystem>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"
#include "coordinator/commands.hpp"

namespace entrain::coordinator {
namespace {

const CliOption* find_option(const std::vector<CliOption>& options, const std::string& name) {
  const auto found =
      std::find_if(options.begin(), options.end(), [&](const CliOption& o) { return o.name == name; });
  return found == options.end() ? nullptr : &*found;
}

std::string unknown_option(std::string_view command, const std::string& given,
                           const std::vector<CliOption>& options) {
  std::vector<std::string> known{"--help", "--json", "--print-config"};
  for (const auto& option : options) known.push_back(option.name);
  const std::string near = nearest(given, known);
  return cat("entrain ", command, ": no option \"", given, '"',
             near.empty() ? "" : cat("; did you mean ", near, '?'), " it knows: ", join(known));
}

// What no command that computes can begin with; found before any rank waits for another. `where`: who said so.
void require_workable(std::string_view command, const CommandLine& line) {
  const ResolvedConfig& resolved = line.config;
  const RunConfig& config = resolved.config;
  const auto refuse = [&](const std::string& key, const std::string& text) {
    throw ConfigError(cat(resolved.origins.at(key), ": ", key, ": ", text));
  };
  if (config.data.files.empty() && line.options.count("--samples") == 0)
    refuse("data.files", "want HDF5 files or globs, got none");
  std::error_code none;
  const auto there = std::filesystem::status(config.run.dir, none).type();
  if (!config.run.dir.empty() && there != std::filesystem::file_type::directory &&
      there != std::filesystem::file_type::not_found && there != std::filesystem::file_type::none)
    refuse("run.dir", cat("want a folder, got \"", config.run.dir, "\", which is a file"));
  const bool contrasts = command == "pretrain" || command == "plan";
  if (contrasts && config.batch.lanes * config.batch.lane_images < 2)
    refuse(
        "batch.lane_images",
        "want at least 2 images in the global batch, got 1 lane x 1 image: an image is told apart from the "
        "others of its batch, and there are none");
}

std::string help_line(const std::string& left, const std::string& right) {
  return cat("  ", left, std::string(left.size() < 28 ? 28 - left.size() : 1, ' '), right, '\n');
}

}  // namespace

std::string worker_program() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "entrain-worker";
}

void refuse_twice(const std::vector<std::string>& overrides) {
  std::map<std::string, std::string> seen;
  for (const std::string& text : overrides) {
    const std::size_t equals = text.find('=');
    const auto [earlier, fresh] = seen.emplace(text.substr(0, equals), text.substr(equals + 1));
    if (!fresh)
      throw ConfigError(cat("command line: ", earlier->first, ": given twice, as \"", earlier->second,
                            "\" and as \"", text.substr(equals + 1), "\"; leave one of them out"));
  }
}

CommandLine parse_config_command(std::string_view command, const std::vector<std::string>& args,
                                 const std::vector<CliOption>& options) {
  CommandLine out;
  std::vector<std::string>& overrides = out.overrides;
  bool print_config = false;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    const std::size_t equals = arg.find('=');
    if (arg.empty() || arg[0] != '-') {
      if (equals != std::string::npos)
        overrides.push_back(arg);
      else if (out.path.empty())
        out.path = arg;
      else
        throw ConfigError(cat("entrain ", command, ": one CONFIG at a time, got \"", out.path, "\" and \"",
                              arg, "\"; a setting is written section.key=value"));
      continue;
    }
    const std::string name = arg.substr(0, equals);
    if (arg == "--help" || arg == "-h") {
      out.answer = config_command_help(command, options);
      return out;
    }
    if (arg == "--json")
      out.json = true;
    else if (arg == "--print-config")
      print_config = true;
    else if (!find_option(options, name))
      throw ConfigError(unknown_option(command, name, options));
    else if (out.options.count(name) != 0)
      throw ConfigError(cat("entrain ", command, ": ", name, ": given twice; leave one of them out"));
    else if (equals != std::string::npos)
      out.options[name] = arg.substr(equals + 1);
    else if (++i < args.size())
      out.options[name] = args[i];
    else
      throw ConfigError(cat("entrain ", command, ": ", name, ": want a value after it"));
  }
  if (out.path.empty())
    throw ConfigError(
        cat("entrain ", command, ": want a CONFIG, as in: entrain ", command, " configs/demo.yaml"));
  refuse_twice(overrides);
  out.config = read_run_config(out.path, overrides);
  const Command* known = find_command(command);
  if (print_config)
    out.answer = out.config.yaml();
  else if (command == "plan" || command == "run" || (known && known->program == Program::kWorker))
    require_workable(command, out);
  return out;
}

std::string config_command_help(std::string_view command, const std::vector<CliOption>& options) {
  const Command* known = find_command(command);
  std::string out = cat("usage: entrain ", command, " CONFIG [section.key=value ...]\n");
  if (known) out += cat("  ", known->help, "\n");
  out += "\n" + help_line("CONFIG", "a YAML file; those in configs/ say what they are for");
  out +=
      help_line("section.key=value", "puts one setting over the file's: batch.lanes=8 data.files=a.h5,b.h5");
  for (const auto& option : options) out += help_line(cat(option.name, ' ', option.value), option.help);
  out += help_line("--print-config", "prints every setting and where its value comes from, and stops");
  out += help_line("--json", "the answer for machines, where there is one");
  return out + help_line("--help", "this text");
}

}  // namespace entrain::coordinator
