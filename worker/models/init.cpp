#include "worker/models/init.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "configs/philox.hpp"

namespace entrain::worker {
namespace {

// FNV-1a: the key of a tensor's stream.
std::uint64_t hash_of(const std::string& name) {
  std::uint64_t h = 0xcbf29ce484222325U;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return h;
}

// `sigma_of` gives the standard deviation of a tensor of more than one dimension.
template <typename Sigma>
void initialise_(ParameterSet& parameters, const std::string& prefix, std::uint64_t seed,
                 const Sigma& sigma_of) {
  for (const NamedTensor& p : parameters.all()) {
    if (!p.name.starts_with(prefix)) continue;
    if (p.value.dim() > 1)
      fill_normal_(p.value, sigma_of(p.value), seed, p.name);
    else
      p.value.fill_(p.name.ends_with(".weight") ? 1 : 0);
  }
}

}  // namespace

// Box-Muller in double, so that a float holds the rounded value whatever the precision of libm's last bit.
void fill_normal_(const at::Tensor& t, double sigma, std::uint64_t seed, const std::string& name) {
  TORCH_CHECK(t.is_contiguous(), "fill_normal_: ", name, " is not contiguous");
  Draws draws(seed, Purpose::kInit, hash_of(name));
  AT_DISPATCH_FLOATING_TYPES(t.scalar_type(), "fill_normal_", [&] {
    auto* out = t.mutable_data_ptr<scalar_t>();
    for (std::int64_t i = 0; i < t.numel(); i += 2) {
      const double radius = sigma * std::sqrt(-2 * std::log(1 - draws.uniform_double()));  // 1 - u is never 0
      const double angle = 2 * std::numbers::pi * draws.uniform_double();
      out[i] = static_cast<scalar_t>(radius * std::cos(angle));
      if (i + 1 < t.numel()) out[i + 1] = static_cast<scalar_t>(radius * std::sin(angle));
    }
  });
}

void initialise_encoder_(ParameterSet& parameters, const std::string& prefix, std::uint64_t seed) {
  initialise_(parameters, prefix, seed, [](const at::Tensor& w) {
    return std::sqrt(2.0 / static_cast<double>(w.size(0) * w.size(2) * w.size(3)));
  });
}

void initialise_head_(ParameterSet& parameters, const std::string& prefix, std::uint64_t seed) {
  initialise_(parameters, prefix, seed, [](const at::Tensor&) { return 0.01; });
}

}  // namespace entrain::worker
