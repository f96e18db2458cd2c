#pragma once

namespace entrain::tests {

/// From now on tensors of the CPU are in memory of the stand-in's cudaMalloc: an access or a free while an operation uses
/// them ends the process with a line that says which. For good. ENTRAIN_STANDIN_GUARD=1 does it from the start.
void guard_tensors();

}  // namespace entrain::tests
