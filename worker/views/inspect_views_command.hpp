#pragma once
#include <string>
#include <vector>

namespace entrain::worker {

/// `entrain inspect FILE... --views OUT.png [--config CONFIG | --preset NAME] [--rows N] [--columns N]
/// [--overwrite] [section.key=value ...]`: writes a contact sheet of views of the files. Returns the exit code; throws
/// ConfigError for a wrong command line, DataError for files that cannot be used, CheckpointError for a sheet that
/// must not or cannot be written.
int inspect_views_command(const std::vector<std::string>& args);

}  // namespace entrain::worker
