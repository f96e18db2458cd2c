#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <string_view>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/ingest/file_source.hpp"

// A tar archive is a chain of 512-byte headers, each followed by its file's bytes rounded up to 512. Two kinds of
// entries describe the next one: pax ('x': lines "LENGTH key=value\n") and GNU ('L': a long name).
namespace entrain::sharding {
namespace {
constexpr std::int64_t kBlock = 512;
using Block = std::array<char, kBlock>;

std::string_view text_field(const Block& b, std::size_t at, std::size_t size) {
  return {b.data() + at, strnlen(b.data() + at, size)};
}

// Octal text, or, where the first bit is set, a big-endian binary number (GNU, for files above 8 GiB).
std::int64_t number_field(const Block& b, std::size_t at, std::size_t size) {
  std::int64_t value = 0;
  if (static_cast<unsigned char>(b[at]) & 0x80) {
    for (std::size_t i = at + size - 8; i < at + size; ++i)
      value = value << 8 | static_cast<unsigned char>(b[i]);
    return value;
  }
  for (const char c : text_field(b, at, size))
    if (c >= '0' && c <= '7') value = value * 8 + (c - '0');
  return value;
}

bool is_header(const Block& b) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < b.size(); ++i)
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(b[i]);
  return sum == number_field(b, 148, 8);
}

class TarSource : public FileSource {
 public:
  explicit TarSource(const std::string& path) : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) throw DataError(cat("cannot open ", path, ": ", std::strerror(errno)));
    try {
      index();
    } catch (...) {
      ::close(fd_);
      throw;
    }
    for (const auto& [name, place] : places_) names_.push_back(name);
  }
  ~TarSource() override { ::close(fd_); }
  TarSource(const TarSource&) = delete;
  TarSource& operator=(const TarSource&) = delete;

  const std::vector<std::string>& names() const override { return names_; }
  bool has(const std::string& name) const override { return places_.contains(name); }
  std::vector<std::byte> read(const std::string& name) const override {
    const auto at = places_.find(name);
    if (at == places_.end()) throw DataError("not in the archive");
    std::vector<std::byte> bytes(static_cast<std::size_t>(at->second.size));
    read_at(bytes.data(), at->second.size, at->second.offset);
    return bytes;
  }

 private:
  struct Extent {
    std::int64_t offset, size;
  };

  void read_at(void* out, std::int64_t size, std::int64_t offset) const {
    for (std::int64_t done = 0; done < size;) {
      const ssize_t n =
          ::pread(fd_, static_cast<char*>(out) + done, static_cast<std::size_t>(size - done), offset + done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0)
        throw DataError(cat(path_, ": cannot read at byte ", offset + done, ": ",
                            n < 0 ? std::strerror(errno) : "end of file"));
      done += n;
    }
  }
  std::string text_at(std::int64_t offset, std::int64_t size) const {
    if (size > (1 << 20))
      throw DataError(cat(path_, ": a header of ", size, " bytes at byte ", offset, ": damaged"));
    std::string text(static_cast<std::size_t>(size), '\0');
    read_at(text.data(), size, offset);
    return text;
  }

  void index() {
    struct stat status {};
    if (::fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode))
      throw DataError(cat(path_, ": not a regular file"));
    const std::int64_t end = status.st_size;
    if (end < kBlock) throw DataError(cat(path_, ": not a tar archive (", end, " bytes)"));
    std::string long_name;
    std::int64_t long_size = -1;
    for (std::int64_t at = 0; at + kBlock <= end;) {
      Block b{};
      read_at(b.data(), kBlock, at);
      if (b == Block{}) break;  // two of them end an archive
      if (!is_header(b))
        throw DataError(cat(path_, at == 0 ? ": not a tar archive (a .tar.gz must be unpacked to .tar first)"
                                           : cat(": damaged at byte ", at)));
      const std::int64_t size = long_size >= 0 && b[156] != 'x' ? long_size : number_field(b, 124, 12),
                         data = at + kBlock;
      if (size < 0 || data + size > end)
        throw DataError(cat(path_, ": cut short: the entry at byte ", at, " needs ", size,
                            " bytes, the file ends at ", end));
      if (b[156] == 'x') {
        read_pax(text_at(data, size), long_name, long_size);
      } else if (b[156] == 'L') {
        long_name = text_at(data, size).c_str();  // ends at the first NUL
      } else {
        if (b[156] == '0' || b[156] == '\0')
          places_[clean(long_name.empty() ? short_name(b) : long_name)] = {data, size};
        long_name.clear();
        long_size = -1;
      }
      at = data + (size + kBlock - 1) / kBlock * kBlock;
    }
    if (places_.empty()) throw DataError(cat(path_, ": the archive holds no file"));
  }

  static std::string short_name(const Block& b) {
    const auto prefix = text_field(b, 257, 5) == "ustar" ? text_field(b, 345, 155) : std::string_view();
    return prefix.empty() ? std::string(text_field(b, 0, 100)) : cat(prefix, "/", text_field(b, 0, 100));
  }
  static std::string clean(const std::string& name) { return name.starts_with("./") ? name.substr(2) : name; }

  static void read_pax(const std::string& text, std::string& name, std::int64_t& size) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t space = text.find(' ', at);
      const auto length = static_cast<std::size_t>(std::strtoull(text.c_str() + at, nullptr, 10));
      if (space == std::string::npos || length == 0 || at + length > text.size()) return;
      const std::string pair = text.substr(space + 1, at + length - space - 2);
      if (pair.starts_with("path=")) name = pair.substr(5);
      if (pair.starts_with("size=")) size = std::strtoll(pair.c_str() + 5, nullptr, 10);
      at += length;
    }
  }

  std::string path_;
  int fd_;
  std::map<std::string, Extent> places_;
  std::vector<std::string> names_;
};
}  // namespace

std::unique_ptr<FileSource> open_tar(const std::string& path) { return std::make_unique<TarSource>(path); }

}  // namespace entrain::sharding
