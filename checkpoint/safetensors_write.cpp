#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string_view>
#include <utility>

#include "checkpoint/safetensors.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::checkpoint {
namespace {

constexpr std::array<std::pair<const char*, std::size_t>, 16> kDTypes{{{"BOOL", 1},
                                                                       {"U8", 1},
                                                                       {"I8", 1},
                                                                       {"F8_E5M2", 1},
                                                                       {"F8_E4M3", 1},
                                                                       {"F8_E8M0", 1},
                                                                       {"I16", 2},
                                                                       {"U16", 2},
                                                                       {"F16", 2},
                                                                       {"BF16", 2},
                                                                       {"I32", 4},
                                                                       {"U32", 4},
                                                                       {"F32", 4},
                                                                       {"F64", 8},
                                                                       {"I64", 8},
                                                                       {"U64", 8}}};

std::string quoted(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    throw CheckpointError(cat("tensor or metadata name \"", text, "\" is not UTF-8"));
  }
}

std::string entry_of(const TensorView& tensor, std::size_t begin) {
  std::string shape;
  for (const auto extent : tensor.shape) shape += cat(shape.empty() ? "" : ",", extent);
  return cat(quoted(tensor.name), ":{\"dtype\":\"", dtype_name(tensor.dtype), "\",\"shape\":[", shape,
             "],\"data_offsets\":[", begin, ',', begin + tensor.bytes(), "]}");
}

}  // namespace

const char* dtype_name(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)].first; }
std::size_t dtype_bytes(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)].second; }

bool parse_dtype(const std::string& name, DType& dtype) {
  for (std::size_t i = 0; i < kDTypes.size(); ++i) {
    if (name != kDTypes[i].first) continue;
    dtype = static_cast<DType>(i);
    return true;
  }
  return false;
}

std::size_t TensorView::bytes() const {
  return std::accumulate(
      shape.begin(), shape.end(), dtype_bytes(dtype),
      [](std::size_t product, std::int64_t extent) { return product * static_cast<std::size_t>(extent); });
}

std::string safetensors_header(const std::vector<TensorView>& tensors, const Metadata& metadata,
                               std::vector<std::size_t>& order) {
  order.resize(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(-static_cast<int>(tensors[a].dtype), std::string_view(tensors[a].name)) <
           std::pair(-static_cast<int>(tensors[b].dtype), std::string_view(tensors[b].name));
  });
  std::vector<std::string_view> names;
  std::string json = "{";
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) json += cat(quoted(key), ':', quoted(value), ',');
    json.back() = '}';
  }
  std::size_t begin = 0;
  for (const std::size_t i : order) {
    json += cat(json.size() > 1 ? "," : "", entry_of(tensors[i], begin));
    begin += tensors[i].bytes();
    names.push_back(tensors[i].name);
  }
  json += '}';
  json.resize((json.size() + 7) / 8 * 8, ' ');

  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) throw CheckpointError(cat("two tensors are called ", *twice));
  if (std::binary_search(names.begin(), names.end(), "__metadata__"))
    throw CheckpointError("no tensor can be called __metadata__");

  std::string length(8, '\0');
  for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(json.size() >> 8 * i);
  return length + json;
}

void write_safetensors(const std::string& path, const std::vector<TensorView>& tensors,
                       const Metadata& metadata, FileSystem& files) {
  std::vector<std::size_t> order;
  const std::string header = safetensors_header(tensors, metadata, order), half = path + ".tmp";
  try {
    const auto file = files.create(half);
    file->write(header.data(), header.size());
    for (const std::size_t i : order) file->write(tensors[i].data, tensors[i].bytes());
    file->sync();
    file->close();
    files.rename(half, path);
  } catch (const CheckpointError&) {
    files.remove_file(half);
    throw;
  }
}

}  // namespace entrain::checkpoint
