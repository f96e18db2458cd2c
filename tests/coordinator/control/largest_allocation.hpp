#pragma once
#include <cstddef>

namespace entrain::tests {

/// The largest `new` of this program since the last call of forget_allocations().
std::size_t largest_allocation();
void forget_allocations();

}  // namespace entrain::tests
