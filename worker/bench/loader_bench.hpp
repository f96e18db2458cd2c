#pragma once
#include <string>
#include <vector>

namespace entrain::worker {

/// `entrain bench loader FILE... [section.key=value...]`: how fast the images of these files are read and made into
/// views, with the plan, the order and the loader of training. Needs neither MPI nor a run.
int loader_bench(const std::vector<std::string>& args);

}  // namespace entrain::worker
