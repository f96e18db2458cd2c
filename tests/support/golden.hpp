#pragma once
#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace entrain::tests {

/// Reads tests/reference/<path>: {"versions": {...}, "tensors": {name: {"shape": [...], "values": [...]}}}. All double.
/// Throws if the file is missing or holds nothing.
std::map<std::string, at::Tensor> read_golden(const std::string& path);

}  // namespace entrain::tests
