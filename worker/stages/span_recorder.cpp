#include "worker/stages/span_recorder.hpp"

#include <ATen/core/Tensor.h>

#include <bit>
#include <cstdio>
#include <span>
#include <string>

#include "checkpoint/digest.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::worker {

std::string bits_of(double loss) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx",
                static_cast<unsigned long long>(std::bit_cast<std::uint64_t>(loss)));
  return text;
}

sharding::BatchDigest digest_of(std::span<const sharding::Slot> slots, std::int64_t first_lane,
                                std::int64_t lane_images) {
  sharding::BatchDigest sum;
  for (std::size_t at = 0; at < slots.size(); at += static_cast<std::size_t>(lane_images))
    sum += sharding::digest_of_lane(first_lane++, slots.subspan(at, static_cast<std::size_t>(lane_images)));
  return sum;
}

nlohmann::json digests_of(const std::vector<NamedTensor>& tensors) {
  nlohmann::json digests = nlohmann::json::object();
  for (const NamedTensor& t : tensors) {
    const at::Tensor host = t.value.cpu();
    digests[t.name] =
        checkpoint::xxh3_128_of(static_cast<const std::byte*>(host.const_data_ptr()), host.nbytes());
  }
  return digests;
}

void SpanRecorder::add(std::span<const sharding::Slot> slots, std::int64_t first_lane,
                       std::int64_t lane_images, double loss) {
  steps_.push_back({digest_of(slots, first_lane, lane_images), loss});
}

void SpanRecorder::add_witness(const std::vector<NamedTensor>& mine) {
  witnesses_[last()] = digests_of(mine);
}

nlohmann::json SpanRecorder::part() const {
  nlohmann::json part{{"first", committed_ + 1},
                      {"last", last()},
                      {"batches", nlohmann::json::array()},
                      {"loss", nlohmann::json::array()}};
  double sum = 0;
  for (const Step& step : steps_) {
    part["batches"].push_back(step.digest.hex());
    part["loss"].push_back(bits_of(step.loss));
    sum += step.loss;
  }
  part["mean_loss"] = sum / static_cast<double>(steps_.empty() ? 1 : steps_.size());
  if (const auto witness = witnesses_.find(committed_ + 1); witness != witnesses_.end())
    part["witness"] = {{"step", witness->first}, {"tensors", witness->second}};
  return part;
}

void SpanRecorder::forget_until(std::int64_t step) {
  for (; committed_ < step && !steps_.empty(); ++committed_) steps_.pop_front();
  witnesses_.erase(witnesses_.begin(), witnesses_.upper_bound(step));
}

nlohmann::json merged_span(const std::vector<nlohmann::json>& parts) {
  nlohmann::json span = parts.at(0);
  span["world"] = parts.size();
  std::vector<sharding::BatchDigest> sums(span.at("batches").size());
  for (std::size_t rank = 0; rank < parts.size(); ++rank) {
    const nlohmann::json& part = parts[rank];
    if (part.at("first") != span.at("first") || part.at("loss") != span.at("loss"))
      throw CheckpointError(cat("rank ", rank, " and rank 0 do not tell of the same steps or losses"));
    for (std::size_t i = 0; i < sums.size(); ++i)
      sums[i] += sharding::BatchDigest::from_hex(part.at("batches").at(i).get<std::string>()).value();
    if (rank > 0 && part.contains("witness")) span["witness"]["tensors"].update(part["witness"]["tensors"]);
  }
  for (std::size_t i = 0; i < sums.size(); ++i) span["batches"][i] = sums[i].hex();
  return span;
}

}  // namespace entrain::worker
