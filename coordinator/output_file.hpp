#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace entrain::coordinator {

/// A file that a command was told to write, before it begins to work.
struct OutputFile {
  std::string option;  ///< "entrain report: --out": who asks, in messages
  std::string path;
  std::vector<std::string> inputs;  ///< files and folders that the command reads
  bool overwrite = false;           ///< --overwrite was given
  std::string_view ours{};  ///< how a file of this command begins: such a one may be replaced; empty: never
};

/// Refuses what would lose something or cannot work. ConfigError: no name; a file of the inputs. CheckpointError: what
/// is no regular file (a folder, a device, a link), what lies in a checkpoint, a file that is there and was not made
/// by this command without --overwrite, a folder that is missing or cannot be written to.
void require_writable(const OutputFile& output);

}  // namespace entrain::coordinator
