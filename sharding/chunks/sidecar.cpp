#include "sharding/chunks/sidecar.hpp"

#include <xxhash.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <mutex>

#include "configs/log.hpp"
#include "sharding/chunks/file_view.hpp"
#include "sharding/chunks/object_header.hpp"
#include "sharding/chunks/sidecar_json.hpp"
#include "sharding/temporary_file.hpp"

// A sidecar is kMagic, the length of its header, the XXH3-64 of its header, the header (JSON), and at the next multiple
// of 64 bytes the table.
namespace entrain::sharding {
namespace fs = std::filesystem;
namespace {
constexpr std::string_view kMagic("ENTRIDX\1", 8);
constexpr std::size_t kHeadBytes = 24, kAlignment = 64;
constexpr std::int64_t kYoung_ns = 2'000'000'000;  // the coarsest time stamps of file systems in use

std::uint64_t hash_of(const void* bytes, std::size_t count) { return XXH3_64bits(bytes, count); }

std::string hash_name(const std::string& text) {
  return cat(std::hex, std::setfill('0'), std::setw(16), hash_of(text.data(), text.size()));
}

std::size_t table_offset(std::size_t header_bytes) {
  return (kHeadBytes + header_bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::size_t num_positions(const StorageDescription& storage) {
  return ChunkGrid(storage.dims, storage.chunk).size();
}

// Nothing where it is whole but of another content. Throws where it is not whole.
std::optional<IndexContent> read_one(const std::string& path, const IndexKey& key) {
  const auto file = std::make_shared<const MappedFile>(path);
  const FileView view(file->bytes());
  const auto head = view.bytes(0, kHeadBytes, "its head");
  if (std::memcmp(head.data(), kMagic.data(), kMagic.size()) != 0)
    throw DataError("it is no index of this version");
  const auto header = view.bytes(kHeadBytes, load<std::uint64_t>(&head[8]), "its header");
  if (load<std::uint64_t>(&head[16]) != hash_of(header.data(), header.size()))
    throw DataError("its header has changed since it was written");
  SidecarHeader read = sidecar_header({reinterpret_cast<const char*>(header.data()), header.size()});
  if (!read.key.same_content(key)) return std::nullopt;
  read.storage.file = key.file;
  const std::size_t positions = num_positions(read.storage);
  if (positions > file->bytes().size()) throw DataError("its table is cut off");
  const auto table = view.bytes(table_offset(header.size()), positions * sizeof(StoredChunk), "its table");
  if (hash_of(table.data(), table.size()) != read.table_hash)
    throw DataError("its table has changed since it was written");
  const std::span entries(reinterpret_cast<const StoredChunk*>(table.data()), positions);
  return IndexContent{std::move(read.storage), ChunkTable(entries, file), std::move(read.verified)};
}

void write_one(const std::string& path, const std::string& header, const ChunkTable& chunks) {
  TemporaryFile file(path, true);
  std::ofstream out(file.path(), std::ios::binary);
  const std::uint64_t numbers[] = {header.size(), hash_of(header.data(), header.size())};
  const std::string gap(table_offset(header.size()) - kHeadBytes - header.size(), '\0');
  const auto entries = std::as_bytes(chunks.entries());
  out << kMagic;
  out.write(reinterpret_cast<const char*>(numbers), sizeof numbers);
  out << header << gap;
  out.write(reinterpret_cast<const char*>(entries.data()), static_cast<std::streamsize>(entries.size()));
  out.close();
  if (!out) throw CheckpointError(cat("cannot write ", path, ": ", std::strerror(errno)));
  file.commit();
}

std::string cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value && value[0] == '/' ? value : "");
  };
  std::string cache = variable("XDG_CACHE_HOME");
  if (const std::string home = variable("HOME"); cache.empty() && !home.empty()) cache = home + "/.cache";
  return cache.empty() ? "" : cache + "/entrain/index";
}
}  // namespace

IndexKey IndexKey::of(const std::string& file, const std::string& dataset) {
  std::error_code failed;
  const std::string path = fs::canonical(file, failed).string();
  if (failed) throw DataError(cat(file, ": ", failed.message()));
  const MappedFile mapped(path);
  const auto stored = read_superblock(FileView(mapped.bytes())).stored;
  return {path, dataset, mapped.state(), {stored.begin(), stored.end()}};
}

std::vector<std::string> sidecar_paths(const IndexKey& key) {
  const fs::path file(key.file);
  std::vector<std::string> paths{
      (file.parent_path() / cat('.', file.filename().string(), '.', hash_name(key.dataset), ".entrain-index"))
          .string()};
  if (const std::string cache = cache_folder(); !cache.empty())
    paths.push_back(cat(cache, '/', hash_name(cat(key.file, '\n', key.dataset)), ".entrain-index"));
  return paths;
}

std::optional<IndexContent> read_sidecar(const IndexKey& key) {
  for (const auto& path : sidecar_paths(key)) {
    std::error_code none;
    if (!fs::exists(path, none)) continue;
    try {
      if (auto content = read_one(path, key)) return content;
    } catch (const std::exception& e) {
      log(Level::kWarning, cat("the index ", path, " is not used and made again: ", e.what()));
    }
  }
  return std::nullopt;
}

std::string write_sidecar(const IndexKey& key, const IndexContent& content) {
  // A second write within one tick of the file system's clock would leave size and time as they are.
  if (std::int64_t{std::time(nullptr)} * 1'000'000'000 - key.state.changed_ns < kYoung_ns) return "";
  const auto table = std::as_bytes(content.chunks.entries());
  const std::string header =
      sidecar_text({key, content.storage, content.verified, hash_of(table.data(), table.size())});
  static std::mutex one_at_a_time;  // names of temporary files are told apart by process
  const std::lock_guard lock(one_at_a_time);
  std::string why;
  for (const auto& path : sidecar_paths(key)) {
    try {
      if (path != sidecar_paths(key).front()) fs::create_directories(fs::path(path).parent_path());
      write_one(path, header, content.chunks);
      return path;
    } catch (const std::exception& e) {
      why += cat(why.empty() ? "" : "; ", e.what());
    }
  }
  log(Level::kWarning,
      cat("the index of ", key.file, ":", key.dataset, " cannot be kept for the next start: ", why));
  return "";
}

}  // namespace entrain::sharding
