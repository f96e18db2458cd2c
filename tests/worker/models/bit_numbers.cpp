#include "tests/worker/models/bit_numbers.hpp"

#include <ATen/ATen.h>

#include <limits>

namespace entrain::tests {

at::Tensor numbers(const std::string& name, const std::vector<std::int64_t>& shape) {
  std::uint64_t key = 0xcbf29ce484222325U;
  for (const char c : name) key = (key ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  at::Tensor out = at::empty(shape, at::kDouble);
  auto* p = out.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    std::uint64_t z = key + static_cast<std::uint64_t>(i + 1) * 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    p[i] = static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-52 - 1.0;
  }
  return out;
}

worker::ParameterSet filled_parameters(const BitArchitecture& arch, const std::string& prefix,
                                       at::ScalarType dtype, const std::vector<TensorSpec>& extra) {
  const std::vector<TensorSpec> plain = bit_tensors(arch);
  std::vector<TensorSpec> specs = plain;
  for (TensorSpec& spec : specs) spec.name = prefix + spec.name;
  specs.insert(specs.end(), extra.begin(), extra.end());
  worker::ParameterSet parameters(specs, dtype);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const at::Tensor u = numbers(plain[i].name, plain[i].shape);
    const bool gamma = plain[i].name.ends_with("weight");
    parameters.all()[i].value.copy_(u.dim() > 1 ? 0.04 * u : gamma ? 1 + 0.5 * u : 0.5 * u);
  }
  return parameters;
}

at::Tensor summary(const at::Tensor& t) {
  const at::Tensor v = t.detach().to(at::kDouble).contiguous().view({-1});
  std::vector<double> out = {v.sum().item<double>(), v.abs().sum().item<double>(),
                             v.abs().max().item<double>(),
                             (v * numbers("summary", {v.numel()})).sum().item<double>()};
  for (std::int64_t k = 0; k < 4; ++k) out.push_back(v[v.numel() * k / 4].item<double>());
  return at::tensor(out, at::kDouble);
}

double summary_difference(const at::Tensor& got, const at::Tensor& want) {
  TORCH_CHECK(got.sizes() == want.sizes() && want.size(-1) == 8, "summaries of ", got.sizes(), " and ",
              want.sizes());
  const at::Tensor sum = want.select(-1, 1).unsqueeze(-1), max = want.select(-1, 2).unsqueeze(-1);
  TORCH_CHECK(max.min().item<double>() > 0, "a summary of zeros would prove nothing");
  const at::Tensor scale = at::cat({sum, sum, max, sum, max, max, max, max}, -1);
  const double largest = ((got - want).abs() / scale).max().item<double>();
  return largest == largest ? largest : std::numeric_limits<double>::infinity();
}

double difference(const at::Tensor& got, const at::Tensor& want) {
  TORCH_CHECK(got.sizes() == want.sizes(), "difference of ", got.sizes(), " and ", want.sizes());
  const double scale = want.abs().max().item<double>();
  const double largest = (got.to(at::kDouble) - want.to(at::kDouble)).abs().max().item<double>() / scale;
  return largest == largest ? largest : std::numeric_limits<double>::infinity();
}

}  // namespace entrain::tests
