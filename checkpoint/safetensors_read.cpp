#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "checkpoint/safetensors.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::checkpoint {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kMaxDimensions = 64;

struct Entry {
  std::string name{}, dtype{};
  std::vector<std::uint64_t> shape{}, offsets{};
  bool has_dtype = false, has_shape = false, has_offsets = false;
};

// Reads the header event by event. Only what a header may hold is kept, so that a hostile one cannot make us
// allocate more than a small multiple of its own bytes.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<Entry> entries;
  Metadata metadata;
  std::string problem;

  bool null() override { return scalar("null"); }
  bool boolean(bool) override { return scalar("a truth value"); }
  bool number_integer(number_integer_t) override { return scalar("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return scalar("a number with a fraction"); }
  bool binary(binary_t&) override { return scalar("bytes"); }
  bool number_unsigned(number_unsigned_t value) override {
    if (depth_ != 3 || !in_list_) return scalar("a number");
    auto& list = key_ == "shape" ? entries.back().shape : entries.back().offsets;
    if (list.size() == kMaxDimensions) return refuse(cat('"', key_, "\" has more than 64 numbers"));
    list.push_back(value);
    return true;
  }
  bool string(string_t& text) override {
    if (in_metadata_ && depth_ == 2) {
      metadata[key_] = text;
      return true;
    }
    if (!in_metadata_ && depth_ == 2 && key_ == "dtype") {
      entries.back().dtype = text;
      entries.back().has_dtype = true;
      return true;
    }
    return scalar("text");
  }
  bool start_object(std::size_t) override {
    if (depth_ == 1 && !in_metadata_) entries.push_back({.name = key_});
    if (depth_ == 2 && (in_metadata_ || known_key())) return refuse(cat('"', key_, "\" is an object"));
    if (depth_ == 3 && in_list_) return refuse(cat('"', key_, "\" holds an object"));
    if (++depth_ == 2) keys_.clear();
    return true;
  }
  bool end_object() override {
    if (--depth_ == 1) in_metadata_ = false;
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ == 1) return refuse("a list where a tensor was expected");
    if (depth_ == 2 && in_metadata_) return refuse(cat("metadata \"", key_, "\" is not text"));
    if (depth_ == 2 && key_ == "dtype") return refuse("\"dtype\" is a list");
    if (depth_ == 3 && in_list_) return refuse(cat('"', key_, "\" holds a list"));
    if (depth_ == 2) {
      in_list_ = known_key();
      if (key_ == "shape") entries.back().has_shape = true;
      if (key_ == "data_offsets") entries.back().has_offsets = true;
    }
    ++depth_;
    return true;
  }
  bool end_array() override {
    if (--depth_ == 2) in_list_ = false;
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ > 2) return true;  // inside a value that nobody asked for
    key_ = name;
    if (depth_ == 1) {
      in_metadata_ = name == "__metadata__";
      if (!names_.insert(name).second) return refuse("the name occurs twice");
    } else if (!keys_.insert(name).second) {
      return refuse(cat("the key \"", name, "\" occurs twice"));
    }
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    if (problem.empty()) problem = cat("the header is not JSON at byte ", 8 + position);
    return false;
  }

 private:
  bool known_key() const {
    return !in_metadata_ && (key_ == "dtype" || key_ == "shape" || key_ == "data_offsets");
  }
  // A scalar is fine only inside an extra key of an entry.
  bool scalar(const char* what) {
    if (depth_ == 1) return refuse(cat(what, " where a tensor was expected"));
    if (depth_ == 2 && in_metadata_) return refuse(cat("metadata \"", key_, "\" is ", what, ", not text"));
    if ((depth_ == 2 && known_key()) || (depth_ == 3 && in_list_))
      return refuse(cat('"', key_, "\" is or holds ", what));
    return true;
  }
  bool refuse(const std::string& why) {
    const std::string who = depth_ == 1       ? key_
                            : in_metadata_    ? ""
                            : entries.empty() ? ""
                                              : entries.back().name;
    problem = who.empty() ? why : cat("tensor \"", who, "\": ", why);
    return false;
  }
  std::size_t depth_ = 0;
  bool in_metadata_ = false, in_list_ = false;
  std::string key_;
  std::set<std::string> names_, keys_;
};

// Throws what is wrong with the entry; the caller adds the file and the name.
TensorView view_of(const Entry& entry, std::uint64_t data_bytes, const std::byte* data) {
  TensorView view{.name = entry.name};
  if (!entry.has_dtype || !entry.has_shape || !entry.has_offsets)
    throw CheckpointError("dtype, shape or data_offsets is missing");
  if (!parse_dtype(entry.dtype, view.dtype)) throw CheckpointError(cat("unknown dtype \"", entry.dtype, '"'));
  if (entry.offsets.size() != 2)
    throw CheckpointError(cat("data_offsets has ", entry.offsets.size(), " numbers, want 2"));
  const auto begin = entry.offsets[0], end = entry.offsets[1];
  if (begin > end || end > data_bytes)
    throw CheckpointError(
        cat("data_offsets [", begin, ", ", end, "] do not lie in the ", data_bytes, " bytes of data"));
  std::uint64_t want = dtype_bytes(view.dtype);
  for (const auto extent : entry.shape) {
    if (extent > std::uint64_t{std::numeric_limits<std::int64_t>::max()} ||
        __builtin_mul_overflow(want, extent, &want))
      throw CheckpointError("the shape overflows 64 bits");
    view.shape.push_back(static_cast<std::int64_t>(extent));
  }
  if (want != end - begin)
    throw CheckpointError(cat("the shape needs ", want, " bytes but data_offsets span ", end - begin));
  view.data = data + begin;
  return view;
}

struct Mapping {
  std::shared_ptr<const std::byte> bytes;
  std::uint64_t size = 0;
};

Mapping map_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw CheckpointError(cat(path, ": ", std::strerror(errno)));
  struct stat info {};
  void* at = MAP_FAILED;
  errno = EINVAL;
  if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size >= 8)
    at = ::mmap(nullptr, static_cast<std::size_t>(info.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
  const int error = errno;
  ::close(fd);
  if (S_ISREG(info.st_mode) && info.st_size < 8)
    throw CheckpointError(cat(path, ": ", info.st_size, " bytes are too few for a safetensors file"));
  if (at == MAP_FAILED) throw CheckpointError(cat(path, ": cannot be mapped: ", std::strerror(error)));
  const auto size = static_cast<std::size_t>(info.st_size);
  return {std::shared_ptr<const std::byte>(
              static_cast<const std::byte*>(at),
              [size](const std::byte* p) { ::munmap(const_cast<std::byte*>(p), size); }),
          size};
}

HeaderReader read_header(const std::string& path, std::string_view text) {
  HeaderReader header;
  if (text.empty() || text.front() != '{')
    throw CheckpointError(cat(path, ": the header does not begin with '{'"));
  // nlohmann takes NUL for the end of input.
  if (text.find('\0') != text.npos)
    throw CheckpointError(cat(path, ": the header holds NUL bytes (pad with spaces)"));
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &header))
    throw CheckpointError(cat(path, ": ", header.problem));
  return header;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : path_(path) {
  const Mapping file = map_file(path);
  mapping_ = file.bytes;
  std::uint64_t length = 0;
  std::memcpy(&length, mapping_.get(), sizeof length);
  if (length > kMaxHeaderBytes || length > file.size - 8)
    throw CheckpointError(cat(path, ": the header claims ", length, " bytes, the file has ", file.size));
  HeaderReader header = read_header(
      path, {reinterpret_cast<const char*>(mapping_.get()) + 8, static_cast<std::size_t>(length)});
  metadata_ = std::move(header.metadata);

  const std::uint64_t data_bytes = file.size - 8 - length;
  std::sort(header.entries.begin(), header.entries.end(),
            [](const Entry& a, const Entry& b) { return a.offsets < b.offsets; });
  std::uint64_t covered = 0;
  for (const Entry& entry : header.entries) {
    try {
      tensors_.push_back(view_of(entry, data_bytes, mapping_.get() + 8 + length));
      if (entry.offsets[0] != covered)
        throw CheckpointError(
            cat("begins at ", entry.offsets[0], " of the data but the one before ends at ", covered));
      covered = entry.offsets[1];
    } catch (const CheckpointError& error) {
      throw CheckpointError(cat(path, ": tensor \"", entry.name, "\": ", error.what()));
    }
  }
  if (covered != data_bytes)
    throw CheckpointError(
        cat(path, ": the tensors cover ", covered, " bytes but ", data_bytes, " follow the header",
            tensors_.empty() ? "" : cat(" (last tensor \"", header.entries.back().name, "\")")));
  std::sort(tensors_.begin(), tensors_.end(),
            [](const TensorView& a, const TensorView& b) { return a.name < b.name; });
}

const TensorView* SafetensorsFile::find(const std::string& name) const {
  const auto found = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                      [](const TensorView& t, const std::string& n) { return t.name < n; });
  return found != tensors_.end() && found->name == name ? &*found : nullptr;
}

const TensorView& SafetensorsFile::at(const std::string& name) const {
  if (const TensorView* found = find(name)) return *found;
  throw CheckpointError(cat(path_, ": no tensor \"", name, "\" among its ", tensors_.size()));
}

}  // namespace entrain::checkpoint
