#include "checkpoint/jsonl.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "checkpoint/file_system.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"

namespace entrain::checkpoint {
namespace {

// A line stays if it is a whole JSON object of a step that will not happen again.
bool stays(const std::string& line, std::int64_t resumed_step) {
  const auto object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object()) return false;
  const auto step = object.find("step");
  return step == object.end() || !step->is_number_integer() || step->get<std::int64_t>() <= resumed_step;
}

std::int64_t keep_until(const std::string& path, std::int64_t resumed_step) {
  if (!std::filesystem::is_regular_file(path)) return 0;
  std::ifstream in(path, std::ios::binary);
  FileSystem& files = real_file_system();
  const std::string half = path + ".tmp";
  const auto out = files.create(half);
  std::int64_t dropped = 0;
  for (std::string line; std::getline(in, line);) {
    const bool whole = !in.eof();  // a last line without its end is torn even if it parses
    if (whole && stays(line, resumed_step)) {
      line += '\n';
      out->write(line.data(), line.size());
    } else {
      ++dropped;
    }
  }
  out->sync();
  out->close();
  if (dropped > 0) {
    files.rename(half, path);
  } else {
    files.remove_file(half);
  }
  return dropped;
}

}  // namespace

JsonLines::JsonLines(const std::string& path, std::int64_t resumed_step)
    : path_(path), dropped_(keep_until(path, resumed_step)) {
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd_ < 0) throw CheckpointError(cat(std::strerror(errno), " opening ", path));
}

JsonLines::~JsonLines() { ::close(fd_); }

void JsonLines::append(const nlohmann::json& object) {
  const std::string line = object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
  const off_t before = ::lseek(fd_, 0, SEEK_END);
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t n = ::write(fd_, line.data() + done, line.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n > 0) {  // all, or on a disk that is getting full a part; then the next try says why
      done += static_cast<std::size_t>(n);
      continue;
    }
    const int error = errno;
    if (before >= 0 && ::ftruncate(fd_, before) != 0)
      log(Level::kWarning, cat(path_, ": its last line is half a line (", std::strerror(errno), ')'));
    throw CheckpointError(cat(std::strerror(error), " writing ", path_));
  }
}

}  // namespace entrain::checkpoint
