#pragma once
#include <string>

namespace entrain::slurm {

/// One word of bash that is this text, whatever it holds: a, 'a b', $'two\nlines'. One line.
std::string bash_quote(const std::string& text);
/// The value of an option on a line `#SBATCH --name=VALUE`, in double quotes. ConfigError, which begins with `what`, for
/// control characters: such a line cannot hold them.
std::string sbatch_quote(const std::string& text, const std::string& what);

}  // namespace entrain::slurm
