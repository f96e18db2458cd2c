#include "worker/models/weight_standardisation.hpp"

#include <ATen/ATen.h>

#include "worker/models/norm_kernels.hpp"
#include "worker/models/norm_ops.hpp"

namespace entrain::worker {
namespace {

kernels::Filters filters_of(const at::Tensor& w_OIKK) {
  return {w_OIKK.size(0), w_OIKK.size(1), w_OIKK.numel() / (w_OIKK.size(0) * w_OIKK.size(1))};
}

}  // namespace

void standardise(const at::Tensor& w_OIKK, const at::Tensor& what_OK, const at::Tensor& r_O) {
  if (!w_OIKK.is_cpu()) return ops::standardise(w_OIKK, what_OK, r_O);
  AT_DISPATCH_FLOATING_TYPES(w_OIKK.scalar_type(), "standardise", [&] {
    kernels::standardise(w_OIKK.const_data_ptr<scalar_t>(), filters_of(w_OIKK),
                         what_OK.mutable_data_ptr<scalar_t>(), r_O.mutable_data_ptr<scalar_t>());
  });
}

void standardise_backward(const at::Tensor& what_OK, const at::Tensor& r_O, const at::Tensor& d_OIKK) {
  if (!d_OIKK.is_cpu()) return ops::standardise_backward(what_OK, r_O, d_OIKK);
  AT_DISPATCH_FLOATING_TYPES(d_OIKK.scalar_type(), "standardise_backward", [&] {
    kernels::standardise_backward(what_OK.const_data_ptr<scalar_t>(), r_O.const_data_ptr<scalar_t>(),
                                  filters_of(d_OIKK), d_OIKK.mutable_data_ptr<scalar_t>());
  });
}

}  // namespace entrain::worker
