#include "coordinator/commands.hpp"

#include <algorithm>

#include "configs/cat.hpp"

namespace entrain::coordinator {

const Command* find_command(std::string_view name) {
  const auto found =
      std::find_if(kCommands.begin(), kCommands.end(), [&](const Command& c) { return c.name == name; });
  return found == kCommands.end() ? nullptr : &*found;
}

std::string command_table() {
  std::size_t name_width = 0, argument_width = 0;
  for (const Command& c : kCommands) {
    name_width = std::max(name_width, c.name.size());
    argument_width = std::max(argument_width, c.arguments.size());
  }
  std::string out = "usage: entrain COMMAND CONFIG [section.key=value ...]\n\n";
  for (const Command& c : kCommands)
    out += cat("  ", c.name, std::string(name_width - c.name.size() + 2, ' '), c.arguments,
               std::string(argument_width - c.arguments.size() + 2, ' '), c.help, '\n');
  return out +
         "\nentrain COMMAND --help says more. On several processes: mpirun -n 4 entrain pretrain CONFIG\n";
}

}  // namespace entrain::coordinator
