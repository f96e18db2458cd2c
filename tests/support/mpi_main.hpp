#pragma once
#include "worker/collectives/mpi.hpp"

namespace entrain::tests {

/// The world of an MPI test program, for its test bodies.
worker::MpiCollectives& world();

}  // namespace entrain::tests
