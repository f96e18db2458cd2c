#include "tests/standin/misuse.hpp"

#include <unistd.h>

#include "configs/cat.hpp"

namespace entrain::standin {

void misuse(Misuse kind, const std::string& text) {
  const std::string line =
      cat("standin: misuse ", static_cast<int>(kind), ": ", text, " [process ", ::getpid(), "]\n");
  const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  ::_exit(written < 0 ? kMisuseExit + 1 : kMisuseExit);
}

}  // namespace entrain::standin
