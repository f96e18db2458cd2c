#include "sharding/ingest/verdicts.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::sharding {
namespace {

void write_all(int fd, const std::string& text, const std::string& path) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw CheckpointError(cat("cannot write ", path, ": ", std::strerror(errno)));
    done += static_cast<std::size_t>(n);
  }
}
}  // namespace

VerdictsFile::VerdictsFile(const std::string& path, const std::vector<ImageRow>& rows) : file_(path, true) {
  std::string text;
  std::int64_t row_in_output = 0;
  for (const auto& row : rows) {
    nlohmann::ordered_json line = {{"file", row.file}};
    switch (row.verdict) {
      case ImageRow::Verdict::kKept:
        line["verdict"] = "kept", line["row"] = row_in_output++;
        break;
      case ImageRow::Verdict::kBad:
        line["verdict"] = "bad", line["why"] = row.why;
        break;
      case ImageRow::Verdict::kDuplicate:
        line["verdict"] = "duplicate", line["why"] = row.why;
        break;
    }
    text += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  const int fd = ::open(file_.path().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) throw CheckpointError(cat("cannot write ", path, ": ", std::strerror(errno)));
  try {
    write_all(fd, text, path);
  } catch (...) {
    ::close(fd);
    throw;
  }
  ::close(fd);
}

}  // namespace entrain::sharding
