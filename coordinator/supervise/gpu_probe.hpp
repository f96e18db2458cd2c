#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace entrain::supervise {

/// What a preflight found of one rank's GPU.
struct GpuProbe {
  int rank = 0;
  std::string name{}, uuid{};
  std::string error{};   ///< why the rank has none, or why it does not compute; empty: it does
  std::string digest{};  ///< of a matrix product that is the same on all ranks
  std::uint64_t slowdown =
      0;  ///< why its clocks were low all the time that it computed: bits of health/slowdown.hpp
  std::uint64_t uncorrected = 0;      ///< errors that ECC could not correct, since the driver was loaded
  std::vector<std::uint64_t> xids{};  ///< critical errors while it computed
};

nlohmann::json json_of(const GpuProbe& gpu);
/// What is missing or of another type is as in a GpuProbe of nothing.
GpuProbe gpu_probe_of(const nlohmann::json& json);

}  // namespace entrain::supervise
