#include "tests/worker/models/plain_bit.hpp"

#include <ATen/ATen.h>

#include <limits>

#include "configs/cat.hpp"

namespace entrain::tests {
namespace {

struct Net {
  const worker::ParameterSet& parameters;
  std::string prefix;
  Mistake mistake;

  at::Tensor weight(const std::string& name) const { return parameters[prefix + name]; }

  at::Tensor conv(const std::string& name, const at::Tensor& x, std::int64_t stride) const {
    at::Tensor w = weight(name + ".weight");
    const std::int64_t pad = (w.size(2) - 1) / 2;
    if (mistake == Mistake::kSquareKernelsTransposed && w.size(0) == w.size(1)) w = w.transpose(0, 1);
    return at::conv2d(x, plain_standardise(w, mistake), {}, {stride, stride}, {pad, pad});
  }

  at::Tensor norm_relu(const std::string& name, const at::Tensor& x) const {
    const double eps = mistake == Mistake::kGroupNormEps1e6 ? 1e-6 : 1e-5;
    return at::group_norm(x, 32, weight(name + ".weight"), weight(name + ".bias"), eps).relu();
  }

  at::Tensor stem(const at::Tensor& x) const {
    const double pad =
        mistake == Mistake::kPoolPadsMinusInfinity ? -std::numeric_limits<double>::infinity() : 0.0;
    return at::max_pool2d(at::constant_pad_nd(conv("stem.conv", x, 2), {1, 1, 1, 1}, pad), {3, 3}, {2, 2});
  }

  at::Tensor unit(const std::string& at, const at::Tensor& x, std::int64_t stride, bool project) const {
    std::string a = "norm1", b = "norm2";
    if (mistake == Mistake::kNormsOfAAndBSwapped && x.size(1) == weight(at + "norm2.weight").size(0))
      std::swap(a, b);
    const std::int64_t first = mistake == Mistake::kStrideOnFirst1x1 ? stride : 1;
    const at::Tensor o = norm_relu(at + a, x);
    const at::Tensor& seen = mistake == Mistake::kProjectionOfRawInput ? x : o;
    const at::Tensor shortcut = project ? conv(at + "downsample.conv", seen, stride) : x;
    at::Tensor y = conv(at + "conv1", o, first);
    y = conv(at + "conv2", norm_relu(at + b, y), stride / first);
    return conv(at + "conv3", norm_relu(at + "norm3", y), 1) + shortcut;
  }
};

}  // namespace

at::Tensor plain_standardise(const at::Tensor& w_OIKK, Mistake mistake) {
  const at::Tensor w = w_OIKK.flatten(1), off = w - w.mean(1, true);
  const double n = static_cast<double>(w.size(1));
  const at::Tensor var = off.square().sum(1, true) / (mistake == Mistake::kStandardiseUnbiased ? n - 1 : n);
  const at::Tensor root =
      mistake == Mistake::kStandardiseEps1e5OutsideTheRoot ? var.sqrt() + 1e-5 : (var + 1e-10).sqrt();
  return (off / root).view(w_OIKK.sizes());
}

PlainBit plain_bit(const BitArchitecture& arch, const worker::ParameterSet& parameters,
                   const std::string& prefix, const at::Tensor& x_NCPP, Mistake mistake) {
  const Net net{parameters, prefix, mistake};
  PlainBit out;
  at::Tensor x = net.stem(x_NCPP);
  out.stages.push_back(x);
  for (int stage = 0; stage < 4; ++stage) {
    for (std::int64_t block = 0; block < arch.units[stage]; ++block)
      x = net.unit(cat("stages.", stage, ".blocks.", block, '.'), x, stage > 0 && block == 0 ? 2 : 1,
                   block == 0);
    out.stages.push_back(x);
  }
  out.stages.push_back(net.norm_relu("norm", x));
  out.h_NF = out.stages.back().mean({2, 3});
  return out;
}

}  // namespace entrain::tests
