#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {

/// A machine whose GPUs are those of tests/standin/nvml.cpp: eight, healthy, until somebody tells otherwise.
class StandinGpus : public ::testing::Test {
 protected:
  StandinGpus() { ::setenv("ENTRAIN_STANDIN_NVML", (folder_ / "gpus").c_str(), 1); }
  ~StandinGpus() override { ::unsetenv("ENTRAIN_STANDIN_NVML"); }

  /// From now on.
  void tell(const std::string& lines) {
    write_file(folder_ / "new", lines);
    std::filesystem::rename(folder_ / "new", folder_ / "gpus");
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace entrain::tests
