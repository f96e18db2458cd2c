#pragma once

namespace entrain::worker {

/// `entrain-worker versions`: one line of JSON, what this program was built with and sees; for `entrain doctor`.
int versions_command();

/// `entrain-worker preflight`, as one rank of several: reduces known numbers over all ranks and compares. Rank 0 prints one
/// line of JSON: world, megabytes, seconds. CommError where the sum is wrong.
int preflight_command();

}  // namespace entrain::worker
