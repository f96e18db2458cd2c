#include "coordinator/output_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"

namespace entrain::coordinator {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void refuse(const OutputFile& o, const std::string& text) {
  throw CheckpointError(cat(o.option, ": ", o.path, ": ", text));
}

std::string kind_of(fs::file_type type) {
  switch (type) {
    case fs::file_type::directory:
      return "a folder";
    case fs::file_type::symlink:
      return "a symbolic link";
    case fs::file_type::character:
    case fs::file_type::block:
      return "a device";
    case fs::file_type::fifo:
      return "a pipe";
    default:
      return "no regular file";
  }
}

// The innermost folder around `path` that is a checkpoint or holds those of a run; empty: none.
std::string checkpoint_around(const std::string& path) {
  std::error_code none;
  for (fs::path at = fs::weakly_canonical(path, none).parent_path(); at.has_relative_path();
       at = at.parent_path()) {
    const bool one = fs::exists(at / "manifest.json", none);
    const bool some =
        at.filename() == "checkpoints" && (fs::exists(at.parent_path() / "ledger.jsonl", none) ||
                                           fs::exists(at.parent_path() / "config.resolved.yaml", none));
    if (one || some) return at.string();
  }
  return "";
}

bool begins_with(const std::string& path, std::string_view head) {
  std::ifstream in(path, std::ios::binary);
  std::string there(head.size(), '\0');
  in.read(there.data(), static_cast<std::streamsize>(there.size()));
  return there == head;  // a shorter file leaves zeros
}

// rename() needs the folder, not the file.
void require_folder(const OutputFile& o) {
  const fs::path parent = fs::path(o.path).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    refuse(o, cat("cannot be written: folder ", folder, ": ", std::strerror(errno)));
}

}  // namespace

void require_writable(const OutputFile& o) {
  if (o.path.empty()) throw ConfigError(cat(o.option, ": want the name of a file, got nothing"));
  if (!is_utf8(o.path))
    throw ConfigError(cat(o.option, ": want a name in UTF-8, got \"", printable(o.path), '"'));
  std::error_code error;
  for (const std::string& input : o.inputs)
    if (fs::equivalent(o.path, input, error) && !error)
      throw ConfigError(cat(o.option, ": ", o.path, " is what the command reads; name another file"));
  if (const std::string around = checkpoint_around(o.path); !around.empty())
    refuse(o, cat("lies in ", around, ", which holds checkpoints and nothing else; name a file elsewhere"));
  const fs::file_type there = fs::symlink_status(o.path, error).type();
  if (there == fs::file_type::not_found || there == fs::file_type::none) return require_folder(o);
  if (there != fs::file_type::regular)
    refuse(o, cat("is ", kind_of(there), "; name a file, one that is there or a new one"));
  if (!o.overwrite && (o.ours.empty() || !begins_with(o.path, o.ours)))
    refuse(o, cat("is there already", o.ours.empty() ? "" : " and is not of this command",
                  "; name another file, or replace it with --overwrite"));
  require_folder(o);
}

}  // namespace entrain::coordinator
