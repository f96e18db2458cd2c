#pragma once
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace entrain::coordinator {

/// Reads a verb's arguments into what `app` was told. False: --help was asked for and is answered, with `more`
/// behind it. ConfigError names the verb (the app's name), what is wrong, and where help is.
bool parse_flags(CLI::App& app, const std::vector<std::string>& args, const char* more = "");

}  // namespace entrain::coordinator
