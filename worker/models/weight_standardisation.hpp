#pragma once
#include <ATen/core/Tensor.h>

namespace entrain::worker {

/// w [O, I, ...] -> what [O, taps * I] = (w - mean) r and r [O] = 1 / sqrt(biased variance + 1e-10), per filter, written into the
/// two (Qiao et al. 2019, as big_transfer has it). All of one dtype, float or double, on any device.
void standardise(const at::Tensor& w_OIKK, const at::Tensor& what_OK, const at::Tensor& r_O);

/// d [O, I, ...], whose memory holds dL/dwhat in the order O, taps, I, becomes dL/dw in its own order, in place.
void standardise_backward(const at::Tensor& what_OK, const at::Tensor& r_O, const at::Tensor& d_OIKK);

}  // namespace entrain::worker
