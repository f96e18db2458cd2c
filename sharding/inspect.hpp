#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sharding/hdf5_file.hpp"
#include "sharding/image_shape.hpp"

namespace entrain::sharding {

/// What `entrain inspect` found in some HDF5 files. Reads tables whole and a sample of images.
struct Inspection {
  struct File {
    std::string path;
    std::int64_t bytes = 0;
    std::vector<DatasetInfo> datasets;
  };
  std::vector<File> files;

  std::string image, axes;  ///< dataset taken as images; "" if there is none
  ImageShape shape;
  std::int64_t rows = 0;
  std::map<std::string, std::string> columns;  ///< group, label, split, site -> dataset

  std::int64_t groups = 0, largest_group = 0, straddling_groups = 0;
  std::string straddling_example;
  std::vector<std::string> class_names, split_names, site_names;
  std::map<std::array<std::string, 3>, std::int64_t> table;  ///< (split, site, label) -> images

  std::int64_t sampled = 0, unreadable = 0, not_a_number = 0, constant = 0, grey_as_rgb = 0;
  double low = 0, high = 0, mean = 0;  ///< of the sampled values

  std::vector<std::string> odd;   ///< what to mind, one sentence each
  std::vector<std::string> keys;  ///< data.key=value to use
  std::string refusal;            ///< why a run with these keys would stop; "" if it would not
};

Inspection inspect_files(const std::vector<std::string>& patterns);

}  // namespace entrain::sharding
