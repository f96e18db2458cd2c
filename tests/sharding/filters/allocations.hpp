#pragma once
#include <cstddef>

namespace entrain::tests {
/// How often this thread called operator new or new[].
std::size_t allocations();
}  // namespace entrain::tests
