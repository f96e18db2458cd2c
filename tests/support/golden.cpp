#include "tests/support/golden.hpp"

#include <ATen/ATen.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

namespace entrain::tests {

std::map<std::string, at::Tensor> read_golden(const std::string& path) {
  const std::string file = std::string(ENTRAIN_SOURCE_DIR) + "/tests/reference/" + path;
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot open " + file);
  std::map<std::string, at::Tensor> tensors;
  const nlohmann::json golden = nlohmann::json::parse(in);
  for (const auto& [name, tensor] : golden.at("tensors").items()) {
    const auto shape = tensor.at("shape").get<std::vector<std::int64_t>>();
    tensors[name] = at::tensor(tensor.at("values").get<std::vector<double>>(), at::kDouble).view(shape);
  }
  if (tensors.empty()) throw std::runtime_error(file + " holds no tensors");
  return tensors;
}

}  // namespace entrain::tests
