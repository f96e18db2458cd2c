#include "sharding/chunks/sidecar_json.hpp"

#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::sharding {
namespace {
using Json = nlohmann::json;

Json filters_json(const std::vector<Filter>& filters) {
  Json list = Json::array();
  for (const Filter& f : filters)
    list.push_back({{"id", f.id}, {"optional", f.optional}, {"values", f.values}, {"name", f.name}});
  return list;
}

std::vector<Filter> filters_of(const Json& list) {
  std::vector<Filter> filters;
  for (const Json& f : list) filters.push_back({f.at("id"), f.at("optional"), f.at("values"), f.at("name")});
  return filters;
}

std::vector<std::uint8_t> numbers(const std::vector<std::byte>& bytes) {
  std::vector<std::uint8_t> out;
  for (const std::byte b : bytes) out.push_back(std::to_integer<std::uint8_t>(b));
  return out;
}

std::vector<std::byte> bytes_of(const Json& list) {
  std::vector<std::byte> out;
  for (const auto n : list.get<std::vector<std::uint8_t>>()) out.push_back(std::byte{n});
  return out;
}

void require_sane(const StorageDescription& s) {
  bool sane = s.element_bytes > 0 && s.fill.size() == s.element_bytes && s.chunk.size() == s.dims.size() &&
              !s.chunk.empty();
  for (const auto d : s.dims) sane &= d >= 0;
  for (const auto c : s.chunk) sane &= c > 0;
  if (!sane) throw DataError("its header contradicts itself");
}
}  // namespace

std::string sidecar_text(const SidecarHeader& h) {
  const StorageDescription& s = h.storage;
  return Json{{"file", h.key.file},
              {"dataset", h.key.dataset},
              {"file_bytes", h.key.state.bytes},
              {"file_changed_ns", h.key.state.changed_ns},
              {"superblock", numbers(h.key.superblock)},
              {"type", s.type_name},
              {"kind", static_cast<int>(s.kind)},
              {"element_bytes", s.element_bytes},
              {"big_endian", s.big_endian},
              {"dims", s.dims},
              {"chunk", s.chunk},
              {"filters", filters_json(s.filters)},
              {"raw_edge_chunks", s.raw_edge_chunks},
              {"fill", numbers(s.fill)},
              {"object_header", s.object_header},
              {"verified", h.verified},
              {"table_xxh3", h.table_hash}}
      .dump(-1, ' ', true, Json::error_handler_t::replace);
}

SidecarHeader sidecar_header(std::string_view text) {
  const Json j = Json::parse(text);
  SidecarHeader h;
  h.key = {j.at("file"),
           j.at("dataset"),
           {j.at("file_bytes"), j.at("file_changed_ns")},
           bytes_of(j.at("superblock"))};
  StorageDescription& s = h.storage;
  s.layout = StorageDescription::Layout::kChunked;
  s.type_name = j.at("type");
  s.kind = static_cast<StoredKind>(j.at("kind").get<int>());
  s.element_bytes = j.at("element_bytes");
  s.big_endian = j.at("big_endian");
  s.dims = j.at("dims").get<std::vector<std::int64_t>>();
  s.chunk = j.at("chunk").get<std::vector<std::int64_t>>();
  s.filters = filters_of(j.at("filters"));
  s.raw_edge_chunks = j.at("raw_edge_chunks");
  s.fill = bytes_of(j.at("fill"));
  s.object_header = j.at("object_header");
  h.verified = j.at("verified");
  h.table_hash = j.at("table_xxh3");
  require_sane(s);
  return h;
}

}  // namespace entrain::sharding
