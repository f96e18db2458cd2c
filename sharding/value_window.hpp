#pragma once
#include "configs/run_config.hpp"
#include "sharding/corpus.hpp"

namespace entrain::sharding {

/// The largest data.window_low and data.window_high (configs/schema.cpp).
inline constexpr double kWidestWindow = 1e12;

/// Stored values that become 0 and 1.
struct ValueWindow {
  double low = 0, high = 0;
};

/// data.window_low and window_high where they are set; else the type's range: u8 0..255, u16 0..65535, and for
/// floats 0..1, or 0..255 if larger values occur in up to 64 images spread evenly over the corpus. The same
/// corpus gives the same answer. DataError, naming the value, for floats outside both ranges, which need a
/// window chosen by somebody who knows what they mean, and for NaN and infinity.
ValueWindow value_window(const DataSection& data, const Corpus& corpus);

}  // namespace entrain::sharding
