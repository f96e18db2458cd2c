#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace entrain::sharding {

/// One filter of a dataset, as the file has it.
struct Filter {
  int id = 0;                         ///< as registered with the HDF Group
  bool optional = false;              ///< a writer may leave it out for chunks where it fails
  std::vector<std::uint32_t> values;  ///< its settings, cd_values
  std::string name;                   ///< may be empty
};

}  // namespace entrain::sharding
