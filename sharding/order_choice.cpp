#include "sharding/order_choice.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/image_reader.hpp"

namespace entrain::sharding {
namespace {

constexpr std::int64_t kFewSlabs = 64, kBatchesInWindow = 10;
constexpr std::int64_t kLargeSlab = std::int64_t{256} << 20;  // bytes

std::string repack_line(const DataSection& data, const ImageShape& image) {
  const bool planes = data.axes == "NCHW", no_channels = image.channels == 1 && data.axes != "NHWC";
  const std::string size = cat(image.height, 'x', image.width);
  const std::string axes = no_channels && !planes ? size
                           : planes               ? cat(image.channels, 'x', size)
                                                  : cat(size, 'x', image.channels);
  return cat("h5repack -l ", data.image, ":CHUNK=1x", axes, " IN.h5 OUT.h5, or entrain ingest images");
}

}  // namespace

OrderChoice choose_order(const Corpus& corpus, const std::string& order, const std::string& same_group,
                         std::int64_t global_batch) {
  if (order != "auto" && order != "full" && order != "windows")
    throw ConfigError(cat("data.order: want auto, full or windows, got \"", order, '"'));
  OrderChoice choice{corpus.rows_per_slab(), 0};
  const auto slabs = static_cast<std::int64_t>(corpus.slab_ends(choice.rows_per_slab).size());
  if (slabs == 0 || order == "full" || same_group == "forbid") return {};
  const auto& rows = choice.rows_per_slab;
  if (std::adjacent_find(rows.begin(), rows.end(), std::not_equal_to<>()) == rows.end())
    choice.rows_per_slab.resize(1);
  const Wide window = Wide{kBatchesInWindow} * global_batch;
  choice.open_slabs =
      std::max(kFewSlabs, static_cast<std::int64_t>((window * slabs + corpus.size() - 1) / corpus.size()));
  return choice;
}

SlabSettings slab_settings(const Corpus& corpus, const OrderChoice& choice, std::int64_t lane_images) {
  if (choice.rows_per_slab.empty()) return {};
  return {corpus.slab_ends(choice.rows_per_slab), lane_images, choice.open_slabs};
}

nlohmann::json order_facts(const OrderChoice& choice) {
  if (choice.rows_per_slab.empty()) return nullptr;
  return {{"rows_per_slab", choice.rows_per_slab}, {"open_slabs", choice.open_slabs}};
}

OrderChoice order_of_plan(const nlohmann::json& plan) {
  const auto slabs = plan.find("slabs");
  if (slabs == plan.end() || slabs->is_null()) return {};
  return {slabs->at("rows_per_slab"), slabs->at("open_slabs")};
}

SlabSummary summary_of(const Corpus& corpus, const OrderChoice& choice) {
  const auto rows_per_slab = corpus.rows_per_slab();
  SlabSummary s;
  s.slabs = static_cast<std::int64_t>(corpus.slab_ends(rows_per_slab).size());
  s.rows = *std::max_element(rows_per_slab.begin(), rows_per_slab.end());
  s.bytes = corpus.slab_bytes();
  s.open = std::min(choice.open_slabs, s.slabs);
  return s;
}

std::string memory_warning(const SlabSummary& s) {
  constexpr auto kBudget = static_cast<std::int64_t>(kDecodedSlabs);
  const std::int64_t open_bytes = s.open * s.bytes;
  if (open_bytes > kBudget)
    return cat("the open slabs take ", open_bytes >> 20, " MiB decoded and a rank keeps ", kBudget >> 20,
               ": on fewer than ", (open_bytes + kBudget - 1) / kBudget,
               " ranks they are decoded again and again");
  if (s.bytes > kLargeSlab)
    return cat("a slab of ", s.rows, " rows takes ", s.bytes >> 20, " MiB decoded, more than ",
               kLargeSlab >> 20);
  return "";
}

std::vector<std::string> order_warnings(const Corpus& corpus, const OrderChoice& choice,
                                        const DataSection& data, const std::string& same_group) {
  std::vector<std::string> out;
  const auto warn = [&](const auto&... parts) { out.push_back(cat(parts...)); };
  const SlabSummary s = summary_of(corpus, choice);
  const std::string repack = repack_line(data, corpus.shape());
  if (s.slabs == 0) {
    if (data.order == "windows")
      warn("data.order: windows changes nothing: every image of these files can be read by itself");
    return out;
  }
  if (s.open == 0 && same_group == "forbid")
    warn("batch.same_group: forbid has an order of its own, in which an image costs the decoding of up to ",
         s.rows, " rows; one image a chunk mends it: ", repack);
  else if (s.open == 0)
    warn("the order is a full permutation, in which an image costs the decoding of up to ", s.rows,
         " rows; a run that begins with data.order: auto decodes them once, and one image a chunk mends it: ",
         repack);
  else if (s.slabs < kFewSlabs)
    warn("the files have only ", s.slabs, " slabs of up to ", s.rows,
         " rows that are decoded together, so a batch draws "
         "from fewer than ",
         kFewSlabs, " places of the data at a time; one image a chunk mends it: ", repack);
  if (const std::string memory = memory_warning(s); !memory.empty())
    warn(memory, "; one image a chunk mends it: ", repack);
  return out;
}

}  // namespace entrain::sharding
