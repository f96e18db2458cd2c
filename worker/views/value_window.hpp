#pragma once
#include "sharding/value_window.hpp"

namespace entrain::worker {

using sharding::value_window;
using sharding::ValueWindow;

}  // namespace entrain::worker
